//! `--source`: which camera, and how it is to be set up.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::{Camera, Feed, Patience};
use crate::error::{Error, Result};

/// Where frames come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The simulator: a stage that moves under a microscope.
    Simulator,
    /// Standard input: Y4M, a stream of JPEGs, or raw frames.
    Stdin,
    /// A stream of JPEGs over HTTP (`multipart/x-mixed-replace`).
    Http(String),
    /// A V4L2 device.
    Device(PathBuf),
    /// A folder that images are added to.
    Folder(PathBuf),
    /// An image or a stack of them.
    File(PathBuf),
}

impl FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let path = Path::new(text);
        Ok(match text {
            "" => return Err("expected a device, a folder, a file, a URL, - or simulator".into()),
            "-" => Address::Stdin,
            "simulator" => Address::Simulator,
            _ if text.starts_with("http://") => Address::Http(text.into()),
            _ if text.contains("://") => return Err("of URLs, only http:// is read".into()),
            _ if path.starts_with("/dev") => Address::Device(path.into()),
            _ if path.is_dir() => Address::Folder(path.into()),
            _ => Address::File(path.into()),
        })
    }
}

/// Width and height of a frame, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Pixels per row.
    pub width: usize,
    /// Rows.
    pub height: usize,
}

impl FromStr for Size {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let sides = text.split_once('x').and_then(|(width, height)| Some((width.parse().ok()?, height.parse().ok()?)));
        match sides {
            Some((width @ 1..=65_535, height @ 1..=65_535)) => Ok(Size { width, height }),
            _ => Err("expected WIDTHxHEIGHT in pixels, such as 640x480".into()),
        }
    }
}

impl std::fmt::Display for Size {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

/// How the bytes of a frame are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum PixelFormat {
    /// 8-bit grey
    Grey,
    /// 16-bit grey, little-endian
    Y16,
    /// Packed 4:2:2 (YUY2)
    Yuyv,
    /// Planar 4:2:0 (I420): what `rpicam-vid --codec yuv420` writes
    Yuv420,
    /// A JPEG per frame
    Mjpeg,
}

/// Which camera, and its settings; what is not given is the camera's own choice.
#[derive(Debug, Clone, clap::Args)]
pub struct Options {
    /// Camera (/dev/video0), stream (http://HOST/stream.mjpg), folder to watch, image or stack, - for standard input (Y4M, JPEGs, or
    /// raw frames with --size and --pixel-format), or simulator
    #[arg(long, value_name = "SOURCE", default_value = "simulator")]
    pub source: Address,
    /// Size of a frame
    #[arg(long, value_name = "WIDTHxHEIGHT")]
    pub size: Option<Size>,
    /// Frames per second that are asked of the camera
    #[arg(long, value_name = "N", value_parser = rate)]
    pub fps: Option<f64>,
    /// Layout of the camera's frames
    #[arg(long, value_enum)]
    pub pixel_format: Option<PixelFormat>,
    /// Keep colours: for models of three channels and the white balance. Otherwise only brightness is read
    #[arg(long)]
    pub colour: bool,
    /// Let the source wait until each frame is done, instead of dropping those that come too fast
    #[arg(long)]
    pub every_frame: bool,
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.001..=1000.0).contains(&rate) => Ok(rate),
        _ => Err("expected 0.001 to 1000 frames per second".into()),
    }
}

impl Options {
    /// Opens the camera once.
    ///
    /// # Errors
    /// What is wrong with it, in one sentence.
    pub fn open(&self) -> Result<Box<dyn Camera>, String> {
        match &self.source {
            Address::Simulator => Ok(Box::new(super::simulator::Simulator::new(self)?)),
            Address::Stdin => super::stdin::open(self),
            Address::Http(url) => Ok(Box::new(super::http::Http::open(url, self)?)),
            #[cfg(target_os = "linux")]
            Address::Device(path) => Ok(Box::new(super::v4l2::V4l2::open(path, self)?)),
            #[cfg(not(target_os = "linux"))]
            Address::Device(path) => Err(format!("{}: V4L2 cameras are read on Linux", path.display())),
            Address::Folder(path) => Ok(Box::new(super::folder::Folder::watch(path)?)),
            Address::File(path) => Ok(Box::new(super::file::File::open(path, self.fps)?)),
        }
    }

    /// A feed of the camera, opened again whenever it fails.
    ///
    /// # Errors
    /// [`Error::Usage`] where the system starts no more threads.
    pub fn feed(self) -> Result<Feed> {
        let patience = Patience { drop: !self.every_frame, ..Patience::default() };
        Feed::start(Box::new(move || self.open()), patience)
            .map_err(|e| Error::usage(format!("cannot start a thread for the camera: {e}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let name = folder.path().to_str().unwrap();
        assert_eq!(name.parse(), Ok(Address::Folder(name.into())));
        assert_eq!("-".parse(), Ok(Address::Stdin));
        assert_eq!("/dev/video2".parse(), Ok(Address::Device("/dev/video2".into())));
        assert_eq!("a.tif".parse(), Ok(Address::File("a.tif".into())));
        assert_eq!("http://scope:5000/stream".parse(), Ok(Address::Http("http://scope:5000/stream".into())));
        assert!("rtsp://scope".parse::<Address>().is_err());
    }

    #[test]
    fn sizes_are_two_sides() {
        assert_eq!("640x480".parse(), Ok(Size { width: 640, height: 480 }));
        for bad in ["640", "x", "0x480", "640x70000", "-1x5"] {
            assert!(bad.parse::<Size>().is_err(), "{bad}");
        }
    }
}
