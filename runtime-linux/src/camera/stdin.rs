//! Video on standard input: what another program writes is read here, so any camera that some program can read is a source.
//!
//! `rpicam-vid --codec mjpeg -o - | microtome live - …`: Y4M and JPEGs say themselves what they are; raw samples need their size and layout.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use super::jpeg::{self, Splitter};
use super::{Camera, Options, PixelFormat, Shot, Size, Trouble, yuv};
use crate::source::Image;

/// How a Y4M stream begins.
const Y4M: &[u8] = b"YUV4MPEG2";
/// How a JPEG begins.
const JPEG: &[u8] = &[0xFF, 0xD8];

/// Frames that a thread reads from a stream, because reading from a pipe cannot be given up half-way.
pub struct Stream {
    name: String,
    frames: Receiver<Result<Image, Trouble>>,
    live: bool,
}

/// Opens standard input, once in the life of a process.
///
/// # Errors
/// When it is neither Y4M nor JPEGs, and `options` don't say what else.
pub fn open(options: &Options) -> Result<Box<dyn Camera>, String> {
    // A file that was redirected waits, a program that writes does not.
    let live = !is_file();
    Ok(Box::new(Stream::read(io::stdin(), "standard input", options, live)?))
}

#[cfg(unix)]
fn is_file() -> bool {
    use std::os::fd::AsFd;
    let copy = io::stdin().as_fd().try_clone_to_owned().map(std::fs::File::from);
    copy.and_then(|file| file.metadata()).is_ok_and(|data| data.is_file())
}

#[cfg(not(unix))]
fn is_file() -> bool {
    false
}

impl Stream {
    fn read(input: impl Read + Send + 'static, name: &str, options: &Options, live: bool) -> Result<Self, String> {
        let mut input = BufReader::with_capacity(1 << 18, input);
        let colour = options.colour;
        let head = peek(&mut input).map_err(|e| format!("{name}: {e}"))?;
        let (what, mut reader): (String, Box<dyn FrameReader>) = match (options.pixel_format, options.size) {
            _ if head.is_empty() => return Err(format!("{name}: is empty")),
            _ if head.starts_with(Y4M) => {
                let decoder = y4m::decode(input).map_err(|e| format!("{name}: {e}"))?;
                (format!("Y4M, {}x{}", decoder.get_width(), decoder.get_height()), Box::new(Y4m { decoder, colour }))
            }
            (None | Some(PixelFormat::Mjpeg), _) if head.starts_with(JPEG) => {
                ("JPEGs".into(), Box::new(Jpegs { input, splitter: Splitter::default(), colour }))
            }
            (Some(format), Some(size)) if format != PixelFormat::Mjpeg => {
                (format!("{format:?}, {size}"), Box::new(Raw { input, format, size, colour }))
            }
            (Some(PixelFormat::Mjpeg), _) => return Err(format!("{name}: begins with no JPEG")),
            _ => {
                return Err(format!(
                    "{name}: neither Y4M nor JPEGs; raw frames need --size and --pixel-format to be understood"
                ));
            }
        };
        // One frame on the way: the reader waits while nobody asks.
        let (sender, frames) = sync_channel(1);
        let read = move || {
            loop {
                let frame = reader.frame();
                let over = matches!(frame, Err(Trouble::End | Trouble::Gone(_)));
                if sender.send(frame).is_err() || over {
                    return;
                }
            }
        };
        std::thread::Builder::new().name("stream".into()).spawn(read).map_err(|e| format!("{name}: {e}"))?;
        Ok(Stream { name: format!("{name}, {what}"), frames, live })
    }
}

/// The first bytes, as far as they come at once.
fn peek(input: &mut impl BufRead) -> io::Result<Vec<u8>> {
    loop {
        match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other.map(|bytes| bytes[..bytes.len().min(Y4M.len())].to_vec()),
        }
    }
}

impl Camera for Stream {
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
        match self.frames.recv_timeout(patience) {
            Ok(frame) => frame.map(Shot::now),
            Err(RecvTimeoutError::Timeout) => Err(Trouble::Late),
            Err(RecvTimeoutError::Disconnected) => Err(Trouble::End),
        }
    }

    fn describe(&self) -> String {
        self.name.clone()
    }

    fn is_live(&self) -> bool {
        self.live
    }
}

trait FrameReader: Send {
    /// Blocks until there is a frame. A stream that ends inside one ends damaged: the frame is reported, then the end.
    fn frame(&mut self) -> Result<Image, Trouble>;
}

struct Y4m<R: Read> {
    decoder: y4m::Decoder<R>,
    colour: bool,
}

impl<R: Read + Send> FrameReader for Y4m<R> {
    fn frame(&mut self) -> Result<Image, Trouble> {
        use y4m::Colorspace as Space;
        let size = Size { width: self.decoder.get_width(), height: self.decoder.get_height() };
        let (space, deep) = (self.decoder.get_colorspace(), self.decoder.get_bytes_per_sample() == 2);
        let frame = match self.decoder.read_frame() {
            Ok(frame) => frame,
            Err(y4m::Error::EOF) => return Err(Trouble::End),
            Err(error) => return Err(Trouble::Gone(format!("standard input: {error}"))),
        };
        let has_halves = matches!(space, Space::C420 | Space::C420jpeg | Space::C420paldv | Space::C420mpeg2);
        let image = if deep {
            yuv::frame(PixelFormat::Y16, size, 0, frame.get_y_plane(), false)
        } else if self.colour && has_halves {
            let planes = [frame.get_y_plane(), frame.get_u_plane(), frame.get_v_plane()].concat();
            yuv::frame(PixelFormat::Yuv420, size, 0, &planes, true)
        } else if self.colour && !matches!(space, Space::Cmono) {
            Err(format!("Y4M of {space:?}: colour is read of 4:2:0 with 8 bits only"))
        } else {
            yuv::frame(PixelFormat::Grey, size, 0, frame.get_y_plane(), false)
        };
        image.map_err(Trouble::Gone)
    }
}

struct Raw<R> {
    input: R,
    format: PixelFormat,
    size: Size,
    colour: bool,
}

impl<R: Read + Send> FrameReader for Raw<R> {
    fn frame(&mut self) -> Result<Image, Trouble> {
        let mut bytes = Vec::new();
        let needed = yuv::frame_bytes(self.format, self.size);
        match self.input.by_ref().take(needed as u64).read_to_end(&mut bytes) {
            Ok(0) => Err(Trouble::End),
            Ok(_) => yuv::frame(self.format, self.size, 0, &bytes, self.colour).map_err(Trouble::Spoilt),
            Err(error) => Err(Trouble::Gone(format!("standard input: {error}"))),
        }
    }
}

struct Jpegs<R> {
    input: R,
    splitter: Splitter,
    colour: bool,
}

impl<R: BufRead + Send> FrameReader for Jpegs<R> {
    fn frame(&mut self) -> Result<Image, Trouble> {
        loop {
            if let Some(picture) = self.splitter.next_picture() {
                return jpeg::decode(&picture, self.colour).map_err(Trouble::Spoilt);
            }
            let bytes = match self.input.fill_buf() {
                Ok(bytes) => bytes,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Trouble::Gone(format!("standard input: {error}"))),
            };
            if bytes.is_empty() {
                return Err(Trouble::End);
            }
            self.splitter.push(bytes);
            let read = bytes.len();
            self.input.consume(read);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Address;
    use crate::source::{Channels, Samples};

    fn options(size: Option<Size>, pixel_format: Option<PixelFormat>, colour: bool) -> Options {
        Options { source: Address::Stdin, size, fps: None, pixel_format, colour, every_frame: false }
    }

    fn frames(bytes: Vec<u8>, options: &Options) -> Vec<Result<Image, Trouble>> {
        let mut stream = Stream::read(io::Cursor::new(bytes), "test", options, false).unwrap();
        let next = || stream.next(Duration::from_secs(20)).map(|shot| shot.image);
        std::iter::repeat_with(next).take_while(|next| *next != Err(Trouble::End)).collect()
    }

    fn refusal(bytes: &[u8], options: &Options) -> String {
        Stream::read(io::Cursor::new(bytes.to_vec()), "test", options, false).err().unwrap()
    }

    const SIZE: Size = Size { width: 4, height: 2 };

    #[test]
    fn y4m_gives_its_luma_or_its_colours() {
        let mut bytes = Vec::new();
        let mut encoder = y4m::encode(4, 2, y4m::Ratio::new(30, 1)).write_header(&mut bytes).unwrap();
        for value in [50, 100] {
            let luma: Vec<u8> = (0..8).map(|i| value + i).collect();
            encoder.write_frame(&y4m::Frame::new([&luma, &[128; 2], &[128; 2]], None)).unwrap();
        }
        let grey = frames(bytes.clone(), &options(None, None, false));
        assert_eq!(grey.len(), 2);
        assert_eq!(grey[1].as_ref().unwrap().samples(), &Samples::U8((100..108).collect()));
        let colour = frames(bytes, &options(None, None, true));
        assert_eq!(colour[0].as_ref().unwrap().channels(), Channels::Rgb);
    }

    #[test]
    fn raw_frames_are_cut_by_their_size_and_the_rest_is_reported() {
        let raw = options(Some(SIZE), Some(PixelFormat::Yuyv), false);
        let found = frames((0..40).collect(), &raw);
        assert_eq!(found.len(), 3);
        assert_eq!(found[1].as_ref().unwrap().samples(), &Samples::U8((16..32).step_by(2).collect()));
        assert!(matches!(&found[2], Err(Trouble::Spoilt(reason)) if reason.contains("8 bytes")));
    }

    #[test]
    fn jpegs_follow_each_other() {
        let mut bytes = Vec::new();
        for value in [9, 90] {
            image::codecs::jpeg::JpegEncoder::new(&mut bytes)
                .encode(&[value; 64], 8, 8, image::ExtendedColorType::L8)
                .unwrap();
        }
        let found = frames(bytes, &options(None, None, false));
        assert_eq!(found.iter().map(|f| f.as_ref().unwrap().sample(0) / 10).collect::<Vec<_>>(), [0, 9]);
    }

    #[test]
    fn what_cannot_be_told_is_asked_for() {
        assert!(refusal(b"", &options(None, None, false)).contains("empty"));
        assert!(refusal(b"abc", &options(None, None, false)).contains("--size"));
        assert!(refusal(b"abc", &options(Some(SIZE), Some(PixelFormat::Mjpeg), false)).contains("JPEG"));
    }
}
