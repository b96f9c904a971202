//! `microtome diffuse`: pictures from noise.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::time::Instant;

use microtome_compiler::Tensor;
use microtome_compiler::description;
use microtome_core::plan::record::MAGIC;
use ndarray::{Array, ArrayD};
use ndarray_npy::WriteNpyExt;
use serde::Serialize;

use super::progress::Progress;
use super::{Outcome, make_folder, say, say_json};
use crate::diffuse::{Given, Network, Request, Scheduler, denoise, picture, scheduler};
use crate::engine::OnnxModel;
use crate::error::{Error, Result};
use crate::simulate::Random;
use crate::sink::{frame, write_whole};
use crate::tensor::{self, Named, write_archive};

/// Arguments of `microtome diffuse`.
#[derive(clap::Args)]
pub struct Args {
    /// A denoising network (.onnx), or its container (.mtm), in float or with islands of int8; how it was trained is read from the table [diffusion]
    /// of the .toml of the same name beside it, or in the file
    model: PathBuf,
    /// The picture (.png), with all pictures side by side where there are several; or the samples (.npy), float32
    /// [N, channels, rows, width]
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// What pictures shall show, by the names of the model's description; several values, with commas between, make a
    /// picture of each
    #[arg(short, long = "condition", value_name = "NAME=VALUE[,VALUE…]", value_parser = setting)]
    conditions: Vec<Setting>,
    /// Short for --condition density=N
    #[arg(long, value_name = "N[,N…]")]
    density: Option<String>,
    /// Short for --condition stain=NAME
    #[arg(long, value_name = "NAME[,NAME…]")]
    stain: Option<String>,
    /// Pictures of each kind
    #[arg(long, value_name = "N", default_value = "1")]
    count: NonZeroUsize,
    /// Which noise to start from: the same seed gives the same pictures on a machine
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// How often the network is asked [default: as the model says]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// How noise is taken out [default: as the model says]
    #[arg(long, value_enum)]
    scheduler: Option<Kind>,
    /// DDIM's share of new noise at each step, from 0 (none) to 1
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    eta: f64,
    /// How much the condition counts; 1 asks the network once per step, others twice [default: as the model says]
    #[arg(long, value_name = "FACTOR", allow_negative_numbers = true)]
    guidance: Option<f64>,
    /// Pictures in a row of the file [default: values of the last condition that has several, times --count]
    #[arg(long, value_name = "N")]
    columns: Option<NonZeroUsize>,
    /// Sides of a pixel in the file
    #[arg(long, value_name = "N", default_value = "1")]
    scale: NonZeroUsize,
    /// A tensor (.npy, float32) for another input of the model, such as encoder_hidden_states
    #[arg(long = "input", value_name = "NAME=FILE", value_parser = file)]
    inputs: Vec<Setting>,
    /// What that input is without the condition, for guidance, such as the hidden states of an empty prompt
    #[arg(long = "free-input", value_name = "NAME=FILE", value_parser = file)]
    free_inputs: Vec<Setting>,
    /// Write the network's inputs at every step to this folder, as .npz files to calibrate `microtome compile` on
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// `--scheduler`.
#[derive(Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// Denoising diffusion implicit models
    Ddim,
    /// Euler's method
    Euler,
}

/// NAME=VALUE.
#[derive(Clone)]
struct Setting {
    name: String,
    value: String,
}

fn split(text: &str, what: &str) -> Result<Setting, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok(Setting { name: name.into(), value: value.into() })
        }
        _ => Err(format!("expected NAME={what}")),
    }
}

fn setting(text: &str) -> Result<Setting, String> {
    split(text, "VALUE")
}

fn file(text: &str) -> Result<Setting, String> {
    split(text, "FILE")
}

/// What `--json` prints.
#[derive(Serialize)]
struct Summary {
    out: PathBuf,
    pictures: usize,
    channels: usize,
    rows: usize,
    width: usize,
    steps: usize,
    ms_per_step: f64,
    recorded: usize,
}

/// Runs the command.
pub fn diffuse(args: &Args) -> Result<Outcome> {
    let samples = is_samples(&args.out)?;
    let network = open(args)?;
    let trained = network.trained();
    let kind = match args.scheduler {
        Some(Kind::Ddim) => description::Scheduler::Ddim,
        Some(Kind::Euler) => description::Scheduler::Euler,
        None => trained.scheduler,
    };
    let steps = args.steps.unwrap_or(trained.steps);
    let scheduler = scheduler(kind, trained, steps, args.eta).map_err(Error::usage)?;
    let Wanted { requests, columns } = wanted(args, &network)?;
    if !samples {
        picture::picture(&vec![0.0; network.len()], network.sample(), trained.values).map_err(Error::usage)?;
    }
    if let Some(folder) = &args.record {
        make_folder(folder)?;
    }
    let start = Instant::now();
    let (made, recorded) = make(args, &network, scheduler.as_ref(), &requests)?;
    let seconds = start.elapsed().as_secs_f64();
    write(args, samples, &network, &made, columns)?;
    let [channels, rows, width] = network.sample();
    let ms_per_step = 1000.0 * seconds / (made.len() * steps) as f64;
    let pictures = made.len();
    let summary = Summary { out: args.out.clone(), pictures, channels, rows, width, steps, ms_per_step, recorded };
    if args.json {
        say_json(&summary)?;
    } else {
        let plural = if pictures == 1 { "" } else { "s" };
        let file = args.out.display();
        say(format_args!(
            "{file}: {pictures} picture{plural} of {width}x{rows}, {steps} steps of {ms_per_step:.1} ms"
        ))?;
        if let Some(folder) = &args.record {
            say(format_args!("{}: {recorded} sets of inputs", folder.display()))?;
        }
    }
    Ok(Outcome::Done)
}

/// Whether the output is samples, and not a picture.
fn is_samples(path: &Path) -> Result<bool> {
    match path.extension().and_then(|e| e.to_str()) {
        Some("png") => Ok(false),
        Some("npy") => Ok(true),
        _ => Err(Error::usage(format!("{}: expected a file name that ends in .png or .npy", path.display()))),
    }
}

/// The network, with all that it is given at every step alike.
fn open(args: &Args) -> Result<Network> {
    let path = &args.model;
    let bytes = std::fs::read(path).map_err(|e| Error::model(path, e))?;
    if bytes.starts_with(&MAGIC) {
        return Err(Error::model(
            path,
            "expected an .onnx file, or a container; a plan holds no attention and no timestep",
        ));
    }
    let (model, description) = OnnxModel::read(path, &bytes, false)?.into_parts();
    let mut network = Network::new(path, model, &description)?;
    for given in &args.inputs {
        let values = read(&given.value)?;
        let free = args.free_inputs.iter().find(|free| free.name == given.name);
        let free = free.map_or_else(|| Ok(values.clone()), |free| read(&free.value))?;
        network.give(&given.name, values, free)?;
    }
    if let Some(alone) = args.free_inputs.iter().find(|free| !args.inputs.iter().any(|given| given.name == free.name)) {
        return Err(Error::usage(format!("--free-input {0} needs an --input {0}", alone.name)));
    }
    Ok(network)
}

/// The one tensor of a file.
fn read(path: &str) -> Result<Tensor> {
    let tensors = tensor::read(path.as_ref())?;
    let [Named { values, .. }] = &tensors[..] else {
        return Err(Error::usage(format!("{path}: {} tensors, expected one", tensors.len())));
    };
    let tensor = Tensor::new(values.shape().to_vec(), values.iter().copied().collect());
    tensor.map_err(|e| Error::usage(format!("{path}: {e}")))
}

/// One request per picture, and how many pictures a row has.
struct Wanted {
    requests: Vec<Request>,
    columns: usize,
}

/// Every combination of the values that were asked for, the last condition fastest.
fn wanted(args: &Args, network: &Network) -> Result<Wanted> {
    let mut asked: Vec<(String, Vec<String>)> = Vec::new();
    let named = |name: &str, values: &Option<String>| {
        values.as_ref().map(|value| Setting { name: name.into(), value: value.clone() })
    };
    let short = [named("stain", &args.stain), named("density", &args.density)];
    for setting in args.conditions.iter().cloned().chain(short.into_iter().flatten()) {
        if asked.iter().any(|(name, _)| *name == setting.name) {
            return Err(Error::usage(format!("condition `{}` is given twice", setting.name)));
        }
        asked.push((setting.name, setting.value.split(',').map(str::to_owned).collect()));
    }
    let guidance = args.guidance.unwrap_or(network.trained().guidance);
    if !guidance.is_finite() {
        return Err(Error::usage(format!("guidance is {guidance}, expected a number")));
    }
    let mut combinations = vec![HashMap::new()];
    for (name, values) in &asked {
        let with = |combination: &HashMap<String, String>, value: &String| {
            let mut combination = combination.clone();
            combination.insert(name.clone(), value.clone());
            combination
        };
        combinations = combinations.iter().flat_map(|c| values.iter().map(move |value| with(c, value))).collect();
    }
    let mut requests = Vec::with_capacity(combinations.len() * args.count.get());
    for combination in &combinations {
        let request = Request { condition: network.condition(combination)?, guidance };
        requests.extend(std::iter::repeat_n(request, args.count.get()));
    }
    let last = asked.iter().rev().map(|(_, values)| values.len()).find(|&count| count > 1).unwrap_or(1);
    let columns = args.columns.map_or(last * args.count.get(), NonZeroUsize::get);
    Ok(Wanted { requests, columns })
}

/// The samples, and how many sets of inputs were recorded.
fn make(
    args: &Args,
    network: &Network,
    scheduler: &dyn Scheduler,
    requests: &[Request],
) -> Result<(Vec<Vec<f32>>, usize)> {
    let steps = scheduler.timesteps().len();
    let progress = Progress::new(requests.len() * steps);
    let mut recorded = 0;
    let mut made = Vec::with_capacity(requests.len());
    for (number, request) in requests.iter().enumerate() {
        progress.at(format!("picture {} of {}", number + 1, requests.len()));
        let mut observe = |given: Given<'_>| {
            if let Some(folder) = &args.record {
                let which = if given.free { "free" } else { "asked" };
                let path = folder.join(format!("picture_{number:04}_step_{:04}_{which}.npz", given.step));
                let tensors = network.names().zip(given.inputs).map(|(name, tensor)| named(name, tensor));
                write_archive(&path, &tensors.collect::<Result<Vec<_>>>()?)?;
                recorded += 1;
            }
            if !given.free {
                progress.step();
            }
            Ok(())
        };
        let mut random = Random::new(args.seed, number as u64);
        made.push(denoise(network, scheduler, request, &mut random, &mut observe)?);
    }
    progress.finish();
    Ok((made, recorded))
}

fn named(name: &str, tensor: &Tensor) -> Result<Named> {
    let values = ArrayD::from_shape_vec(tensor.shape.clone(), tensor.data.clone()).map_err(Error::usage)?;
    Ok(Named { name: name.into(), values, is_mask: false })
}

fn write(args: &Args, samples: bool, network: &Network, made: &[Vec<f32>], columns: usize) -> Result<()> {
    let [channels, rows, width] = network.sample();
    if samples {
        let all = Array::from_shape_vec((made.len(), channels, rows, width), made.concat()).map_err(Error::usage)?;
        return write_whole(&args.out, |w| all.write_npy(w));
    }
    let values = network.trained().values;
    let pictures = made.iter().map(|sample| picture::picture(sample, network.sample(), values));
    let pictures = pictures.collect::<Result<Vec<_>, String>>().map_err(Error::usage)?;
    frame(&args.out, &picture::grid(&pictures, columns, args.scale.get()).map_err(Error::usage)?)
}
