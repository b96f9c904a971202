//! What a compilation was worth, layer by layer: readable, and serializable for machines.

use std::fmt;

use serde::Serialize;

/// The report of a compilation.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// How ranges were drawn; `none` where the model prescribes all of its quantization.
    pub method: String,
    /// Number of calibration images.
    pub images: usize,
    /// Whether biases were corrected for the mean error of the rounded weights.
    pub bias_correction: bool,
    /// Whether channels were equalized across layers.
    pub equalized: bool,
    /// Whether Concats got one scale for all inputs.
    pub joined_concats: bool,
    /// What was tried, in the order it was tried.
    pub trials: Vec<Trial>,
    /// Outputs.
    pub outputs: Vec<OutputReport>,
    /// Operators, in the plan's order.
    pub layers: Vec<Layer>,
    /// Frame sides: rows and width are multiples of these,
    pub multiple: [u16; 2],
    /// plus these.
    pub remainder: [u16; 2],
    /// Bytes of the plan.
    pub plan_bytes: usize,
    /// Rows of the frame that a step makes.
    pub strip_rows: u16,
}

/// One choice that was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Trial {
    /// What was tried.
    pub choice: String,
    /// Worst output's signal-to-quantization-noise ratio, in dB.
    pub sqnr: f64,
}

/// An output.
#[derive(Clone, Debug, Serialize)]
pub struct OutputReport {
    /// ONNX's name.
    pub name: String,
    /// Signal-to-quantization-noise ratio against the float run, in dB; `None` where nothing was measured.
    pub sqnr: Option<f64>,
}

/// One operator of the plan and the tensor that it makes.
#[derive(Clone, Debug, Serialize)]
pub struct Layer {
    /// The ONNX node's name.
    pub name: String,
    /// core's operator.
    pub operator: String,
    /// Output channels.
    pub channels: u16,
    /// Output scale.
    pub scale: f32,
    /// Output zero point.
    pub zero_point: i8,
    /// Signal-to-quantization-noise ratio of the output against the float run, in dB; `None` where the float run has no
    /// such value, or nothing was measured.
    pub sqnr: Option<f64>,
    /// Share of output values at −128 or 127 that float has beyond them.
    pub saturated: Option<f64>,
    /// Ring rows; `None` for all of the tensor's.
    pub ring_rows: Option<u32>,
    /// Bytes of weights, biases, scales and tables.
    pub bytes: usize,
    /// Multiplications per frame pixel.
    pub macs_per_pixel: f64,
}

fn db(value: Option<f64>) -> String {
    value.map_or("-".into(), |v| format!("{v:.1}"))
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} images, ranges by {}, plan of {} bytes", self.images, self.method, self.plan_bytes)?;
        writeln!(
            f,
            ", {}",
            if self.strip_rows == 1 { "a row per step".into() } else { format!("{} rows per step", self.strip_rows) }
        )?;
        writeln!(
            f,
            "bias correction {}, channels {}, concats {}",
            on(self.bias_correction),
            if self.equalized { "equalized" } else { "as they are" },
            if self.joined_concats { "joined" } else { "requantized" }
        )?;
        for trial in &self.trials {
            writeln!(f, "  tried {}: {:.2} dB", trial.choice, trial.sqnr)?;
        }
        for output in &self.outputs {
            writeln!(f, "output {}: {} dB", output.name, db(output.sqnr))?;
        }
        writeln!(
            f,
            "{:<18} {:>8} {:>10} {:>5} {:>7} {:>8} {:>5} {:>8} {:>9}  name",
            "operator", "channels", "scale", "zero", "dB", "sat. %", "rows", "bytes", "MAC/px"
        )?;
        for l in &self.layers {
            let rows = l.ring_rows.map_or("all".into(), |r| r.to_string());
            let saturated = l.saturated.map_or("-".into(), |s| format!("{:.3}", 100.0 * s));
            writeln!(
                f,
                "{:<18} {:>8} {:>10.3e} {:>5} {:>7} {:>8} {:>5} {:>8} {:>9.1}  {}",
                l.operator,
                l.channels,
                l.scale,
                l.zero_point,
                db(l.sqnr),
                saturated,
                rows,
                l.bytes,
                l.macs_per_pixel,
                l.name
            )?;
        }
        Ok(())
    }
}

fn on(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}
