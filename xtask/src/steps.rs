//! The steps. Whatever depends on tract is built in release, once; core and its tests in dev, with overflow checks.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::{firmware, guest, openmv, setup};

/// Crates that don't depend on tract.
const LIGHT: [&str; 6] = ["-p", "microtome-core", "-p", "microtome-tests", "-p", "xtask"];
/// Crates that do, and the benches, which depend on one of them.
const HEAVY: [&str; 6] = ["-p", "microtome-compiler", "-p", "microtome", "-p", "microtome-benches"];
/// Machines without an operating system that core must build for.
const BARE: [&str; 4] =
    ["thumbv7em-none-eabihf", "thumbv8m.main-none-eabihf", "riscv32imac-unknown-none-elf", "wasm32-unknown-unknown"];

/// A step's headline.
pub fn title(text: &str) {
    println!("\n== {text}");
}

/// Formatting and clippy.
pub fn lint(sh: &Shell) -> Result<()> {
    title("lint");
    setup::components(sh, &["rustfmt", "clippy"])?;
    cmd!(sh, "cargo fmt --all --check").run()?;
    cmd!(sh, "cargo clippy --quiet {LIGHT...} --all-targets -- -D warnings").run()?;
    cmd!(sh, "cargo clippy --quiet --release {HEAVY...} --all-targets -- -D warnings").run()?;
    Ok(())
}

/// The test that prints which kernels run, and fails if one of those in [`EXPECT`] does not.
const KERNELS_TEST: [&str; 6] = ["--test", "ops", "the_expected_kernels_run", "--", "--exact", "--nocapture"];
/// Names the kernels that must run, with commas.
const EXPECT: &str = "MICROTOME_EXPECT_KERNELS";

/// x86-64 kernels and the flags of /proc/cpuinfo that they need.
const X86_KERNELS: [(&str, &[&str]); 4] = [
    ("x86_64-avx2", &["avx2"]),
    ("x86_64-avxvnni", &["avx_vnni"]),
    ("x86_64-avx512vl-vnni", &["avx512vl", "avx512_vnni"]),
    ("x86_64-avx512vnni", &["avx512f", "avx512bw", "avx512vl", "avx512_vnni"]),
];

/// The kernels that this machine must run, by what its operating system says of it: core asks the CPU itself.
fn expected_here(sh: &Shell) -> Result<String> {
    let mut names = vec!["scalar"];
    match std::env::consts::ARCH {
        "x86_64" => {
            let cpu = sh.read_file("/proc/cpuinfo")?;
            let flags: Vec<&str> =
                cpu.lines().find(|line| line.starts_with("flags")).unwrap_or("").split(' ').collect();
            let has = |needed: &[&str]| needed.iter().all(|flag| flags.contains(flag));
            names.extend(X86_KERNELS.iter().filter(|(_, needed)| has(needed)).map(|(name, _)| *name));
        }
        "aarch64" => names.push("aarch64-neon"),
        _ => {}
    }
    Ok(names.join(","))
}

/// Tests on this machine.
pub fn host(sh: &Shell) -> Result<()> {
    title("host: core and the conformance suite, by every kernel");
    let _expected = sh.push_env(EXPECT, expected_here(sh)?);
    cmd!(sh, "cargo test --quiet {LIGHT...}").run()?;
    cmd!(sh, "cargo test --quiet -p microtome-tests {KERNELS_TEST...}").run()?;
    title("host: compiler and runtime");
    setup::tools(sh, &[setup::MOSQUITTO])?;
    cmd!(sh, "cargo test --quiet --release {HEAVY...}").run()?;
    title("host: the runtime without tract");
    cmd!(sh, "cargo check --quiet --release -p microtome --no-default-features").run()?;
    Ok(())
}

/// core under Miri. The exhaustive tests of measurement would take it hours; they hold no more of the language than
/// those that are left.
pub fn miri(sh: &Shell) -> Result<()> {
    title("miri");
    setup::nightly_miri(sh)?;
    let tests = ["session", "quant", "shape", "arch::parts", "measure::components"];
    cmd!(sh, "cargo +nightly miri test --quiet -p microtome-core --lib -- {tests...}").run()?;
    Ok(())
}

/// CPUs that AArch64 is tested on, and the kernels that each must run: baseline NEON (Raspberry Pi 3 and 4), the dot
/// product (Raspberry Pi 5, Jetson Orin), and all there is.
const AARCH64_CPUS: [(&str, &str); 3] = [
    ("cortex-a53", "scalar,aarch64-neon"),
    ("cortex-a76", "scalar,aarch64-neon,aarch64-neon-dot"),
    ("max", "scalar,aarch64-neon,aarch64-neon-dot,aarch64-neon-i8mm"),
];

/// Suites in which kernels matter; the others run on one CPU.
const KERNEL_SUITES: [&str; 8] = ["--test", "ops", "--test", "kernels", "--test", "session", "--test", "parity"];

/// core's tests and the conformance suite on AArch64.
pub fn aarch64(sh: &Shell) -> Result<()> {
    setup::tools(sh, &[setup::QEMU_USER, setup::GCC_AARCH64])?;
    setup::targets(sh, &["aarch64-unknown-linux-gnu"])?;
    let _linker = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    let target = ["--target", "aarch64-unknown-linux-gnu"];
    for (cpu, expected) in AARCH64_CPUS {
        title(&format!("aarch64, under qemu-aarch64 -cpu {cpu}"));
        let runner = format!("qemu-aarch64 -cpu {cpu} -L /usr/aarch64-linux-gnu");
        let _runner = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", runner);
        let _expected = sh.push_env(EXPECT, expected);
        if cpu == "max" {
            cmd!(sh, "cargo test --quiet -p microtome-core -p microtome-tests {target...}").run()?;
        } else {
            cmd!(sh, "cargo test --quiet -p microtome-tests {KERNEL_SUITES...} {target...}").run()?;
        }
        cmd!(sh, "cargo test --quiet -p microtome-tests {target...} {KERNELS_TEST...}").run()?;
    }
    Ok(())
}

/// Cases of every operator on the emulated microcontrollers, of which there are some more that kernels care for.
const SEEDS: &str = "40";

/// core without an operating system, its kernels for microcontrollers on emulated ones, and the firmware.
pub fn bare(sh: &Shell) -> Result<()> {
    title("bare metal");
    setup::targets(sh, &BARE)?;
    for target in BARE {
        cmd!(sh, "cargo check --quiet -p microtome-core --target {target}").run()?;
    }
    for machine in &guest::MACHINES {
        title(&format!("Cortex-{}: the conformance cases, by {}", machine.name, machine.kernel));
        machine.lint(sh)?;
        println!("{}", machine.run(sh, &["conformance", machine.kernel, SEEDS, "FILE"])?);
    }
    firmware::all(sh)?;
    openmv::openmv(sh)
}

/// The frames that are not part of the repository, where they are there.
fn data(sh: &Shell) -> Option<PathBuf> {
    let named = std::env::var_os("MICROTOME_DATA").map(PathBuf::from);
    let beside = sh.current_dir().join("../shared/data");
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

/// A model of the zoo, the folder of its frames, their kind, and what the card promises of the held-out ones.
struct Entry {
    model: &'static str,
    frames: &'static str,
    split: &'static str,
    kind: &'static str,
    iou: f64,
    ap50: f64,
}

const ZOO: [Entry; 3] = [
    Entry { model: "nuclei", frames: "nuclei", split: "nuclei", kind: "fluorescence", iou: 0.9090, ap50: 0.8157 },
    Entry { model: "nuclei-micro", frames: "nuclei", split: "nuclei", kind: "fluorescence", iou: 0.8277, ap50: 0.6838 },
    Entry { model: "phase", frames: "phase", split: "phase", kind: "phase", iou: 0.6679, ap50: 0.5861 },
];

/// Rounding of the cards' figures: the arithmetic itself is exact.
const ROUNDING: f64 = 5e-5;

/// The zoo on its held-out frames: a drop below the cards' figures fails.
pub fn zoo(sh: &Shell) -> Result<()> {
    title("zoo");
    let Some(data) = data(sh) else {
        println!("no frames beside the repository (MICROTOME_DATA or ../shared/data): nothing to evaluate");
        return Ok(());
    };
    let folder = Path::new("models/zoo");
    for Entry { model, frames, split, kind, iou, ap50 } in ZOO {
        let (plan, split) = (folder.join(model).join("model.mtm"), folder.join(split).join("split.csv"));
        let (images, labels) = (data.join(frames).join("images"), data.join(frames).join("labels"));
        let report = cmd!(
            sh,
            "cargo run --quiet --release -p microtome -- eval {plan} --images {images} --labels {labels} --ids {split} --set test --json"
        )
        .quiet()
        .read()?;
        let report: serde_json::Value = serde_json::from_str(&report)?;
        let scores = report["kinds"].get(kind).unwrap_or(&report["overall"]);
        for (name, floor) in [("iou", iou), ("ap50", ap50)] {
            let Some(found) = scores[name].as_f64() else { bail!("{model}: eval printed no {name}") };
            println!("{model}, {kind}: {name} {found:.4} (card: {floor:.4})");
            if found < floor - ROUNDING {
                bail!("{model}: {name} is {found}, the card promises {floor}");
            }
        }
    }
    Ok(())
}
