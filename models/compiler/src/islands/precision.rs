//! Where int8 costs too much, operators stay in float.
//!
//! What int8 rounds off at the beginning goes through all that follows, and networks that are deep, or that were never
//! trained, make more of it at every step; the last operators' rounding is seen as it is. They also have the largest
//! feature maps, and most of the products. So the network is cut in two: float up to some convolution, islands behind it,
//! as early as the outputs allow. What is then left of what the outputs allow goes to the largest convolutions before the
//! cut, one by one.

use super::{Divider, Division, Float};
use crate::calibrate::Method;
use crate::error::Result;
use crate::model::{Model, Tensor};
use crate::options::{Options, Progress};
use crate::quality::Quality;

/// Samples that a division is measured on. Where there are twice as many, or more, islands are not calibrated on these.
const TRIED: usize = 3;

/// Convolutions by which a cut that misses is moved.
const STEP: usize = 2;

/// Convolutions before the cut that are tried in int8.
const MORE: usize = 4;

/// What is gained, at most, where everything is tried that makes int8 better: in dB, and in decisions.
const GAIN: Quality = Quality { sqnr: 3.0, agreement: 0.005 };

/// A model in islands, and how close it comes to float.
pub struct Divided {
    /// Which operators are where.
    pub division: Division,
    /// The model, its islands compiled; the model as it was where there are none.
    pub model: Model,
    /// On some of the samples.
    pub quality: Quality,
}

/// Divides a model so that its outputs are good `enough`, and compiles its islands. `known` is what was measured without
/// any cut, for the reasons. `progress` is told what is tried.
///
/// # Errors
/// As [`super::divide`] and [`Division::compile`].
pub fn precise(
    model: &Model,
    samples: &[Vec<Tensor>],
    enough: &Quality,
    known: Option<Quality>,
    mut progress: impl FnMut(Progress),
) -> Result<Divided> {
    let mut divider = Divider::new(model)?;
    let samples = &super::fitted(model, samples)?;
    let mut without = known;
    if without.is_none() {
        let divided = attempt(&mut divider, model, samples, &Float::default(), &Options::default(), &mut progress)?;
        if divided.quality.is_at_least(enough) {
            return Ok(divided);
        }
        without = Some(divided.quality);
    }
    let why = without.map_or_else(String::new, |quality| format!("int8 from here on costs too much: {quality}"));
    let quick = Options {
        method: Some(Method::Error),
        bias_correction: false,
        equalization: false,
        rounding: false,
        measured: 1,
        memory: None,
    };
    let few = &samples[..samples.len().min(TRIED)];
    // The cut before convolution `bad` is too early, the one before `good` is not: with none in int8, nothing is lost.
    let (mut bad, mut good) = (0, divider.cuts().len());
    let almost = Quality { sqnr: enough.sqnr - GAIN.sqnr, agreement: enough.agreement - GAIN.agreement };
    while good - bad > 1 {
        let middle = bad + (good - bad) / 2;
        let float = Float::before(divider.cuts()[middle], &why);
        let divided = attempt(&mut divider, model, few, &float, &quick, &mut progress)?;
        if divided.quality.is_at_least(&almost) { good = middle } else { bad = middle }
    }
    // Now with all that makes int8 better, and all samples.
    loop {
        let float = Float::before(divider.cuts().get(good).copied().unwrap_or(usize::MAX), &why);
        let divided = attempt(&mut divider, model, samples, &float, &Options::default(), &mut progress)?;
        if divided.quality.is_at_least(enough) {
            return with_more(divider, model, samples, enough, (float, divided), progress);
        }
        if good >= divider.cuts().len() {
            return Ok(divided);
        }
        good += STEP;
    }
}

/// Has the largest convolutions before the cut in int8 too, as long as the outputs stay good `enough`.
fn with_more(
    mut divider: Divider,
    model: &Model,
    samples: &[Vec<Tensor>],
    enough: &Quality,
    (mut float, mut divided): (Float, Divided),
    mut progress: impl FnMut(Progress),
) -> Result<Divided> {
    for around in divider.largest(&float, MORE) {
        let with = Float { but: float.but.iter().chain([&around]).cloned().collect(), ..float.clone() };
        let more = attempt(&mut divider, model, samples, &with, &Options::default(), &mut progress)?;
        if more.quality.is_at_least(enough) {
            (float, divided) = (with, more);
        }
    }
    Ok(divided)
}

fn attempt(
    divider: &mut Divider,
    model: &Model,
    samples: &[Vec<Tensor>],
    float: &Float,
    options: &Options,
    progress: &mut impl FnMut(Progress),
) -> Result<Divided> {
    let division = divider.divide(float)?;
    let total = division.islands.len();
    let (measured, seen) = parted(samples);
    let compiled = division.compile_with(model, &seen, options, |island| {
        progress(Progress {
            stage: if float.cut == 0 { "island" } else { "island, behind float" },
            done: island,
            total,
        });
    })?;
    let pair = |sample: &Vec<Tensor>| Ok((compiled.run_float(sample)?, model.run_float(sample)?));
    let quality = Quality::of(&measured.iter().map(pair).collect::<Result<Vec<_>>>()?);
    Ok(Divided { division, model: compiled, quality })
}

/// Samples to measure on, and others to calibrate on; all of them, where there are few.
fn parted(samples: &[Vec<Tensor>]) -> (Vec<Vec<Tensor>>, Vec<Vec<Tensor>>) {
    let step = samples.len().div_ceil(TRIED).max(1);
    let every = |measured: bool| {
        let samples = samples.iter().enumerate().filter(move |(index, _)| index.is_multiple_of(step) == measured);
        samples.map(|(_, sample)| sample.clone()).collect::<Vec<_>>()
    };
    let (measured, rest) = (every(true), every(false));
    if rest.len() < TRIED { (measured, samples.to_vec()) } else { (measured, rest) }
}
