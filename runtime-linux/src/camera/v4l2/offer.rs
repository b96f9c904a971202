//! What a camera offers, and the cheapest of it that will do.

use moq_v4l::frameinterval::FrameIntervalEnum;
use moq_v4l::framesize::FrameSizeEnum;
use moq_v4l::video::Capture;
use moq_v4l::{Device, FourCC, Fraction};
use serde::{Serialize, Serializer};

use crate::camera::{Options, PixelFormat, Size};

/// A format of a camera's frames.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Offer {
    /// Its four letters, as the kernel has them.
    pub fourcc: String,
    /// Whether it can be read here.
    pub readable: bool,
    /// The sizes that it comes in.
    pub sizes: Sizes,
}

/// Sizes of frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sizes {
    /// The camera does not say.
    Unknown,
    /// These.
    Listed(Vec<Size>),
    /// From one to another, in steps.
    Range(Size, Size),
}

impl Sizes {
    fn have(&self, size: Size) -> bool {
        let within = |from: usize, side: usize, to: usize| (from..=to).contains(&side);
        match self {
            Sizes::Unknown => true,
            Sizes::Listed(sizes) => sizes.contains(&size),
            Sizes::Range(from, to) => {
                within(from.width, size.width, to.width) && within(from.height, size.height, to.height)
            }
        }
    }
}

impl std::fmt::Display for Sizes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Sizes::Unknown => f.write_str("any size"),
            Sizes::Listed(sizes) => f.write_str(&sizes.iter().map(Size::to_string).collect::<Vec<_>>().join(" ")),
            Sizes::Range(from, to) => write!(f, "{from} to {to}"),
        }
    }
}

impl Serialize for Sizes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The formats that can be read, the cheapest first: brightness as it is, then among colours, then behind a decoder.
const FORMATS: [PixelFormat; 5] =
    [PixelFormat::Grey, PixelFormat::Y16, PixelFormat::Yuv420, PixelFormat::Yuyv, PixelFormat::Mjpeg];

/// Whether a format has colours.
fn has_colour(format: PixelFormat) -> bool {
    !matches!(format, PixelFormat::Grey | PixelFormat::Y16)
}

/// The kernel's name of a format.
pub fn fourcc(format: PixelFormat) -> FourCC {
    FourCC::new(match format {
        PixelFormat::Grey => b"GREY",
        PixelFormat::Y16 => b"Y16 ",
        PixelFormat::Yuv420 => b"YU12",
        PixelFormat::Yuyv => b"YUYV",
        PixelFormat::Mjpeg => b"MJPG",
    })
}

/// What a device offers; nothing, where it captures no frames.
pub fn of(device: &Device) -> Vec<Offer> {
    // Fails for no device: it stops where the driver does.
    let formats = Capture::enum_formats(device).unwrap_or_default();
    let offer = |code: FourCC| Offer {
        fourcc: letters(code),
        readable: FORMATS.iter().any(|&format| fourcc(format) == code),
        sizes: sizes(device, code),
    };
    formats.into_iter().map(|format| offer(format.fourcc)).collect()
}

/// A format's name, where the last letter's top bit stands for samples of the other byte order.
pub fn letters(code: FourCC) -> String {
    let [.., last] = code.repr;
    let letters = code.repr.map(|letter| char::from(letter & 0x7F));
    let name: String = letters.into_iter().collect();
    format!("{}{}", name.trim_end(), if last < 0x80 { "" } else { "-BE" })
}

fn sizes(device: &Device, code: FourCC) -> Sizes {
    let size = |width: u32, height: u32| Size { width: width as usize, height: height as usize };
    let mut listed = Vec::new();
    for found in Capture::enum_framesizes(device, code).unwrap_or_default() {
        match found.size {
            FrameSizeEnum::Discrete(one) => listed.push(size(one.width, one.height)),
            FrameSizeEnum::Stepwise(all) => {
                return Sizes::Range(size(all.min_width, all.min_height), size(all.max_width, all.max_height));
            }
        }
    }
    if listed.is_empty() { Sizes::Unknown } else { Sizes::Listed(listed) }
}

/// Whether a device says that it sends a format at a rate; one that says nothing may.
pub fn reaches(device: &Device, format: PixelFormat, size: Size, fps: f64) -> bool {
    let intervals = Capture::enum_frameintervals(device, fourcc(format), size.width as u32, size.height as u32);
    let seconds = |interval: &Fraction| f64::from(interval.numerator) / f64::from(interval.denominator);
    intervals.map_or(true, |intervals| {
        intervals.iter().any(|found| {
            let shortest = match &found.interval {
                FrameIntervalEnum::Discrete(interval) => interval,
                FrameIntervalEnum::Stepwise(all) => &all.min,
            };
            // Rates such as 29.97 are called 30.
            seconds(shortest) * fps <= 1.01
        })
    })
}

/// The cheapest format that has what was asked for; one that is not fast enough only where none is.
///
/// # Errors
/// One sentence that says what is offered instead.
pub fn choose(
    offers: &[Offer],
    options: &Options,
    fast_enough: impl Fn(PixelFormat) -> bool,
) -> Result<PixelFormat, String> {
    let offered = |format: PixelFormat| {
        let name = letters(fourcc(format));
        offers.iter().find(move |offer| offer.fourcc == name)
    };
    let wanted = |format: &PixelFormat| options.pixel_format.is_none_or(|wanted| wanted == *format);
    let mut formats: Vec<PixelFormat> =
        FORMATS.into_iter().filter(|format| wanted(format) && offered(*format).is_some()).collect();
    if formats.is_empty() {
        return Err(no_format(offers, options.pixel_format));
    }
    if options.colour {
        formats.sort_by_key(|&format| !has_colour(format));
    }
    let all = formats.clone();
    if let Some(size) = options.size {
        formats.retain(|&format| offered(format).is_some_and(|offer| offer.sizes.have(size)));
    }
    let fast = formats.iter().copied().find(|&format| fast_enough(format));
    fast.or(formats.first().copied()).ok_or_else(|| {
        let name = |format: &PixelFormat| Some(format!("{} in {}", letters(fourcc(*format)), offered(*format)?.sizes));
        let sizes: Vec<String> = all.iter().filter_map(name).collect();
        format!("the camera does not offer that size; it has {}", sizes.join("; "))
    })
}

/// Formats that an error names; test cameras have eighty.
const NAMED: usize = 12;

/// Why no format will do.
fn no_format(offers: &[Offer], wanted: Option<PixelFormat>) -> String {
    let names: Vec<&str> = offers.iter().map(|offer| offer.fourcc.as_str()).take(NAMED).collect();
    let more = if offers.len() > NAMED { format!(" and {} more", offers.len() - NAMED) } else { String::new() };
    let offered = names.join(", ") + &more;
    match wanted {
        _ if offers.is_empty() => "it is no camera: it captures no frames".into(),
        Some(format) => format!("the camera offers no {} frames; it has {offered}", letters(fourcc(format))),
        None => format!(
            "the camera offers {offered}, of which none can be read; those are {} (a Raspberry Pi's own camera is read by rpicam-vid, \
             through --source -)",
            FORMATS.map(|format| letters(fourcc(format))).join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::camera::Address;

    const VGA: Size = Size { width: 640, height: 480 };
    const HD: Size = Size { width: 1920, height: 1080 };

    fn offers(all: &[(&str, Sizes)]) -> Vec<Offer> {
        all.iter().map(|(name, sizes)| Offer { fourcc: (*name).into(), readable: true, sizes: sizes.clone() }).collect()
    }

    fn options(size: Option<Size>, pixel_format: Option<PixelFormat>, colour: bool) -> Options {
        Options { source: Address::Stdin, size, fps: None, pixel_format, colour, every_frame: false }
    }

    /// What USB cameras have: small frames as they are, large ones compressed.
    fn webcam() -> Vec<Offer> {
        offers(&[("MJPG", Sizes::Listed(vec![VGA, HD])), ("YUYV", Sizes::Listed(vec![VGA]))])
    }

    #[test]
    fn the_cheapest_format_that_has_the_size_is_taken() {
        let chosen = |offers: &[Offer], size, colour| choose(offers, &options(size, None, colour), |_| true);
        assert_eq!(chosen(&webcam(), Some(VGA), false), Ok(PixelFormat::Yuyv));
        assert_eq!(chosen(&webcam(), None, true), Ok(PixelFormat::Yuyv));
        assert_eq!(chosen(&webcam(), Some(HD), false), Ok(PixelFormat::Mjpeg));
        let industrial = offers(&[("YUYV", Sizes::Unknown), ("Y16", Sizes::Unknown), ("GREY", Sizes::Range(VGA, HD))]);
        assert_eq!(chosen(&industrial, Some(VGA), false), Ok(PixelFormat::Grey));
        assert_eq!(chosen(&industrial, Some(VGA), true), Ok(PixelFormat::Yuyv));
        assert_eq!(chosen(&industrial[1..], Some(VGA), true), Ok(PixelFormat::Grey));
    }

    #[test]
    fn formats_are_named() {
        assert_eq!((letters(FourCC::new(b"GREY")), letters(FourCC::new(b"Y16 "))), ("GREY".into(), "Y16".into()));
        assert_eq!(letters(FourCC::new(&[b'Y', b'1', b'6', b' ' | 0x80])), "Y16-BE");
    }

    #[test]
    fn a_rate_is_worth_a_decoder() {
        let fast = |format| format == PixelFormat::Mjpeg;
        assert_eq!(choose(&webcam(), &options(Some(VGA), None, false), fast), Ok(PixelFormat::Mjpeg));
        assert_eq!(choose(&webcam(), &options(Some(VGA), None, false), |_| false), Ok(PixelFormat::Yuyv));
    }

    #[test]
    fn what_is_not_offered_is_answered_with_what_is() {
        let odd = Some(Size { width: 123, height: 45 });
        let error = choose(&webcam(), &options(odd, None, false), |_| true).unwrap_err();
        assert!(error.ends_with("YUYV in 640x480; MJPG in 640x480 1920x1080"), "{error}");
        let error = choose(&webcam(), &options(None, Some(PixelFormat::Grey), false), |_| true).unwrap_err();
        assert_eq!(error, "the camera offers no GREY frames; it has MJPG, YUYV");
        let bayer = offers(&[("pBAA", Sizes::Unknown)]);
        assert!(choose(&bayer, &options(None, None, false), |_| true).unwrap_err().contains("rpicam-vid"));
        assert!(choose(&[], &options(None, None, false), |_| true).unwrap_err().contains("no camera"));
    }
}
