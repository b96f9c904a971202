//! Vignettes: an object cut out of its frame with a margin, background kept, and below it a scale bar where the pixel size is known.
//!
//! The bar stands on a white foot of 31 rows, as ZooProcess has it, so that programs which cut that foot off find the picture above. Frames of
//! 16 bits are stretched, the same for all objects of a frame; frames of 8 bits keep their values.

use std::ops::Range;

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use microtome_core::measure::Object;

use super::super::Item;
use super::super::overlay::Stretch;
use super::glyphs;
use crate::source::Samples;

/// The margin around an object: a tenth of its longer side, at least so many pixels.
const MARGIN: usize = 8;
/// Rows of the foot.
const FOOT: usize = 31;
/// A vignette with a foot is at least so wide that any length can be written there.
const NARROWEST: usize = 48;
/// Letters are twice as large from this width on.
const WIDE: usize = 96;
/// Rows of the foot where the bar begins, how many it has, and where the text begins.
const BAR_TOP: usize = 5;
const BAR_ROWS: usize = 3;
const TEXT_TOP: usize = 12;

/// The vignettes of a frame.
pub(super) struct Vignettes<'v> {
    item: &'v Item<'v>,
    stretch: Option<Stretch>,
}

impl<'v> Vignettes<'v> {
    pub fn of(item: &'v Item<'v>) -> Self {
        let stretch = match item.image.samples() {
            Samples::U8(_) => None,
            Samples::U16(_) => Some(Stretch::of(item.image)),
        };
        Vignettes { item, stretch }
    }

    /// The vignette of an object as a PNG.
    pub fn encode(&self, object: &Object) -> image::ImageResult<Vec<u8>> {
        let picture = self.draw(object);
        let mut png = Vec::new();
        let colour = [ExtendedColorType::L8, ExtendedColorType::Rgb8][usize::from(picture.channels == 3)];
        PngEncoder::new(&mut png).write_image(
            &picture.samples,
            picture.width as u32,
            picture.height() as u32,
            colour,
        )?;
        Ok(png)
    }

    fn draw(&self, object: &Object) -> Picture {
        let image = self.item.image;
        let bounds = object.bounding_box();
        let [left, top, right, bottom] = [bounds.left, bounds.top, bounds.right, bounds.bottom].map(usize::from);
        let margin = MARGIN.max((right - left).max(bottom - top) / 10);
        let foot = self.item.pixel_size_um;
        let least = if foot.is_some() { NARROWEST } else { 0 };
        let columns = window(left..right, margin, least, image.width());
        let rows = top.saturating_sub(margin)..(bottom + margin).min(image.height());
        let mut picture =
            Picture::white(rows.len() + foot.map_or(0, |_| FOOT), columns.len().max(least), image.channels().count());
        for (to, y) in rows.clone().enumerate() {
            let samples = picture.channels * columns.len();
            let from = picture.channels * (y * image.width() + columns.start);
            let row = picture.row(to);
            for (sample, from) in row[..samples].iter_mut().zip(from..) {
                let value = image.sample(from);
                *sample = self.stretch.as_ref().map_or(value as u8, |stretch| stretch.apply(value));
            }
        }
        if let Some(size) = foot {
            picture.scale_bar(rows.len(), size);
        }
        picture
    }
}

/// `object` with a margin on both sides, and more of what is beside it where that is less than `least`, as far as the frame goes.
fn window(object: Range<usize>, margin: usize, least: usize, end: usize) -> Range<usize> {
    let margin = margin.max(least.saturating_sub(object.len()).div_ceil(2));
    let last = (object.end + margin).min(end);
    let first = object.start.saturating_sub(margin).min(last.saturating_sub(least));
    first..last.max(first + least).min(end)
}

struct Picture {
    width: usize,
    channels: usize,
    samples: Vec<u8>,
}

impl Picture {
    fn white(height: usize, width: usize, channels: usize) -> Self {
        Picture { width, channels, samples: vec![u8::MAX; height * width * channels] }
    }

    fn height(&self) -> usize {
        self.samples.len() / (self.width * self.channels)
    }

    fn row(&mut self, y: usize) -> &mut [u8] {
        let samples = self.width * self.channels;
        &mut self.samples[y * samples..][..samples]
    }

    fn black(&mut self, y: usize, columns: Range<usize>) {
        let channels = self.channels;
        self.row(y)[columns.start * channels..columns.end * channels].fill(0);
    }

    /// A bar of a round length, and the length, on the foot that begins in row `top`.
    fn scale_bar(&mut self, top: usize, pixel_size_um: f64) {
        let (um, pixels) = round_length((self.width * 2 / 3) as f64 * pixel_size_um, pixel_size_um);
        let start = (self.width - pixels) / 2;
        for y in 0..BAR_ROWS {
            self.black(top + BAR_TOP + y, start..start + pixels);
        }
        let scale = if self.width < WIDE { 1 } else { 2 };
        let text = text(um);
        let step = scale * (glyphs::SIZE[0] + 1);
        let mut x = self.width.saturating_sub(step * text.chars().count() - scale) / 2;
        for letter in text.chars() {
            for (y, bits) in glyphs::rows(letter).into_iter().enumerate() {
                for column in (0..glyphs::SIZE[0]).filter(|column| bits & (0x10 >> column) != 0) {
                    let columns = x + scale * column..(x + scale * (column + 1)).min(self.width);
                    (0..scale).for_each(|row| self.black(top + TEXT_TOP + scale * y + row, columns.clone()));
                }
            }
            x += step;
        }
    }
}

/// The longest of 1, 2 or 5 times a power of ten within `most_um`, in µm and in whole pixels (at least one).
fn round_length(most_um: f64, pixel_size_um: f64) -> (f64, usize) {
    let power = libm::pow(10.0, most_um.log10().floor());
    let um = [5.0, 2.0].into_iter().map(|step| step * power).find(|&um| um <= most_um).unwrap_or(power);
    (um, ((um / pixel_size_um).round() as usize).max(1))
}

/// A length in the unit that makes it short.
fn text(um: f64) -> String {
    // From a power of ten that was computed, so not exact.
    let short = |value: f64| format!("{}", (value * 1000.0).round() / 1000.0);
    match um {
        um if um >= 1000.0 => format!("{} mm", short(um / 1000.0)),
        um if um >= 1.0 => format!("{} µm", short(um)),
        um => format!("{} nm", short(um * 1000.0)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::tests::Sample;
    use super::*;

    #[test]
    fn lengths_are_round() {
        for (most, pixel, expected, pixels) in [
            (99.0, 0.5, "50 µm", 100),
            (32.0, 0.65, "20 µm", 31),
            (1300.0, 10.0, "1 mm", 100),
            (0.7, 0.01, "500 nm", 50),
        ] {
            let (um, found) = round_length(most, pixel);
            assert_eq!((text(um).as_str(), found), (expected, pixels));
        }
    }

    #[test]
    fn windows_stay_in_the_frame() {
        assert_eq!(window(40..60, 8, 0, 100), 32..68);
        assert_eq!(window(40..60, 8, 48, 100), 26..74);
        assert_eq!(window(0..10, 8, 48, 100), 0..48);
        assert_eq!(window(95..100, 8, 48, 100), 52..100);
        assert_eq!(window(3..5, 8, 48, 20), 0..20);
    }

    #[test]
    fn background_is_kept_and_the_foot_is_below() {
        let sample = Sample::new();
        let mut item = sample.item("f");
        let object = &sample.found.objects[2];
        // The margin takes in all of so small a frame.
        let bare = Vignettes::of(&item).draw(object);
        assert_eq!((bare.width, bare.height()), (6, 4));
        assert_eq!(&Samples::U8(bare.samples), sample.image.samples());
        item.pixel_size_um = Some(1.0);
        let mut footed = Vignettes::of(&item).draw(object);
        assert_eq!((footed.width, footed.height()), (NARROWEST, 4 + FOOT));
        assert_eq!(footed.row(1)[..7], [60, 70, 80, 90, 100, 110, 255]);
        // 20 µm are 20 pixels.
        assert_eq!(footed.row(4 + BAR_TOP).iter().filter(|&&v| v == 0).count(), 20);
        assert!(footed.row(4 + TEXT_TOP + 6).contains(&0));
    }
}
