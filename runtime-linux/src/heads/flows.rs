//! Flows, as Cellpose has them (Stringer, Wang, Michaelos, Pachitariu: Cellpose: a generalist algorithm for cellular segmentation, Nature
//! Methods 18, 2021), to labels.
//!
//! For each pixel the network says which way the middle of its cell lies, down and to the right, in fifths of a pixel, and a logit of the
//! probability that there is a cell. Pixels above the threshold follow the flow for some steps (`follow`); where many end, a cell gathers them
//! (`gather`). Cells whose shape asks for other flows than those that made them are judged to be none (`judge`), and holes are filled.
//!
//! Rules and roundings are those of the package's version 4 (`cellpose.dynamics`), but for the order of cells that gathered equally many
//! pixels; `tests/fixtures/heads` holds what it gives. The network must see cells at the size that it learned: frames are not resized here.

mod follow;
mod gather;
mod judge;

use std::ops::Range;

use self::follow::follow;
use self::gather::gather;
use self::judge::consistent;
use super::{Field, Labels, channels};
use crate::objects::shape::filled;

/// Flows down and to the right, and the logit of the probability.
const CHANNELS: usize = 3;

/// What the network's flows are multiples of.
const SCALE: f32 = 5.0;

/// When a pixel, and an object, counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// The probability above which a pixel is a cell's.
    pub threshold: f32,
    /// Steps that a pixel takes.
    pub steps: u32,
    /// A cell whose flows are, in the mean over its pixels, farther (squared) than this from those that its shape asks for is none; 0 lets all
    /// be.
    pub flow_error: f32,
}

/// The vectors of a frame: down and to the right, in px per step.
struct Vectors {
    rows: usize,
    width: usize,
    down: Vec<f32>,
    right: Vec<f32>,
}

/// The cells of a frame of `[rows, width]`.
///
/// # Errors
/// One sentence when no field has the three channels, or it has other sides than the frame.
pub fn labels(fields: &[Field], frame: [usize; 2], rules: &Rules) -> Result<Labels, String> {
    let field = fields.iter().find(|field| field.channels == CHANNELS).ok_or_else(|| {
        format!("the model has {}; flows need one of 3: down, to the right, and the probability", channels(fields))
    })?;
    if [field.rows, field.width] != frame {
        return Err(format!(
            "the flows are {}x{} for a frame of {}x{}; expected the frame's sides",
            field.width, field.rows, frame[1], frame[0]
        ));
    }
    let logit = (rules.threshold / (1.0 - rules.threshold)).ln();
    let inside: Vec<bool> = field.plane(2).iter().map(|&v| v > logit).collect();
    let scaled = |channel: usize| field.plane(channel).iter().map(|v| v / SCALE).collect();
    let vectors = Vectors { rows: frame[0], width: frame[1], down: scaled(0), right: scaled(1) };
    let pixels: Vec<usize> = (0..inside.len()).filter(|&pixel| inside[pixel]).collect();
    let ends = follow(&vectors, &inside, &pixels, rules.steps);
    let (gathered, count) = gather(&ends, frame);
    let mut labels = vec![0; inside.len()];
    pixels.iter().zip(gathered).for_each(|(&pixel, label)| labels[pixel] = label);
    if rules.flow_error > 0.0 {
        let keep = consistent(&labels, count, &vectors, rules.flow_error.into());
        labels.iter_mut().filter(|label| **label != 0 && !keep[**label as usize - 1]).for_each(|label| *label = 0);
    }
    fill(&mut labels, count, frame[1]);
    Ok(Labels { labels, count })
}

/// Fills the holes of each label, from the first on, also where they hold another.
fn fill(labels: &mut [u32], count: usize, width: usize) {
    for (label, bounds) in (1..).zip(boxes(labels, count, width)) {
        let Some([rows, columns]) = bounds else { continue };
        let lines = rows.clone().map(|row| &labels[row * width..][columns.clone()]);
        let inside: Vec<bool> = lines.flatten().map(|&l| l == label).collect();
        for (row, filled) in rows.zip(filled(&inside, columns.len()).chunks_exact(columns.len())) {
            let line = &mut labels[row * width..][columns.clone()];
            line.iter_mut().zip(filled).filter(|(_, filled)| **filled).for_each(|(pixel, _)| *pixel = label);
        }
    }
}

/// Rows and columns of each label from 1 to `count`.
fn boxes(labels: &[u32], count: usize, width: usize) -> Vec<Option<[Range<usize>; 2]>> {
    let mut boxes: Vec<Option<[Range<usize>; 2]>> = vec![None; count];
    for (pixel, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        let place = [pixel / width, pixel % width];
        let [rows, columns] = boxes[label as usize - 1].get_or_insert_with(|| place.map(|at| at..at + 1));
        for (range, at) in [rows, columns].into_iter().zip(place) {
            *range = range.start.min(at)..range.end.max(at + 1);
        }
    }
    boxes
}

#[cfg(test)]
mod tests;
