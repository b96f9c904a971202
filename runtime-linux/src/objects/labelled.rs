//! Objects of pixels that are labelled already, also where labels touch.
//!
//! core finds objects as components of a class mask, so labels go through it as masks, in as many passes as it takes for labels that touch to
//! be in different ones. Invariant: a piece is measured by core, like every object, and its figures are those of its pixels.

use std::collections::BTreeSet;

use microtome_core::measure::{Object, Task};

use super::shape::neighbours;
use super::{Found, find};
use crate::engine::Mask;
use crate::source::Image;

/// The class of objects that are labelled and of no class of their own.
const CLASS: u8 = 1;

/// A connected part of a label, measured.
#[derive(Clone)]
pub struct Piece {
    /// Its figures.
    pub object: Object,
    /// Its pixels, in scan-line order.
    pub pixels: Vec<usize>,
}

/// Every 8-connected part of every label from 1 to `count` in `labels`, `height × width` of `image`; `class_of` a pixel is the class of the
/// object that it is part of, above 0.
///
/// # Errors
/// One sentence when there are more pieces than core can measure.
pub fn pieces(
    labels: &[u32],
    count: usize,
    class_of: impl Fn(usize) -> u8,
    image: &Image,
) -> Result<Vec<Piece>, String> {
    let pass_of = passes(labels, image.width(), count);
    let mut found = Vec::new();
    for pass in 0..pass_of.iter().map(|pass| pass + 1).max().unwrap_or(0) {
        let class = |(pixel, label): (usize, &u32)| match label.checked_sub(1) {
            Some(label) if pass_of[label as usize] == pass => class_of(pixel),
            _ => 0,
        };
        let classes = labels.iter().enumerate().map(class).collect();
        let mask = Mask { height: image.height(), width: image.width(), classes };
        let measured = find(Task::Components { min_area: 0 }, &mask, image)?;
        let mut pixels = vec![Vec::new(); measured.objects.len()];
        for (pixel, &label) in measured.labels.iter().enumerate().filter(|(_, label)| **label != 0) {
            pixels[usize::from(label) - 1].push(pixel);
        }
        found.extend(measured.objects.into_iter().zip(pixels).map(|(object, pixels)| Piece { object, pixels }));
    }
    Ok(found)
}

/// The objects of labels from 1 to `count`, all of class 1, in the order of their first pixels. Of a label in several parts, the largest is
/// the object: an object is connected.
///
/// # Errors
/// One sentence when there are more than core, or a 16-bit label image, can hold.
pub fn labelled(labels: &[u32], count: usize, image: &Image) -> Result<Found, String> {
    let mut largest: Vec<Option<Piece>> = vec![None; count];
    for piece in pieces(labels, count, |_| CLASS, image)? {
        let best = &mut largest[labels[piece.pixels[0]] as usize - 1];
        if best.as_ref().is_none_or(|best| piece.object.area() > best.object.area()) {
            *best = Some(piece);
        }
    }
    let mut objects: Vec<Piece> = largest.into_iter().flatten().collect();
    if objects.len() > usize::from(u16::MAX) {
        return Err(format!("{} objects; a 16-bit label image holds {}", objects.len(), u16::MAX));
    }
    objects.sort_by_key(|piece| piece.pixels[0]);
    let mut labels = vec![0; labels.len()];
    for (piece, label) in objects.iter().zip(1..=u16::MAX) {
        piece.pixels.iter().for_each(|&pixel| labels[pixel] = label);
    }
    Ok(Found { labels, objects: objects.into_iter().map(|piece| piece.object).collect() })
}

/// A pass for every label, such that labels that touch, corners included, are in different ones: greedily, in their order.
fn passes(labels: &[u32], width: usize, count: usize) -> Vec<usize> {
    let mut touching = BTreeSet::new();
    for (pixel, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        for neighbour in neighbours(pixel, width, labels.len()) {
            if labels[neighbour] != 0 && labels[neighbour] < label {
                touching.insert((label, labels[neighbour]));
            }
        }
    }
    let mut passes: Vec<usize> = Vec::with_capacity(count);
    for label in (1..).take(count) {
        let taken: BTreeSet<usize> =
            touching.range((label, 0)..=(label, label)).map(|&(_, other)| passes[other as usize - 1]).collect();
        passes.push((0..).find(|pass| !taken.contains(pass)).unwrap_or(taken.len()));
    }
    passes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Channels, Samples};

    fn found(rows: &[&str]) -> Found {
        let labels: Vec<u32> = rows.concat().bytes().map(|b| u32::from(b - b'0')).collect();
        let samples = Samples::U8((0..labels.len()).map(|v| v as u8).collect());
        let image = Image::new(rows.len(), rows[0].len(), Channels::Grey, samples).unwrap();
        labelled(&labels, labels.iter().max().map_or(0, |&most| most as usize), &image).unwrap()
    }

    #[test]
    fn labels_that_touch_stay_apart() {
        let found = found(&["0220", "3211", "3311", "0400"]);
        assert_eq!(found.labels, [0, 1, 1, 0, 2, 1, 3, 3, 2, 2, 3, 3, 0, 4, 0, 0]);
        assert_eq!(found.objects.iter().map(Object::area).collect::<Vec<_>>(), [3, 3, 4, 1]);
        assert!(found.objects.iter().all(|object| object.class() == 1));
        let intensity = found.objects[0].intensity().unwrap();
        assert_eq!((intensity.min, intensity.max, intensity.mean), (1, 5, 8.0 / 3.0));
    }

    #[test]
    fn the_largest_part_is_the_object() {
        let found = found(&["100111", "000000", "202211"]);
        assert_eq!(found.labels, [0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0]);
    }

    #[test]
    fn nothing_is_no_object() {
        assert!(found(&["000", "000"]).objects.is_empty());
        let skipped = found(&["003", "000"]);
        assert_eq!((skipped.objects.len(), skipped.labels[2]), (1, 1));
    }
}
