//! OME-TIFF: the frame and its labels as two images of one file, described in OME-XML 2016-06.

use std::fmt::Write as _;
use std::io::{Seek, Write};

use tiff::TiffResult;
use tiff::encoder::colortype::{ColorType, Gray8, Gray16, RGB8, RGB16};
use tiff::encoder::{Compression, DeflateLevel, Rational, TiffEncoder, TiffKindStandard, TiffValue};
use tiff::tags::{ResolutionUnit, Tag};

use super::Item;
use crate::source::{Channels, Samples};

pub(super) fn encode(to: impl Write + Seek, item: &Item<'_>) -> TiffResult<()> {
    let description = description(item);
    let mut tiff = TiffEncoder::new(to)?.with_compression(Compression::Deflate(DeflateLevel::Fast));
    match (item.image.samples(), item.image.channels()) {
        (Samples::U8(v), Channels::Grey) => page::<_, Gray8>(&mut tiff, item, v, Some(&description))?,
        (Samples::U8(v), Channels::Rgb) => page::<_, RGB8>(&mut tiff, item, v, Some(&description))?,
        (Samples::U16(v), Channels::Grey) => page::<_, Gray16>(&mut tiff, item, v, Some(&description))?,
        (Samples::U16(v), Channels::Rgb) => page::<_, RGB16>(&mut tiff, item, v, Some(&description))?,
    }
    page::<_, Gray16>(&mut tiff, item, &item.found.labels, None)
}

fn page<W: Write + Seek, C: ColorType>(
    tiff: &mut TiffEncoder<W, TiffKindStandard>,
    item: &Item<'_>,
    samples: &[C::Inner],
    description: Option<&str>,
) -> TiffResult<()>
where
    [C::Inner]: TiffValue,
{
    let mut image = tiff.new_image::<C>(item.image.width() as u32, item.image.height() as u32)?;
    if let Some(description) = description {
        image.encoder().write_tag(Tag::ImageDescription, description)?;
    }
    if let Some(size) = item.pixel_size_um {
        // Pixels per centimetre, for readers that know nothing of OME.
        let per_cm = Rational { n: (1e7 / size).round().clamp(1.0, u32::MAX.into()) as u32, d: 1000 };
        image.resolution(ResolutionUnit::Centimeter, per_cm);
    }
    image.write_data(samples)
}

fn description(item: &Item<'_>) -> String {
    let (depth, channels) = match (item.image.samples(), item.image.channels()) {
        (Samples::U8(_), channels) => ("uint8", channels.count()),
        (Samples::U16(_), channels) => ("uint16", channels.count()),
    };
    let mut xml = format!(
        r#"<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://www.openmicroscopy.org/Schemas/OME/2016-06 http://www.openmicroscopy.org/Schemas/OME/2016-06/ome.xsd" Creator="microtome {}">"#,
        env!("CARGO_PKG_VERSION")
    );
    for (number, name, depth, channels) in [(0, item.name, depth, channels), (1, "labels", "uint16", 1)] {
        image(&mut xml, item, number, name, depth, channels);
    }
    xml + "</OME>"
}

fn image(xml: &mut String, item: &Item<'_>, number: usize, name: &str, depth: &str, channels: usize) {
    let (width, height, name) = (item.image.width(), item.image.height(), escaped(name));
    let date = item.time.map_or_else(String::new, |time| {
        format!("<AcquisitionDate>{}</AcquisitionDate>", humantime::format_rfc3339_millis(time))
    });
    let size = item.pixel_size_um.map_or_else(String::new, |size| {
        format!(
            r#" PhysicalSizeX="{size}" PhysicalSizeXUnit="&#181;m" PhysicalSizeY="{size}" PhysicalSizeYUnit="&#181;m""#
        )
    });
    // Writing to a string cannot fail.
    let _ = write!(
        xml,
        r#"<Image ID="Image:{number}" Name="{name}">{date}<Pixels ID="Pixels:{number}" DimensionOrder="XYCZT" Type="{depth}" SizeX="{width}" SizeY="{height}" SizeC="{channels}" SizeZ="1" SizeT="1"{size}><Channel ID="Channel:{number}:0" SamplesPerPixel="{channels}"/><TiffData IFD="{number}" PlaneCount="1"/></Pixels></Image>"#
    );
}

/// Text for an attribute. TIFF's text is ASCII, so everything else is a numeric reference; what XML 1.0 cannot say becomes a space.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut to, c| {
        match c {
            '\0'..' ' => to.push(' '),
            '<' | '>' | '&' | '"' | '\'' | '\u{7f}'.. => {
                let _ = write!(to, "&#{};", c as u32);
            }
            _ => to.push(c),
        }
        to
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sample;
    use super::*;
    use crate::source::open;

    #[test]
    fn frame_and_labels_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.ome.tif");
        let sample = Sample::new();
        let mut item = sample.item("µ <1>");
        item.pixel_size_um = Some(0.65);
        super::super::write_whole(&path, |w| encode(w, &item)).unwrap();
        let pages: Vec<_> = open(&path).unwrap().map(Result::unwrap).collect();
        assert_eq!(pages[0], sample.image);
        assert_eq!(pages[1].samples(), &Samples::U16(sample.found.labels.clone()));
        let mut tiff = tiff::decoder::Decoder::new(std::fs::File::open(&path).unwrap()).unwrap();
        let xml = tiff.get_tag_ascii_string(Tag::ImageDescription).unwrap();
        assert!(xml.contains(r#"Name="&#181; &#60;1&#62;""#) && xml.contains(r#"PhysicalSizeX="0.65""#), "{xml}");
    }
}
