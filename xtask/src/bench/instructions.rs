//! Executed instructions per frame on AArch64, ours and those of the peers that are Rust crates.
//!
//! The worker runs under qemu-aarch64 with a plugin that counts (`benches/plugin/count.c`), once with one frame and once
//! with two; the difference is a frame's. No clock is involved, so the figures are the same on every machine, busy or not.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::bench::contenders::{Contender, OURS, RTEN, TRACT, rust_worker};
use crate::bench::models::{self, Model};
use crate::bench::table::{Table, number};
use crate::bench::target;
use crate::setup;

const TRIPLE: &str = "aarch64-unknown-linux-gnu";
/// CPUs of a Raspberry Pi 4 (no dot product) and 5, as qemu calls them, and microtome told of their second-level caches,
/// which would else be taken for those of the machine that counts.
const CPUS: [(&str, Contender); 2] = [
    ("cortex-a72", Contender { runtime: "microtome@1048576", ..OURS }),
    ("cortex-a76", Contender { runtime: "microtome@524288", ..OURS }),
];
/// The C compiler of this machine, for the plugin.
const GCC: setup::Tool = setup::Tool { program: "gcc", package: "gcc" };

const COLUMNS: [&str; 9] =
    ["model", "frame", "MMAC", "cpu", "version", "runtime", "M instructions", "per MAC", "/ ours"];

/// Arguments of `cargo xtask bench instructions`.
#[derive(clap::Args)]
pub struct Arguments {
    /// microtome only; nothing is recorded
    #[arg(long)]
    quick: bool,
    /// These models only, not recorded (S, Sn, T, D, or one of the zoo's)
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    /// This CPU only, not recorded (cortex-a72 or cortex-a76)
    #[arg(long, value_name = "NAME")]
    cpu: Option<String>,
}

/// Counts.
pub fn run(sh: &Shell, arguments: &Arguments) -> Result<()> {
    setup::tools(sh, &[setup::QEMU_USER, setup::GCC_AARCH64, GCC])?;
    setup::targets(sh, &[TRIPLE])?;
    let (python, _) = models::python(sh)?;
    cmd!(sh, "cargo build --quiet --release -p microtome --bin microtome").run()?;
    let models = models::prepare(sh, &python, &arguments.models)?;
    let _linker = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    let counter = Counter { sh, plugin: plugin(sh)?, worker: rust_worker(sh, Some(TRIPLE))? };
    let peers: &[Contender] = if arguments.quick { &[] } else { &[TRACT, RTEN[0], RTEN[1]] };
    let wanted = |cpu: &str| arguments.cpu.as_ref().is_none_or(|only| only == cpu);
    if !CPUS.iter().any(|(cpu, _)| wanted(cpu)) {
        bail!("--cpu: expected cortex-a72 or cortex-a76");
    }

    let mut record = Table::new(&COLUMNS);
    let mut failures = Vec::new();
    for model in &models {
        for (cpu, ours) in CPUS.into_iter().filter(|(cpu, _)| wanted(cpu)) {
            println!("\n{}, {}x{}, {:.1} MMAC, {cpu}", model.name, model.width, model.rows, model.macs / 1e6);
            let mut printed = Table::new(&COLUMNS[5..]);
            let mut base = None;
            for contender in [&ours].into_iter().chain(peers) {
                let mut row = vec![model.name.clone(), format!("{}x{}", model.width, model.rows)];
                row.extend([format!("{:.1}", model.macs / 1e6), cpu.into()]);
                match counter.frame(contender, model, cpu) {
                    Ok((count, version)) => {
                        let base = *base.get_or_insert(count);
                        row.extend([version, contender.name.into(), number(Some(count / 1e6))]);
                        row.extend([number(Some(count / model.macs)), number(Some(count / base))]);
                    }
                    // Without ours there is nothing to compare with.
                    Err(error) if *contender == ours => return Err(error),
                    Err(error) => {
                        failures.push(format!("{} on {}, {cpu}: {error:#}", contender.name, model.name));
                        row.extend([String::new(), contender.name.into(), format!("FAILED: {error:#}")]);
                    }
                }
                printed.push(row[5..].to_vec());
                record.push(row);
            }
            printed.print();
        }
    }
    if arguments.quick || !arguments.models.is_empty() || arguments.cpu.is_some() {
        println!("\nNot everything was run: not recorded.");
    } else {
        println!("\nRecorded in {}.", record.record(sh, "aarch64-qemu-user")?.display());
    }
    if !failures.is_empty() {
        bail!("not everything ran, and the tables lack it:\n  {}", failures.join("\n  "));
    }
    Ok(())
}

/// Builds the plugin.
fn plugin(sh: &Shell) -> Result<PathBuf> {
    let version = cmd!(sh, "qemu-aarch64 --version").quiet().read()?;
    let number = version.split_whitespace().nth(2).unwrap_or_default();
    let major: u32 = number.split('.').next().unwrap_or_default().parse().with_context(|| {
        format!("qemu-aarch64 --version says {version:?}, expected a number after \"qemu-aarch64 version\"")
    })?;
    // What a plugin must claim at least since QEMU 9, and at most before.
    let define = format!("-DPLUGIN_VERSION={}", if major < 9 { 1 } else { 2 });
    let plugin = target(sh).join("libcount.so");
    let flags = ["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-fvisibility=hidden"];
    cmd!(sh, "gcc {flags...} {define} benches/plugin/count.c -o {plugin}").quiet().run()?;
    Ok(plugin)
}

struct Counter<'a> {
    sh: &'a Shell,
    plugin: PathBuf,
    worker: PathBuf,
}

impl Counter<'_> {
    /// Instructions of a frame, and what runs it, in words.
    fn frame(&self, contender: &Contender, model: &Model, cpu: &str) -> Result<(f64, String)> {
        let out = self.plugin.with_extension("txt");
        // `run` takes one more frame than it times.
        let (one, version) = self.process(contender, model, cpu, "run 0", &out)?;
        let (two, _) = self.process(contender, model, cpu, "run 1", &out)?;
        if two <= one {
            bail!("{two} instructions for two frames, but {one} for one");
        }
        Ok((two - one, version))
    }

    fn process(&self, who: &Contender, model: &Model, cpu: &str, command: &str, out: &Path) -> Result<(f64, String)> {
        let (sh, worker, arguments) = (self.sh, &self.worker, who.arguments(model, 1));
        let plugin = format!("{},out={}", self.plugin.display(), out.display());
        let qemu = ["-L", "/usr/aarch64-linux-gnu", "-cpu", cpu, "-plugin", &plugin];
        let answers = cmd!(sh, "qemu-aarch64 {qemu...} {worker} {arguments...}").quiet().stdin(command).read()?;
        let version =
            answers.lines().find_map(|line| line.strip_prefix("ready ")).context("the worker was not ready")?;
        let count = sh.read_file(out)?;
        Ok((count.trim().parse().with_context(|| format!("{count:?} is no count"))?, version.to_owned()))
    }
}
