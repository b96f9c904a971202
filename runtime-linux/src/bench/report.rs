//! What `microtome bench` says: at most 100 columns, to be pasted into an issue as it is.

use std::fmt;

use microtome_core::Frame;
use microtome_core::plan::{Op, Plan};
use microtome_core::shape::Window;
use serde::Serialize;

use super::profile;
use crate::inspect::Inspection;
use crate::machine::{Footing, kib, plural};

/// The report.
#[derive(Debug, Serialize)]
pub struct Report {
    /// microtome's version.
    pub version: &'static str,
    /// The plan's name.
    pub plan: String,
    /// Size of the plan in bytes.
    pub plan_bytes: usize,
    /// Rows of the frame.
    pub height: u32,
    /// Pixels per row.
    pub width: u32,
    /// Multiply-accumulates per frame.
    pub macs: u64,
    /// Processor, kernel, threads, strips and arena.
    pub machine: Footing,
    /// Whole frames.
    pub frames: Times,
    /// Per operator, in the plan's order.
    pub operators: Vec<OperatorTime>,
    /// Milliseconds of a frame that no operator takes: input, schedule and output.
    pub rest_ms: f64,
}

/// Times of frames.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Times {
    /// Frames that were timed.
    pub count: usize,
    /// Milliseconds per frame: the median,
    pub median_ms: f64,
    /// and the fastest.
    pub min_ms: f64,
    /// Frames per second, by the median.
    pub frames_per_second: f64,
    /// Billions of multiply-accumulates per second, by the median.
    pub gmacs_per_second: f64,
}

/// What an operator took of a frame: the median of its times.
#[derive(Debug, Serialize)]
pub struct OperatorTime {
    /// ONNX operator, with the window of a convolution.
    pub operator: String,
    /// ONNX node's name.
    pub name: String,
    /// Rows, width, channels of what it makes.
    pub shape: [u32; 3],
    /// Milliseconds per frame.
    pub ms: f64,
    /// Steps per frame.
    pub steps: u64,
    /// Rows per frame.
    pub rows: u64,
    /// Multiply-accumulates per frame.
    pub macs: u64,
    /// Billions of them per second.
    pub gmacs_per_second: f64,
    /// Bytes of weights, biases and tables in the plan.
    pub weight_bytes: usize,
    /// Bytes of the ring that it writes.
    pub ring_bytes: u64,
}

impl Times {
    /// Of so many seconds each.
    pub fn of(mut seconds: Vec<f64>, macs: u64) -> Self {
        let count = seconds.len();
        let median = median(&mut seconds);
        Times {
            count,
            median_ms: 1e3 * median,
            min_ms: 1e3 * seconds.first().copied().unwrap_or(f64::NAN),
            frames_per_second: 1.0 / median,
            gmacs_per_second: macs as f64 / median / 1e9,
        }
    }
}

/// Sorts, and returns the middle.
pub(super) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let at = |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    (at(values.len().saturating_sub(1) / 2) + at(values.len() / 2)) / 2.0
}

/// Per operator, from what each took of some frames; and the milliseconds that none took.
pub(super) fn profile(frames: &[profile::Frame], costs: &Inspection, plan: &Plan<'_>) -> (Vec<OperatorTime>, f64) {
    let each = plan.operators().zip(costs.tensors.iter().skip(1)).enumerate();
    let operators = each
        .map(|(index, (operator, cost))| {
            let taken = |frame: &profile::Frame| frame.operators.get(index).copied();
            let seconds = median(&mut frames.iter().filter_map(taken).map(|taken| taken.seconds).collect::<Vec<_>>());
            // The same in every frame.
            let (steps, rows) = frames.first().and_then(taken).map_or((0, 0), |taken| (taken.steps, taken.rows));
            OperatorTime {
                operator: label(&operator.op),
                name: cost.name.clone(),
                shape: cost.shape,
                ms: 1e3 * seconds,
                steps,
                rows,
                macs: cost.macs,
                gmacs_per_second: cost.macs as f64 / seconds / 1e9,
                weight_bytes: cost.weight_bytes,
                ring_bytes: cost.ring_bytes,
            }
        })
        .collect();
    let rest = median(&mut frames.iter().map(|frame| frame.rest).collect::<Vec<_>>());
    (operators, 1e3 * rest)
}

/// The operator's name, and the window of a convolution: `Conv 3x3 s2`.
fn label(op: &Op<'_>) -> String {
    let window = |window: &Window, group: u16| {
        let [rows, columns] = window.kernel;
        let stride = window.stride.iter().max().filter(|&&s| s > 1).map_or_else(String::new, |s| format!(" s{s}"));
        let grouped = if group > 1 { " dw" } else { "" };
        format!("{rows}x{columns}{grouped}{stride}")
    };
    match op {
        Op::Conv(conv) => format!("Conv {}", window(&conv.window, conv.group)),
        Op::ConvTranspose { conv, .. } => format!("ConvT {}", window(&conv.window, conv.group)),
        other => other.name().to_owned(),
    }
}

impl Report {
    pub(super) fn new(
        plan: &Plan<'_>,
        frame: Frame,
        machine: Footing,
        frames: Times,
        operators: Vec<OperatorTime>,
        rest_ms: f64,
    ) -> Self {
        let name = plan.provenance().lines().find_map(|line| line.strip_prefix("name="));
        Report {
            version: env!("CARGO_PKG_VERSION"),
            plan: name.filter(|name| !name.is_empty()).unwrap_or("unnamed").to_owned(),
            plan_bytes: plan.file_len(),
            height: frame.height,
            width: frame.width,
            macs: operators.iter().map(|operator| operator.macs).sum(),
            machine,
            frames,
            operators,
            rest_ms,
        }
    }

    /// So many milliseconds as a share of the profile.
    pub(super) fn share(&self, ms: f64) -> f64 {
        ms / (self.rest_ms + self.operators.iter().map(|operator| operator.ms).sum::<f64>())
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Times { count, median_ms, min_ms, frames_per_second, gmacs_per_second, .. } = self;
        writeln!(f, "median           {median_ms:.3} ms per frame, of {count} frame{}", plural(*count))?;
        write!(f, "fastest          {min_ms:.3} ms per frame")?;
        write!(f, "\nrate             {frames_per_second:.1} frames/s")?;
        if *gmacs_per_second > 0.0 {
            write!(f, ", {gmacs_per_second:.1} GMAC/s")?;
        }
        Ok(())
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "microtome        {}", self.version)?;
        writeln!(f, "plan             {}, {}", self.plan, kib(self.plan_bytes))?;
        writeln!(f, "frame            {}x{}, {:.1} MMAC", self.width, self.height, self.macs as f64 / 1e6)?;
        writeln!(f, "{}", self.machine)?;
        writeln!(f, "{}\n", self.frames)?;
        writeln!(
            f,
            "{:>3} {:<14} {:>14} {:>8} {:>6} {:>6} {:>6} {:>8} {:>7} {:>9} {:>9}",
            "#", "operator", "output", "ms", "share", "steps", "rows", "MMAC", "GMAC/s", "weights", "ring"
        )?;
        let share = |ms: f64| format!("{:.1}%", 100.0 * self.share(ms));
        for (o, index) in self.operators.iter().zip(1..) {
            let [rows, width, channels] = o.shape;
            let (mmac, gmacs) = match o.macs {
                0 => ("-".to_owned(), "-".to_owned()),
                macs => (format!("{:.2}", macs as f64 / 1e6), format!("{:.1}", o.gmacs_per_second)),
            };
            writeln!(
                f,
                "{index:>3} {:<14.14} {:>14} {:>8.3} {:>6} {:>6} {:>6} {mmac:>8} {gmacs:>7} {:>9} {:>9}",
                o.operator,
                format!("{rows}x{width}x{channels}"),
                o.ms,
                share(o.ms),
                o.steps,
                o.rows,
                kib(o.weight_bytes),
                kib(o.ring_bytes as usize),
            )?;
        }
        let rest = self.rest_ms;
        write!(f, "    {:<29} {rest:>8.3} {:>6}", "input, schedule, output", share(rest))
    }
}
