//! Who takes part, and with which file of a model.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::Result;
use xshell::{Shell, cmd};

use crate::bench::models::Model;
use crate::bench::target;

/// What a contender runs in.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// The worker of `benches/`, a Rust binary.
    Rust,
    /// `benches/peers/worker.py`.
    Python,
}

/// A runtime with its choice of a model's files.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Contender {
    /// As the tables call it.
    pub name: &'static str,
    /// What it runs in.
    pub host: Host,
    /// The runtime, as the worker calls it.
    pub runtime: &'static str,
    /// The file in the model's folder.
    pub file: &'static str,
}

/// microtome itself; all ratios are to it.
pub const OURS: Contender =
    Contender { name: "microtome int8", host: Host::Rust, runtime: "microtome", file: "plan.mtm" };

/// Multiply-accumulates of a run of [`PEAK`].
pub const PEAK_MACS: f64 = 4e9;

/// The machine's int8 peak, as one more worker.
pub const PEAK: Contender = Contender { name: "int8 peak", host: Host::Rust, runtime: "peak", file: "" };

/// Those of the QDQ files that ONNX Runtime and OpenVINO are best at: VNNI multiplies unsigned by signed bytes, and
/// OpenVINO computes signed activations wrongly on x86-64.
const QDQ: &str = if cfg!(target_arch = "x86_64") { "u8.onnx" } else { "s8.onnx" };

/// The peers on this machine.
pub const PEERS: [Contender; 11] = [
    python("LiteRT + XNNPACK int8", "litert", "int8.tflite"),
    python("OpenVINO int8", "openvino", QDQ),
    python("OpenVINO int8, rest bf16", "openvino-bf16", QDQ),
    python("ONNX Runtime int8", "onnxruntime", QDQ),
    python("LiteRT + XNNPACK f32", "litert", "float.tflite"),
    python("OpenVINO bf16", "openvino-bf16", "float.onnx"),
    python("OpenVINO f32", "openvino", "float.onnx"),
    python("ONNX Runtime f32", "onnxruntime", "float.onnx"),
    TRACT,
    RTEN[0],
    RTEN[1],
];

/// tract's int8 is slower than its float.
pub const TRACT: Contender = Contender { name: "tract f32", host: Host::Rust, runtime: "tract", file: "float.onnx" };

/// rten, int8 and float.
pub const RTEN: [Contender; 2] = [
    Contender { name: "rten int8", host: Host::Rust, runtime: "rten", file: "s8.onnx" },
    Contender { name: "rten f32", host: Host::Rust, runtime: "rten", file: "float.onnx" },
];

const fn python(name: &'static str, runtime: &'static str, file: &'static str) -> Contender {
    Contender { name, host: Host::Python, runtime, file }
}

impl Contender {
    /// The worker's arguments.
    pub fn arguments(&self, model: &Model, threads: usize) -> Vec<OsString> {
        let frame = model.folder.join("frame.u8");
        let file = if *self == PEAK { PEAK_MACS.to_string().into() } else { model.folder.join(self.file).into() };
        let mut arguments = vec![self.runtime.into(), file, frame.into()];
        arguments.extend([model.rows, model.width, threads as u64].map(|number| number.to_string().into()));
        arguments
    }
}

/// Builds the Rust worker with its peers, for this machine or another target.
///
/// For this machine the compiler is built along with it: apart, each would build a tract of its own.
///
/// # Errors
/// The build fails.
pub fn rust_worker(sh: &Shell, triple: Option<&str>) -> Result<PathBuf> {
    println!("building the worker with tract and rten (minutes, the first time)");
    let worker = ["-p", "microtome-benches", "--features", "microtome-benches/peers", "--bin", "bench-worker"];
    match triple {
        None => {
            let compiler = ["-p", "microtome", "--bin", "microtome"];
            cmd!(sh, "cargo build --quiet --release {worker...} {compiler...}").run()?;
        }
        Some(triple) => cmd!(sh, "cargo build --quiet --release {worker...} --target {triple}").run()?,
    }
    Ok(target(sh).join(triple.unwrap_or_default()).join("release/bench-worker"))
}
