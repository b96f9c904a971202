//! A float model over frames in memory, through tract: the reference that a plan is measured against.
//!
//! The logits become classes by the rules that a plan's Softmax, Classify and ArgMax follow, in f32.

use std::cell::Cell;

use microtome_compiler::description::{Output, Task as Described};
use microtome_compiler::profile::Stage;
use microtome_compiler::sides::{alignments, filled_up};
use microtome_compiler::{Description, Model, Tensor};
use microtome_core::plan::{Input, Post, Task};
use ndarray::ArrayD;

use super::{Engine, Mask, preprocess, threshold};
use crate::heads::{Field, Heads, Method};
use crate::source::Image;
use crate::tensor::Named;

/// Runs a float model on frames.
pub struct FloatEngine {
    model: Model,
    input: Input,
    output: Output,
    method: Option<Method>,
    channels: usize,
    /// Which of the [`alignments`] the model takes, as far as frames have shown: sides are padded to each in turn.
    alignment: Cell<usize>,
}

impl FloatEngine {
    /// An engine over `model`, of which `description` says what ONNX does not.
    pub fn new(model: Model, description: &Description) -> Self {
        let channels = channels(&model, description);
        let output = description.output.clone();
        let method = output.method().and_then(|method| method.parse().ok());
        FloatEngine { model, input: preprocess::input(description), output, method, channels, alignment: Cell::new(0) }
    }

    /// What runs the model, for people.
    pub fn runs_in(&self) -> &'static str {
        if self.model.is_divided() {
            "in islands of int8, and in float between them, by tract"
        } else {
            "in float, by tract"
        }
    }

    /// Runs raw tensors through the model: one unnamed, or all that the model takes by their names.
    ///
    /// # Errors
    /// One sentence when the names or shapes are not the model's.
    pub fn run(&self, inputs: &[Named]) -> Result<Vec<Named>, String> {
        let tensors = sample(&self.model, inputs)?;
        let outputs = self.model.run_float(&tensors).map_err(|e| e.to_string())?;
        let named = self.model.outputs().iter().zip(outputs).map(|(port, tensor)| {
            let values = ArrayD::from_shape_vec(tensor.shape, tensor.data).map_err(|e| e.to_string())?;
            Ok(Named { name: port.name.clone(), values, is_mask: false })
        });
        named.collect()
    }

    /// What each node takes of a frame like `image`.
    ///
    /// # Errors
    /// One sentence when the model cannot take such a frame.
    pub fn profile(&self, image: &Image) -> Result<Vec<Stage>, String> {
        let (_, sides) = self.outputs(image)?;
        let tensor = preprocess::tensor(image, &self.input, self.channels, sides)?;
        self.model.profile(&[tensor]).map_err(|e| e.to_string())
    }

    /// The outputs for `image`, and the padded sides on which the model takes it.
    fn outputs(&self, image: &Image) -> Result<(Vec<Tensor>, [usize; 2]), String> {
        let shape = &self.model.inputs().first().ok_or("the model has no input")?.shape;
        let fixed = |axis: usize| shape.get(2 + axis).copied().flatten();
        loop {
            let index = self.alignment.get();
            let alignment = alignments().nth(index).unwrap_or((1, 0));
            let side = |axis: usize, side: usize| fixed(axis).unwrap_or(filled_up(side, alignment));
            let sides = [side(0, image.height()), side(1, image.width())];
            if sides[0] < image.height() || sides[1] < image.width() {
                let ([h, w], found_h, found_w) = (sides, image.height(), image.width());
                return Err(format!("the model takes frames of {w}x{h} pixels only, this one is {found_w}x{found_h}"));
            }
            let tensor = preprocess::tensor(image, &self.input, self.channels, sides)?;
            match self.model.run_float(&[tensor]) {
                Ok(outputs) => return Ok((outputs, sides)),
                Err(error) if index + 1 == alignments().count() || (fixed(0).is_some() && fixed(1).is_some()) => {
                    self.alignment.set(0);
                    return Err(error.to_string());
                }
                Err(_) => self.alignment.set(index + 1),
            }
        }
    }
}

/// A tensor for each input of the model, in their order: one unnamed, or all by their names.
///
/// # Errors
/// One sentence when one is missing.
pub(super) fn sample(model: &Model, inputs: &[Named]) -> Result<Vec<Tensor>, String> {
    let ports = model.inputs();
    let tensors = ports.iter().map(|port| {
        let unnamed = |input: &Named| inputs.len() == 1 && ports.len() == 1 && input.is_unnamed();
        let input = inputs.iter().find(|input| input.name == port.name || unnamed(input));
        let missing = || {
            let names: Vec<String> = inputs.iter().map(|input| format!("`{}`", input.name)).collect();
            let found =
                if inputs.iter().all(Named::is_unnamed) { "one without a name".into() } else { names.join(", ") };
            format!("no tensor for the model's input `{}`, but {found}", port.name)
        };
        let values = &input.ok_or_else(missing)?.values;
        Tensor::new(values.shape().to_vec(), values.iter().copied().collect()).map_err(|e| e.to_string())
    });
    tensors.collect()
}

/// Channels of the network's input: what the model fixes, else what the description says, else one.
pub(super) fn channels(model: &Model, description: &Description) -> usize {
    let fixed = model.inputs().first().and_then(|port| port.shape.get(1).copied().flatten());
    fixed.or(description.input.channels).unwrap_or(1)
}

impl Engine for FloatEngine {
    fn mask(&mut self, image: &Image) -> Result<Mask, String> {
        let (outputs, _) = self.outputs(image)?;
        let logits = outputs.into_iter().next().ok_or("the model has no output")?;
        let (height, width) = (image.height(), image.width());
        let [1, channels, rows, columns] = logits.shape[..] else {
            return Err(format!(
                "the model's first output has shape {:?}; expected [1, classes, rows, width]",
                logits.shape
            ));
        };
        if rows < height || columns < width || channels == 0 {
            let found = format!("the model's first output is {columns}x{rows} of {channels} channels");
            return Err(format!("{found}; a class mask must be as large as the frame, {width}x{height}"));
        }
        let rule = Rule::of(&self.output, &logits.data, channels)?;
        let mut classes = Vec::with_capacity(height * width);
        let mut pixel = vec![0.0; channels];
        for y in 0..height {
            for x in 0..width {
                for (channel, value) in pixel.iter_mut().enumerate() {
                    *value = logits.data[(channel * rows + y) * columns + x];
                }
                classes.push(rule.class(&mut pixel));
            }
        }
        Ok(Mask { height, width, classes })
    }

    fn post(&self) -> Post {
        let output = &self.output;
        let task = match output.task {
            Some(Described::None | Described::StarConvex | Described::Flows) => Task::None,
            Some(Described::InteriorBorder) => {
                Task::InteriorBorder { object: output.object.unwrap_or(1), border: output.border.unwrap_or(2) }
            }
            Some(Described::Components) | None => Task::Components,
        };
        Post {
            task,
            min_area: output.least_area(),
            grow: output.grow.unwrap_or(0.0),
            threshold: output.threshold.unwrap_or(0.5),
        }
    }

    fn heads(&self) -> Option<Heads> {
        self.method.map(|method| Heads::new(method, &self.post()))
    }

    fn fields(&mut self, image: &Image) -> Result<Vec<Field>, String> {
        let (outputs, padded) = self.outputs(image)?;
        let sides = [image.height(), image.width()];
        Ok(outputs.iter().filter_map(|output| field(output, padded, sides)).collect())
    }

    fn threshold(&mut self) -> Option<f32> {
        self.heads().map(|heads| heads.threshold)
    }

    fn set_threshold(&mut self, probability: f32) -> Result<(), String> {
        if self.method.is_none() {
            return Err(threshold::NONE.into());
        }
        self.output.threshold = Some(probability);
        Ok(())
    }
}

/// An output `[1, channels, rows, width]`, none of another shape; what padding added to the frame is cut off in proportion, as core does it.
fn field(output: &Tensor, padded: [usize; 2], sides: [usize; 2]) -> Option<Field> {
    let [1, channels, full_rows, full_width] = output.shape[..] else { return None };
    let cut = |axis: usize, side: usize| (side * sides[axis]).div_ceil(padded[axis]);
    let (rows, width) = (cut(0, full_rows), cut(1, full_width));
    let lines = (0..channels * full_rows).filter(|line| line % full_rows < rows);
    let values = lines.flat_map(|line| &output.data[line * full_width..][..width]).copied().collect();
    Some(Field { channels, rows, width, values })
}

/// How a pixel's values become a class.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Rule {
    /// Interior, background or border by probability; the values are logits unless they already are probabilities.
    InteriorBorder { object: u8, border: u8, threshold: f32, logits: bool },
    /// One channel above a value.
    Above(f32),
    /// The value is the class.
    Index,
    /// The largest channel.
    ArgMax,
}

impl Rule {
    fn of(output: &Output, values: &[f32], channels: usize) -> Result<Self, String> {
        let threshold = output.threshold.unwrap_or(0.5);
        let probabilities = values.iter().all(|v| (0.0..=1.0).contains(v));
        match output.task {
            Some(Described::InteriorBorder) => {
                let (object, border) = (output.object.unwrap_or(1), output.border.unwrap_or(2));
                if channels != 3 || object.max(border) > 2 {
                    let found = format!("classes {object} (interior) and {border} (border) of {channels} channels");
                    return Err(format!("{found}; the task interior-border needs three channels"));
                }
                Ok(Rule::InteriorBorder { object, border, threshold, logits: !probabilities })
            }
            _ if channels > 1 => Ok(Rule::ArgMax),
            _ if values.iter().all(|v| v.fract() == 0.0 && (0.0..256.0).contains(v)) => Ok(Rule::Index),
            _ if probabilities => Ok(Rule::Above(threshold)),
            // A logit is as far above 0 as its probability is above one half.
            _ => Ok(Rule::Above((threshold / (1.0 - threshold)).ln())),
        }
    }

    fn class(self, values: &mut [f32]) -> u8 {
        match self {
            Rule::Above(threshold) => u8::from(values[0] > threshold),
            Rule::Index => values[0] as u8,
            Rule::ArgMax => {
                let best = (1..values.len()).fold(0, |best, at| if values[at] > values[best] { at } else { best });
                best as u8
            }
            Rule::InteriorBorder { object, border, threshold, logits } => {
                if logits {
                    softmax(values);
                }
                if values[usize::from(object)] > threshold {
                    object
                } else if values[0] >= 0.5 {
                    0
                } else {
                    border
                }
            }
        }
    }
}

fn softmax(values: &mut [f32]) {
    let top = values.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    values.iter_mut().for_each(|v| *v = (*v - top).exp());
    let sum: f32 = values.iter().sum();
    values.iter_mut().for_each(|v| *v /= sum);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(text: &str) -> Output {
        Description::parse(&format!("[output]\n{text}")).unwrap().output
    }

    #[test]
    fn interiors_need_their_threshold_and_borders_are_what_is_left() {
        let output = output("task = \"interior-border\"\nthreshold = 0.6");
        let rule = Rule::of(&output, &[-1.0, 3.0, 0.0], 3).unwrap();
        let class = |values: [f32; 3]| rule.class(&mut values.clone());
        assert_eq!(class([0.0, 2.0, 0.0]), 1);
        // Interior 0.50, background 0.25: neither is sure.
        assert_eq!(class([0.0, 0.7, 0.0]), 2);
        assert_eq!(class([2.0, 0.0, 0.0]), 0);
        let probabilities = Rule::of(&output, &[0.3, 0.61, 0.09], 3).unwrap();
        assert_eq!(probabilities.class(&mut [0.3, 0.61, 0.09]), 1);
        assert!(Rule::of(&output, &[0.0; 2], 2).is_err());
    }

    #[test]
    fn other_heads() {
        let plain = output("threshold = 0.5");
        assert_eq!(Rule::of(&plain, &[-3.5, 2.0], 1).unwrap(), Rule::Above(0.0));
        assert_eq!(Rule::of(&plain, &[0.2, 0.9], 1).unwrap(), Rule::Above(0.5));
        assert_eq!(Rule::of(&plain, &[0.0, 3.0], 1).unwrap(), Rule::Index);
        assert_eq!(Rule::of(&plain, &[0.0; 4], 4).unwrap().class(&mut [0.0, 2.0, 2.0, 1.0]), 1);
    }
}
