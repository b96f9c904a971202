//! Splitting objects that touch.
//!
//! Where a model has a border class, core keeps neighbours apart by it. Where it has none, or where neighbours ran together all the same, what is
//! left is the shape: two round things that touch have a neck.
//!
//! Invariant: a piece is [measured by core](crate::objects::labelled), like every object, so its figures are those of the pixels that the
//! label image shows. Objects that are not split keep the figures that they have.
//!
//! On 120 of the nuclei frames, with the border class read as foreground, splitting lowers the error of the count from 19 % to 12 % and
//! raises AP50 from 0.61 to 0.71; where the border class is used, it changes next to nothing. Cells that are not round fall apart by it.

mod basins;
mod distance;

use serde::Deserialize;

use self::basins::lobes;
use crate::instrument::number::{Positive, Share};
use crate::objects::Found;
use crate::objects::labelled::{self, Piece};
use crate::source::Image;

/// When an object is two.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Lobes are two objects if the neck between them is narrower than this share of the smaller one's width. Equal discs are split by 0.75 if
    /// their centres are more than 1.32 radii apart. Round things bear more, ragged ones fall apart by less.
    pub neck: Share,
    /// A lobe whose inner radius is smaller is none, in px.
    pub least_radius_px: Positive,
    /// Objects whose box has more pixels are left as they are: it bounds memory and time.
    pub most_pixels: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Rules { neck: Share(0.75), least_radius_px: Positive(3.0), most_pixels: 1 << 21 }
    }
}

impl Rules {
    /// Pixels below which an object cannot be two discs of the least radius.
    fn least_area(&self) -> f64 {
        2.0 * core::f64::consts::PI * (self.least_radius_px.0 - 1.0).max(0.0).powi(2)
    }
}

/// Splits the objects of `found` that `rules` make several. Pieces take their object's place, in the order of their first pixels.
///
/// # Errors
/// One sentence when there are more objects than a 16-bit label image can hold.
pub fn split(found: Found, image: &Image, rules: &Rules) -> Result<Found, String> {
    let width = image.width();
    let mut pieces = vec![0_u32; found.labels.len()];
    let mut count = 0;
    for (object, label) in found.objects.iter().zip(1..=u16::MAX) {
        let bounds = object.bounding_box();
        let rows = usize::from(bounds.top)..usize::from(bounds.bottom);
        let columns = usize::from(bounds.left)..usize::from(bounds.right);
        if rows.len() * columns.len() > rules.most_pixels || f64::from(object.area()) < rules.least_area() {
            continue;
        }
        let lines = rows.clone().map(|row| &found.labels[row * width..][columns.clone()]);
        let inside: Vec<bool> = lines.flatten().map(|&l| l == label).collect();
        let (lobes, several) = lobes(&inside, columns.len(), rules);
        if several < 2 {
            continue;
        }
        for (row, lobes) in rows.zip(lobes.chunks_exact(columns.len())) {
            let line = &mut pieces[row * width..][columns.clone()];
            line.iter_mut().zip(lobes).filter(|(_, lobe)| **lobe != 0).for_each(|(piece, lobe)| *piece = count + lobe);
        }
        count += several;
    }
    if count == 0 {
        return Ok(found);
    }
    let mut parts: Vec<Vec<Piece>> = vec![Vec::new(); found.objects.len()];
    let whole = |pixel: usize| usize::from(found.labels[pixel]) - 1;
    for piece in labelled::pieces(&pieces, count as usize, |pixel| found.objects[whole(pixel)].class(), image)? {
        parts[whole(piece.pixels[0])].push(piece);
    }
    assemble(found, parts)
}

/// Puts pieces in their objects' places.
fn assemble(found: Found, parts: Vec<Vec<Piece>>) -> Result<Found, String> {
    let count: usize = parts.iter().map(|pieces| pieces.len().max(1)).sum();
    if count > usize::from(u16::MAX) {
        return Err(format!("{count} objects after splitting; a 16-bit label image holds {}", u16::MAX));
    }
    let mut objects = Vec::with_capacity(count);
    let mut label_of = vec![0];
    let mut painted = Vec::new();
    for (object, mut pieces) in found.objects.into_iter().zip(parts) {
        if pieces.is_empty() {
            objects.push(object);
        }
        // Right for whole objects; the pixels of pieces are painted over below.
        label_of.push(objects.len() as u16);
        pieces.sort_by_key(|piece| piece.pixels[0]);
        for piece in pieces {
            objects.push(piece.object);
            painted.push((objects.len() as u16, piece.pixels));
        }
    }
    let mut labels = found.labels;
    labels.iter_mut().for_each(|label| *label = label_of[usize::from(*label)]);
    for (label, pixels) in painted {
        pixels.into_iter().for_each(|pixel| labels[pixel] = label);
    }
    Ok(Found { labels, objects })
}

#[cfg(test)]
mod tests;
