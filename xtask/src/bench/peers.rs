//! Wall time and memory beside the peers.
//!
//! All contenders of a model are started first. Then they take turns, round by round, each with as many frames as fit a
//! turn, so that whatever happens on the machine happens to all. A contender's time is the median over the rounds of the
//! round's median; its ratio to microtome is the median of the ratios within each round. The machine's int8 peak is
//! measured by one more worker in the same rounds.

use std::path::{Path, PathBuf};
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use xshell::Shell;

use crate::bench::contenders::{Contender, Host, OURS, PEAK, PEAK_MACS, PEERS, rust_worker};
use crate::bench::machine;
use crate::bench::models::{self, Model};
use crate::bench::table::{Table, median, number};
use crate::bench::target;
use crate::bench::worker::{Worker, floats};

/// Pause between turns, in which threads that spin for more work give up.
const PAUSE: Duration = Duration::from_millis(20);

/// What is recorded; all but the first five columns are printed, too.
const COLUMNS: [&str; 13] = [
    "model",
    "frame",
    "MMAC",
    "threads",
    "version",
    "runtime",
    "ms",
    "ms / ours",
    "GMAC/s",
    "of peak",
    "MiB",
    "error",
    "rounds",
];

/// Arguments of `cargo xtask bench peers`.
#[derive(clap::Args)]
pub struct Arguments {
    /// Few and short rounds, to see that everything works; nothing is recorded
    #[arg(long)]
    quick: bool,
    /// These models only, not recorded (S, Sn, T, D, or one of the zoo's)
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// Rounds [default: 15, quick: 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// So many threads only, not recorded [default: 1, then all]
    #[arg(long)]
    threads: Option<usize>,
}

/// What all groups share.
struct Setup {
    python: PathBuf,
    worker: PathBuf,
    logs: PathBuf,
    rounds: usize,
    /// Nanoseconds of a turn.
    turn: f64,
}

/// Runs the comparison.
pub fn run(sh: &Shell, arguments: &Arguments) -> Result<()> {
    let (python, missing) = models::python(sh)?;
    let worker = rust_worker(sh, None)?;
    let models = models::prepare(sh, &python, &arguments.models)?;
    let setup = Setup {
        python,
        worker,
        logs: sh.create_dir(target(sh).join("bench-logs"))?,
        rounds: arguments.rounds.unwrap_or(if arguments.quick { 3 } else { 15 }).max(1),
        turn: if arguments.quick { 30e6 } else { 100e6 },
    };
    let all = available_parallelism()?.get();
    let threads = arguments.threads.map_or_else(|| if all > 1 { vec![1, all] } else { vec![1] }, |one| vec![one]);
    let mut record = Table::new(&COLUMNS);
    let mut failures: Vec<String> =
        missing.iter().map(|package| format!("{package}: cannot be installed from PyPI")).collect();
    for model in &models {
        for &threads in &threads {
            group(&setup, model, threads, &mut record, &mut failures)?;
        }
    }
    println!(
        "\nms: median of {} rounds. ms / ours: median of the ratios within each round. of peak: of the int8 peak that the\n\
         same rounds measured. MiB: peak resident memory over the same process before it loaded a model (runtime imported,\n\
         nothing else). error: relative L2 distance to the float model's output.",
        setup.rounds
    );
    if arguments.quick || !arguments.models.is_empty() || arguments.threads.is_some() {
        println!("A quick run, or not everything: not recorded.");
    } else {
        println!("Recorded in {}.", record.record(sh, &machine::name()?)?.display());
    }
    if !failures.is_empty() {
        bail!("not everything ran, and the tables lack it:\n  {}", failures.join("\n  "));
    }
    Ok(())
}

/// One model on so many threads.
fn group(setup: &Setup, model: &Model, threads: usize, record: &mut Table, failures: &mut Vec<String>) -> Result<()> {
    let cores = if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    println!("\n{}, {}x{}, {:.1} MMAC, {cores}", model.name, model.width, model.rows, model.macs / 1e6);
    let all = [OURS, PEAK].into_iter().chain(PEERS);
    let mut seats: Vec<Seat> = all.map(|contender| setup.seat(contender, model, threads)).collect();
    for round in 0..setup.rounds {
        // Each goes first in turn.
        for turn in 0..seats.len() {
            let at = (round + turn) % seats.len();
            seats[at].turn();
            sleep(PAUSE);
        }
    }
    let rounds = Rounds {
        model,
        expected: floats(&model.folder.join("expected.f32"))?,
        ours: seats[0].medians.clone(),
        peak: median(seats[1].medians.clone()).map(|ns| PEAK_MACS / ns),
        logs: &setup.logs,
    };
    let mut printed = Table::new(&COLUMNS[5..]);
    for seat in &mut seats {
        let mut row = vec![model.name.clone(), format!("{}x{}", model.width, model.rows)];
        row.extend([format!("{:.1}", model.macs / 1e6), threads.to_string()]);
        row.extend(rounds.figures(seat).unwrap_or_else(|error| {
            failures.push(format!("{} on {}, {cores}: {error}", seat.contender.name, model.name));
            vec![String::new(), seat.contender.name.into(), format!("FAILED: {error}")]
        }));
        printed.push(row[5..].to_vec());
        record.push(row);
    }
    printed.print();
    Ok(())
}

impl Setup {
    /// Starts a contender and measures how many frames fit a turn.
    fn seat(&self, contender: Contender, model: &Model, threads: usize) -> Seat {
        let mut program = match contender.host {
            Host::Rust => vec![self.worker.clone().into()],
            Host::Python => vec![self.python.clone().into(), "benches/peers/worker.py".into()],
        };
        program.extend(contender.arguments(model, threads));
        let log = self.logs.join(format!("{}-{}-{threads}.log", contender.name.replace(' ', "-"), model.name));
        let first = Worker::start(&program, threads == 1, &log).and_then(|mut worker| {
            let times = worker.run(1)?;
            Ok((worker, times[0]))
        });
        let (worker, frames) = match first {
            Ok((worker, ns)) => (Ok(worker), (self.turn / ns.max(1.0)) as usize),
            Err(error) => (Err(error), 1),
        };
        Seat { contender, worker, frames: frames.clamp(1, 1000), medians: Vec::new() }
    }
}

/// A contender in the rounds.
struct Seat {
    contender: Contender,
    worker: Result<Worker>,
    /// Frames of a turn.
    frames: usize,
    /// The median of each round, in ns.
    medians: Vec<f64>,
}

impl Seat {
    fn turn(&mut self) {
        let Ok(worker) = &mut self.worker else { return };
        match worker.run(self.frames) {
            Ok(times) => self.medians.extend(median(times)),
            Err(error) => self.worker = Err(error),
        }
    }
}

/// What the rounds of a model gave.
struct Rounds<'a> {
    model: &'a Model,
    /// The float model's output.
    expected: Vec<f32>,
    /// microtome's medians.
    ours: Vec<f64>,
    /// GMAC/s.
    peak: Option<f64>,
    logs: &'a Path,
}

impl Rounds<'_> {
    /// A row of the table from the version on.
    fn figures(&self, seat: &mut Seat) -> Result<Vec<String>> {
        let name = seat.contender.name;
        let worker = seat.worker.as_mut().map_err(|error| anyhow!("{error}"))?;
        let ns = median(seat.medians.clone()).context("no round was finished")?;
        let is_peak = seat.contender == PEAK;
        let rate = if is_peak { PEAK_MACS } else { self.model.macs } / ns;
        let mut row = vec![worker.version.clone(), name.to_owned(), number(Some(ns / 1e6))];
        if is_peak {
            let name = format!("int8 peak: {}", worker.version);
            row = vec![String::new(), name, String::new(), String::new(), number(Some(rate))];
            return Ok(row);
        }
        // A round that ours did not finish would shift the pairs: then there is no ratio.
        let paired = self.ours.len() == seat.medians.len();
        let ratios = seat.medians.iter().zip(&self.ours).map(|(theirs, ours)| theirs / ours);
        let ratio = median(ratios.filter(|_| paired).collect());
        let (empty, most) = worker.memory()?;
        let found = worker.output(&self.logs.join("output.f32"))?;
        row.extend([
            number(ratio),
            number(Some(rate)),
            self.peak.map(|peak| format!("{:.1} %", 100.0 * rate / peak)).unwrap_or_default(),
            number(Some((most - empty) / 1024.0)),
            number(Some(distance(&found, &self.expected)?)),
            seat.medians.len().to_string(),
        ]);
        Ok(row)
    }
}

/// Relative L2 distance.
fn distance(found: &[f32], expected: &[f32]) -> Result<f64> {
    if found.len() != expected.len() {
        bail!("{} output values, expected {}", found.len(), expected.len());
    }
    let sum = |values: &mut dyn Iterator<Item = f32>| values.map(|v| f64::from(v) * f64::from(v)).sum::<f64>();
    let off = sum(&mut found.iter().zip(expected).map(|(f, e)| f - e));
    Ok((off / sum(&mut expected.iter().copied())).sqrt())
}
