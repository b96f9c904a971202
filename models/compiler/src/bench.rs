//! Where choices are measured: calibration images, what the float run makes of them, and what a plan does.

use std::collections::HashMap;
use std::rc::Rc;

use microtome_core::plan::{Alignment, Plan, Role};

use crate::calibrate::{Histogram, Method};
use crate::emit::{self, Envelope, Out};
use crate::error::{Error, Result};
use crate::graph::{Graph, Op, Quant};
use crate::lower::{Lowering, Program};
use crate::measure::{self, Noise};
use crate::model::{Model, Tensor, Values, reals};
use crate::options::Progress;
use crate::quality::Quality;
use crate::quantize::Sharing;
use crate::rounding::Covariances;

/// Longest side of what choices are measured on.
const MEASURED_SIDE: usize = 256;

/// Cuts the middle of an image that is too large, and repeats the last row and pixel of one whose sides do not fit.
pub(crate) fn fit(image: &Tensor, fixed: [Option<usize>; 2], alignment: &Alignment, largest: usize) -> Result<Tensor> {
    let [1, channels, height, width] = image.shape[..] else {
        return Err(Error::Calibration(format!(
            "an image has shape {:?}, expected [1, channels, rows, width]",
            image.shape
        )));
    };
    if height == 0 || width == 0 {
        return Err(Error::Calibration("an image is empty".into()));
    }
    let side = |axis: usize, side: usize| {
        fixed[axis].unwrap_or_else(|| alignment.pad(axis, side.min(largest) as u32) as usize)
    };
    let (h, w) = (side(0, height), side(1, width));
    let (top, left) = (height.saturating_sub(h) / 2, width.saturating_sub(w) / 2);
    let mut data = Vec::with_capacity(channels * h * w);
    for c in 0..channels {
        for y in 0..h {
            let row = (c * height + (top + y).min(height - 1)) * width;
            data.extend((0..w).map(|x| image.data[row + (left + x).min(width - 1)]));
        }
    }
    Tensor::new(vec![1, channels, h, w], data)
}

pub(crate) fn outputs(graph: &Graph, program: &Program) -> Result<Vec<Out>> {
    let tensor = |value: usize| program.tensor_of[value].ok_or_else(|| Error::Plan("an output has no tensor".into()));
    let mut all = Vec::new();
    for (name, value) in &graph.outputs {
        let index = graph.producer(*value).is_some_and(|p| matches!(graph.nodes[p].op, Op::ArgMax));
        let role = if index && graph.mask == Some(*value) { Role::Mask } else { Role::Raw };
        all.push(Out { tensor: tensor(*value)?, role, name: name.clone() });
    }
    if let Some(mask) = graph.mask.filter(|mask| !graph.outputs.iter().any(|(_, v)| v == mask)) {
        all.push(Out { tensor: tensor(mask)?, role: Role::Mask, name: "mask".into() });
    }
    Ok(all)
}

/// One way to quantize the graph.
#[derive(Clone)]
pub(crate) struct Choice<'g> {
    /// The graph, or one that is [equalized](crate::equalize).
    pub graph: Rc<Graph>,
    pub sharing: &'g Sharing,
    pub quants: Vec<Quant>,
    pub corrections: Vec<Vec<f32>>,
    pub method: Method,
    pub joined: bool,
}

/// What the float run showed of every value.
pub(crate) struct Seen {
    histograms: Vec<Histogram>,
    /// Sum of every channel, and how many values it is the sum of.
    means: Vec<(Vec<f64>, f64)>,
    /// The largest absolute value of every channel.
    pub largest: Vec<Vec<f32>>,
}

impl Seen {
    /// Nothing yet.
    pub fn new(graph: &Graph) -> Seen {
        Seen {
            histograms: vec![Histogram::default(); graph.values.len()],
            means: graph.values.iter().map(|value| (vec![0.0; value.channels], 0.0)).collect(),
            largest: graph.values.iter().map(|value| vec![0.0; value.channels]).collect(),
        }
    }

    /// Adds what a value was for one image, NCHW.
    fn add(&mut self, graph: &Graph, id: usize, data: &[f32]) {
        let value = &graph.values[id];
        let per_channel = data.len() / value.channels;
        if per_channel == 0 || per_channel * value.channels != data.len() {
            self.histograms[id].add(data);
            return;
        }
        let mut scaled = Vec::new();
        for (c, channel) in data.chunks_exact(per_channel).enumerate() {
            let channel = match value.unit.get(c) {
                None => channel,
                Some(unit) => {
                    scaled.clear();
                    scaled.extend(channel.iter().map(|v| v / unit));
                    &scaled
                }
            };
            self.histograms[id].add(channel);
            self.means[id].0[c] += channel.iter().map(|&v| f64::from(v)).sum::<f64>();
            let largest = &mut self.largest[id][c];
            *largest = channel.iter().filter(|v| v.is_finite()).fold(*largest, |most, v| most.max(v.abs()));
        }
        self.means[id].1 += per_channel as f64;
    }

    pub fn ranges(&self, method: Method) -> Vec<(f32, f32)> {
        self.histograms.iter().map(|h| h.range(method)).collect()
    }

    /// For every Conv, what rounding its weights does to the mean of each output channel: `E[x] · (w − w')`.
    pub fn corrections(&self, graph: &Graph) -> Vec<Vec<f32>> {
        let mut corrections = vec![Vec::new(); graph.values.len()];
        for node in &graph.nodes {
            let Op::Conv(conv) = &node.op else { continue };
            let (sums, count) = &self.means[node.inputs[0]];
            if *count == 0.0 {
                continue;
            }
            let outputs = conv.bias.len();
            let per_output = conv.weights.len() / outputs;
            let taps = usize::from(conv.window.kernel[0]) * usize::from(conv.window.kernel[1]);
            let group_inputs = per_output / taps;
            let per_group = outputs / conv.group;
            // A transposed window with a stride meets each output with only some of its taps.
            let share = if conv.output_padding.is_some() {
                f64::from(conv.window.stride[0]) * f64::from(conv.window.stride[1])
            } else {
                1.0
            };
            corrections[node.output] = (0..outputs)
                .map(|o| {
                    let real = &conv.weights[o * per_output..][..per_output];
                    let scale = real.iter().fold(0f32, |m, w| m.max(w.abs())) / 127.0;
                    if scale == 0.0 {
                        return 0.0;
                    }
                    let first = o / per_group * group_inputs;
                    let rounded = |i: usize, w: f32| match &conv.integers {
                        Some(integers) => f32::from(integers.weights[o * per_output + i]) * integers.scales[o],
                        None => (w / scale).round_ties_even() * scale,
                    };
                    let error = |(i, &w): (usize, &f32)| f64::from(w - rounded(i, w)) * sums[first + i / taps] / count;
                    (real.iter().enumerate().map(error).sum::<f64>() / share) as f32
                })
                .collect();
        }
        corrections
    }
}

/// Where choices are measured: samples, and what the float run makes of them.
pub(crate) struct Bench<'a> {
    pub graph: &'a Graph,
    pub model: &'a Model,
    pub envelope: &'a Envelope,
    /// A tensor for each input.
    pub samples: &'a [Vec<Tensor>],
    /// Samples to measure on, with the float outputs.
    pub measured: Vec<(Vec<Tensor>, Vec<Tensor>)>,
}

impl Bench<'_> {
    /// Runs the float model on the samples that choices are measured on.
    pub fn expect(&mut self, count: usize) -> Result<()> {
        let port = &self.model.inputs()[0].shape;
        let fixed = [port.get(2).copied().flatten(), port.get(3).copied().flatten()];
        let step = (self.samples.len() / count.max(1)).max(1);
        for sample in self.samples.iter().step_by(step).take(count) {
            let sample = match &sample[..] {
                [image] => vec![fit(image, fixed, &self.envelope.alignment, MEASURED_SIDE)?],
                several => several.to_vec(),
            };
            let outputs = self.model.run_float(&sample)?;
            self.measured.push((sample, outputs));
        }
        Ok(())
    }

    fn names(&self) -> Vec<String> {
        let made = self.graph.nodes.iter().filter(|node| !matches!(node.op, Op::Input(_)));
        let mut names: Vec<String> = made.map(|node| self.graph.values[node.output].name.clone()).collect();
        names.retain(|name| !name.is_empty());
        names.sort();
        names.dedup();
        names
    }

    /// What the values of each of these graphs, which differ in their units only, are over all samples.
    pub fn observe(&self, graphs: &[Rc<Graph>], progress: &mut dyn FnMut(Progress)) -> Result<Vec<Seen>> {
        let mut seen: Vec<Seen> = graphs.iter().map(|graph| Seen::new(graph)).collect();
        let mut runs = Runs::new(self.model, self.names());
        for (done, sample) in self.samples.iter().enumerate() {
            progress(Progress { stage: "calibrate", done, total: self.samples.len() });
            let found = self.values(&mut runs, sample)?;
            for (id, value) in self.graph.values.iter().enumerate() {
                let Some(tensor) = found.get(&value.name) else { continue };
                seen.iter_mut().zip(graphs).for_each(|(seen, graph)| seen.add(graph, id, &tensor.data));
            }
        }
        Ok(seen)
    }

    /// How the inputs of the convolutions of `graph` go together, over all samples.
    pub fn covariances(&self, graph: &Graph, progress: &mut dyn FnMut(Progress)) -> Result<Covariances> {
        let mut covariances = Covariances::new(graph, self.samples.len());
        let mut runs = Runs::new(self.model, self.names());
        for (done, sample) in self.samples.iter().enumerate() {
            progress(Progress { stage: "round", done, total: self.samples.len() });
            let found = self.values(&mut runs, sample)?;
            covariances.add(graph, |id| found.get(&graph.values[id].name));
        }
        Ok(covariances)
    }

    /// All values of the float run, by their names.
    fn values(&self, runs: &mut Runs, sample: &[Tensor]) -> Result<HashMap<String, Tensor>> {
        let mut found = runs.run(sample)?;
        let inputs = std::iter::once(0).chain(self.graph.other_inputs());
        found.extend(inputs.map(|id| self.graph.values[id].name.clone()).zip(sample.iter().cloned()));
        Ok(found)
    }

    pub fn lower(&self, choice: &Choice) -> Result<Program> {
        let Choice { graph, sharing, quants, corrections, .. } = choice;
        Lowering { graph, sharing, quants, corrections }.run()
    }

    pub fn outputs(&self, program: &Program) -> Result<Vec<Out>> {
        outputs(self.graph, program)
    }

    /// The worst output's ratio, in dB.
    pub fn sqnr(&self, choice: &Choice) -> Result<f64> {
        let program = self.lower(choice)?;
        let bytes = emit::plan(&program, &self.outputs(&program)?, self.envelope)?;
        let plan = Plan::parse(&bytes)?;
        let mut noise = vec![Noise::default(); self.graph.outputs.len()];
        for (sample, expected) in &self.measured {
            let found = measure::run(&plan, sample)?;
            for (i, (_, value)) in self.graph.outputs.iter().enumerate() {
                let of = &self.graph.values[*value];
                noise[i].add(&found[i], choice.quants[*value], &expected[i], of.channels, &[]);
            }
        }
        Ok(noise.iter().filter_map(Noise::sqnr).fold(f64::INFINITY, f64::min))
    }

    /// How close the outputs of a plan of `choice` come to float's, on the images that choices are measured on.
    pub fn quality(&self, choice: &Choice, plan: &[u8]) -> Result<Quality> {
        let plan = Plan::parse(plan)?;
        let mut samples = Vec::new();
        for (sample, expected) in &self.measured {
            let found = measure::run(&plan, sample)?;
            let outputs = self.graph.outputs.iter().zip(&found).zip(expected);
            let real = outputs.map(|(((_, value), found), expected)| {
                measure::real(found, choice.quants[*value], self.graph.values[*value].channels, &expected.shape)
            });
            samples.push((real.collect::<Result<Vec<_>>>()?, expected.clone()));
        }
        Ok(Quality::of(&samples))
    }

    /// The noise of every operator's output, for a program of `graph`.
    pub fn every_value(&self, graph: &Graph, program: &Program) -> Result<Vec<Noise>> {
        let mut noise = vec![Noise::default(); program.operators.len()];
        let all: Vec<Out> = (0..program.operators.len())
            .map(|i| Out { tensor: i as u16 + 1, role: Role::Raw, name: String::new() })
            .collect();
        let bytes = emit::plan(program, &all, self.envelope)?;
        let plan = Plan::parse(&bytes)?;
        let mut runs = Runs::new(self.model, self.names());
        for (sample, _) in &self.measured {
            let (found, expected) = (measure::run(&plan, sample)?, runs.run(sample)?);
            for (i, operator) in program.operators.iter().enumerate() {
                let value = &graph.values[operator.value];
                let tensor = &program.tensors[i + 1];
                let quant = Quant { scale: tensor.scale, zero_point: tensor.zero_point };
                if let Some(expected) = expected.get(&value.name) {
                    noise[i].add(&found[i], quant, expected, value.channels, &value.unit);
                }
            }
        }
        Ok(noise)
    }
}

/// Float runs with values as outputs; the model is prepared again only when the size changes.
pub(crate) struct Runs<'a> {
    model: &'a Model,
    names: Vec<String>,
    ready: Option<(Vec<Vec<usize>>, Values)>,
}

impl<'a> Runs<'a> {
    /// Runs of `model` that show the values of these names.
    pub fn new(model: &'a Model, names: Vec<String>) -> Runs<'a> {
        Runs { model, names, ready: None }
    }

    /// What the values are for these inputs.
    pub fn run(&mut self, inputs: &[Tensor]) -> Result<HashMap<String, Tensor>> {
        let shapes: Vec<Vec<usize>> = inputs.iter().map(|input| input.shape.clone()).collect();
        let ready = match self.ready.take() {
            Some((of, values)) if of == shapes => (of, values),
            _ => {
                let values = self.model.values(&shapes, &self.names)?;
                (shapes, values)
            }
        };
        let found = ready.1.run(inputs)?;
        self.ready = Some(ready);
        found.into_iter().map(|(name, raw)| Ok((name, reals(&raw)?))).collect()
    }
}
