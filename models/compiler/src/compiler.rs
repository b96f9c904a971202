//! The whole way from a model and calibration images to a plan and its report.

use std::sync::Arc;

use microtome_core::plan::{self, Alignment, Plan};

use crate::bench::{Bench, Choice, fit, outputs};
use crate::choose::Search;
use crate::description::{self, Description};
use crate::emit::{self, Envelope};
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::import::probe::Probe;
use crate::lower::{Lowering, Program};
use crate::model::{Model, Tensor, hex};
use crate::options::{Memory, Options, Progress};
use crate::quality::Quality;
use crate::quantize::Sharing;
use crate::report::{Layer, OutputReport, Report, Trial};
use crate::{fold, head, import, rings};

/// Longest side of what is calibrated on: the middle of larger images is taken.
const MAX_SIDE: usize = 512;
/// Most rows per step that are tried.
const MOST_ROWS: u16 = 32;

/// A plan and how good it is.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The bytes of the `.mtm` file.
    pub plan: Vec<u8>,
    /// Layer by layer.
    pub report: Report,
    /// How close its outputs come to float's; `None` where the model itself prescribes them, or nothing was measured.
    pub quality: Option<Quality>,
}

/// Compiles a model.
pub struct Compiler<'a> {
    model: &'a Model,
    description: &'a Description,
    options: Options,
    samples: Vec<Vec<Tensor>>,
    probe: Option<Arc<Probe>>,
    progress: Box<dyn FnMut(Progress) + 'a>,
}

impl<'a> Compiler<'a> {
    /// A compiler for `model`, of which `description` says what ONNX does not.
    pub fn new(model: &'a Model, description: &'a Description, options: Options) -> Compiler<'a> {
        Compiler { model, description, options, samples: Vec::new(), probe: None, progress: Box::new(|_| {}) }
    }

    /// Adds calibration images: network inputs as they leave preprocessing, `[1, channels, rows, width]`. Those that do not
    /// fit the network's sides are cut to the middle, or padded like frames are.
    #[must_use]
    pub fn calibrate(mut self, images: impl IntoIterator<Item = Tensor>) -> Compiler<'a> {
        self.samples.extend(images.into_iter().map(|image| vec![image]));
        self
    }

    /// Adds samples of a model with several inputs, a tensor for each, on sides that it takes.
    #[must_use]
    pub(crate) fn calibrate_with(mut self, samples: Vec<Vec<Tensor>>) -> Compiler<'a> {
        self.samples.extend(samples);
        self
    }

    /// Takes shapes and constants from the runs of a model that this one is a part of.
    #[must_use]
    pub(crate) fn probed(mut self, probe: &Arc<Probe>) -> Compiler<'a> {
        self.probe = Some(Arc::clone(probe));
        self
    }

    /// Has `progress` told what is going on.
    #[must_use]
    pub fn on_progress(mut self, progress: impl FnMut(Progress) + 'a) -> Compiler<'a> {
        self.progress = Box::new(progress);
        self
    }

    /// Compiles.
    ///
    /// # Errors
    /// The model has an operator that a plan cannot hold, tract cannot run it, or there are no images although the model
    /// leaves quantization open.
    pub fn compile(mut self) -> Result<Compiled> {
        (self.progress)(Progress { stage: "import", done: 0, total: 1 });
        let mut graph = import::import(self.model, self.probe.clone())?;
        fold::fold(&mut graph)?;
        head::prescribe(&mut graph);
        let post = head::append(&mut graph, self.description)?;
        let joined = Sharing::decide(&mut graph, |_| true);
        let apart = Sharing::decide(&mut graph, |_| false);
        let seen = graph.values[0].sizes[0].map(|side| side as u32);
        let mut envelope = self.envelope(&graph, post)?;
        let (alignment, seen) = self.alignment(&graph, &joined, &envelope, seen)?;
        envelope.alignment = alignment;
        let samples = self.fitted(&envelope.alignment)?;
        envelope.provenance = self.provenance(&samples);
        let prescribed = joined.is_prescribed(&graph);
        if samples.is_empty() && !prescribed {
            return Err(Error::Calibration("no image was given, but the model leaves its quantization open".into()));
        }
        let mut bench =
            Bench { graph: &graph, model: self.model, envelope: &envelope, samples: &samples, measured: Vec::new() };
        bench.expect(self.options.measured)?;
        let mut search =
            Search { bench: &bench, options: &self.options, progress: &mut self.progress, trials: Vec::new() };
        let choice = if prescribed || bench.measured.is_empty() {
            search.prescribed(&joined)
        } else {
            search.run(&joined, &apart)?
        };
        let trials = search.trials;
        let program = bench.lower(&choice)?;
        self.finish(&bench, program, &choice, trials, seen)
    }

    /// Whether a plan can hold the model, whatever its numbers.
    ///
    /// # Errors
    /// As [`Compiler::compile`], but for calibration.
    pub fn check(&self) -> Result<()> {
        let mut graph = import::import(self.model, self.probe.clone())?;
        fold::fold(&mut graph)?;
        head::prescribe(&mut graph);
        let post = head::append(&mut graph, self.description)?;
        let joined = Sharing::decide(&mut graph, |_| true);
        let seen = graph.values[0].sizes[0].map(|side| side as u32);
        let envelope = self.envelope(&graph, post)?;
        self.alignment(&graph, &joined, &envelope, seen).map(drop)
    }

    fn finish(
        &self,
        bench: &Bench,
        mut program: Program,
        choice: &Choice,
        trials: Vec<Trial>,
        seen: [u32; 2],
    ) -> Result<Compiled> {
        let graph = &choice.graph;
        let outputs = bench.outputs(&program)?;
        let (bytes, strip_rows) = self.in_strips(&mut program, &outputs, bench.envelope, seen)?;
        let noise = bench.every_value(graph, &program)?;
        let area = |value: usize| {
            let ([r, w], [fr, fw]) = (graph.values[value].sizes[0], graph.values[0].sizes[0]);
            (r * w) as f64 / (fr * fw) as f64
        };
        let layers = program.operators.iter().zip(&program.tensors[1..]).zip(&noise).map(|((o, t), n)| Layer {
            name: o.name.clone(),
            operator: o.op().name().to_owned(),
            channels: t.channels,
            scale: t.scale,
            zero_point: t.zero_point,
            sqnr: n.sqnr(),
            saturated: n.saturated(),
            ring_rows: (t.ring != plan::TALL).then_some(t.ring),
            bytes: o.data_len(),
            macs_per_pixel: macs(&o.op(), &o.bytes) * area(o.value),
        });
        let layers: Vec<Layer> = layers.collect();
        let sqnr = |tensor: u16| usize::from(tensor).checked_sub(1).and_then(|i| layers[i].sqnr);
        let outputs = outputs.iter().map(|o| OutputReport { name: o.name.clone(), sqnr: sqnr(o.tensor) }).collect();
        let report = Report {
            method: if trials.is_empty() { "none".into() } else { choice.method.to_string() },
            images: bench.samples.len(),
            bias_correction: choice.corrections.iter().any(|c| !c.is_empty()),
            equalized: graph.values.iter().any(|value| !value.unit.is_empty()),
            joined_concats: choice.joined,
            trials,
            outputs,
            layers,
            multiple: bench.envelope.alignment.multiple,
            remainder: bench.envelope.alignment.remainder,
            plan_bytes: bytes.len(),
            strip_rows,
        };
        let measured = !report.trials.is_empty();
        let quality = if measured { Some(bench.quality(choice, &bytes)?) } else { None };
        Ok(Compiled { plan: bytes, report, quality })
    }

    /// The plan with its rings, and as many rows per step as the memory allows.
    fn in_strips(
        &self,
        program: &mut Program,
        outputs: &[emit::Out],
        envelope: &Envelope,
        seen: [u32; 2],
    ) -> Result<(Vec<u8>, u16)> {
        let tall = emit::plan(program, outputs, envelope)?;
        let most = if self.options.memory.is_some() { MOST_ROWS } else { 1 };
        let mut rows = most;
        loop {
            let strips = rings::strips(&Plan::parse(&tall)?, seen, rows)?;
            program.tensors.iter_mut().for_each(|tensor| tensor.ring = plan::TALL);
            let endless = emit::plan_in_strips(program, outputs, envelope, |index| strips[index])?;
            let heights = rings::heights(&Plan::parse(&endless)?, seen)?;
            program.tensors.iter_mut().zip(heights).for_each(|(tensor, rows)| tensor.ring = rows);
            let bytes = emit::plan_in_strips(program, outputs, envelope, |index| strips[index])?;
            let Some(Memory { bytes: budget, width }) = self.options.memory else { return Ok((bytes, rows)) };
            let arena = rings::arena(&Plan::parse(&bytes)?, [seen[0], width])?;
            if arena <= budget {
                return Ok((bytes, rows));
            }
            if rows == 1 {
                return Err(Error::Memory { found: arena, budget, width });
            }
            rows /= 2;
        }
    }

    fn envelope(&self, graph: &Graph, post: plan::Post) -> Result<Envelope> {
        let input = &self.description.input;
        let channels = graph.values[0].channels;
        if let Some(found) = input.channels.filter(|&c| c != channels) {
            return Err(Error::Description(format!("input has {found} channels, the model's has {channels}")));
        }
        let spread = |values: &[f32], default: f32| {
            let at = |c: usize| values.get(if values.len() == 1 { 0 } else { c }).copied().unwrap_or(default);
            [at(0), at(1), at(2), default]
        };
        let percentile = input.normalization == description::Normalization::Percentile;
        let (low, high) = if percentile { (1.0, 99.8) } else { (0.0, 255.0) };
        let (low, high) = (input.low.unwrap_or(low), input.high.unwrap_or(high));
        let normalization = match input.normalization {
            description::Normalization::Fixed => plan::Normalization::Fixed(plan::Levels { low, high }),
            description::Normalization::Percentile => {
                plan::Normalization::Percentile { low, high, previous: input.of == description::Of::Previous }
            }
        };
        let order = if input.order == description::Order::Bgr { plan::Order::Bgr } else { plan::Order::Rgb };
        let input =
            plan::Input { normalization, order, gain: spread(&input.gain, 1.0), offset: spread(&input.offset, 0.0) };
        let alignment = Alignment { multiple: [1, 1], remainder: [0, 0] };
        let classes = self.description.output.classes.join("\n");
        Ok(Envelope { input, post, alignment, classes, provenance: String::new() })
    }

    /// The frame sides that fit, and a frame that does, found with a plan whose numbers do not matter.
    fn alignment(
        &self,
        graph: &Graph,
        sharing: &Sharing,
        envelope: &Envelope,
        seen: [u32; 2],
    ) -> Result<(Alignment, [u32; 2])> {
        let ranges = vec![(-1.0, 1.0); graph.values.len()];
        let quants = sharing.quantize(&ranges);
        let program = Lowering { graph, sharing, quants: &quants, corrections: &[] }.run()?;
        let outputs = outputs(graph, &program)?;
        let bytes = emit::plan(&program, &outputs, envelope)?;
        let sizes = |value: usize| &graph.values[value].sizes;
        let keep = graph.outputs.first().filter(|(_, v)| sizes(*v) == sizes(0)).and_then(|_| outputs.first());
        let fixed = self.fixed().map(|side| side.is_some());
        rings::alignment(&Plan::parse(&bytes)?, seen, fixed, keep.map(|o| usize::from(o.tensor)))
    }

    /// The sides of frames that the model prescribes.
    fn fixed(&self) -> [Option<usize>; 2] {
        let port = &self.model.inputs()[0].shape;
        [port.get(2).copied().flatten(), port.get(3).copied().flatten()]
    }

    /// Images cut and padded to sides that the network takes.
    fn fitted(&self, alignment: &Alignment) -> Result<Vec<Vec<Tensor>>> {
        let fixed = self.fixed();
        let fitted = |sample: &Vec<Tensor>| match &sample[..] {
            [image] => Ok(vec![fit(image, fixed, alignment, MAX_SIDE)?]),
            several => Ok(several.to_vec()),
        };
        self.samples.iter().map(fitted).collect()
    }

    fn provenance(&self, samples: &[Vec<Tensor>]) -> String {
        use sha2::{Digest, Sha256};
        let mut hash = Sha256::new();
        for tensor in samples.iter().flatten() {
            tensor.data.iter().for_each(|v| hash.update(v.to_le_bytes()));
        }
        let name = self.description.name.as_deref().unwrap_or("").replace('\n', " ");
        let (model, version) = (self.model.sha256(), env!("CARGO_PKG_VERSION"));
        let calibration = if samples.is_empty() { "none".to_owned() } else { hex(&hash.finalize()) };
        let objects = self.description.output.method().map_or(String::new(), |method| format!("\nobjects={method}"));
        format!(
            "name={name}\ncompiler=microtome-compiler {version}\nmodel_sha256={model}\ncalibration_sha256={calibration}\ncalibration_images={}{objects}",
            samples.len()
        )
    }
}

/// Multiplications per output pixel.
fn macs(op: &plan::Op, weights: &[i8]) -> f64 {
    match op {
        plan::Op::Conv(_) => weights.len() as f64,
        plan::Op::ConvTranspose { conv, .. } => {
            weights.len() as f64 / f64::from(conv.window.stride[0]) / f64::from(conv.window.stride[1])
        }
        _ => 0.0,
    }
}
