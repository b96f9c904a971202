//! The steps. Whatever depends on tract is built in release, once; core and its tests in dev, with overflow checks.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::setup;

/// Crates that don't depend on tract.
const LIGHT: [&str; 6] = ["-p", "microtome-core", "-p", "microtome-tests", "-p", "xtask"];
/// Crates that do.
const HEAVY: [&str; 4] = ["-p", "microtome-compiler", "-p", "microtome"];
/// Machines without an operating system that core must build for.
const BARE: [&str; 4] =
    ["thumbv7em-none-eabihf", "thumbv8m.main-none-eabihf", "riscv32imac-unknown-none-elf", "wasm32-unknown-unknown"];

fn title(text: &str) {
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

/// Tests on this machine.
pub fn host(sh: &Shell) -> Result<()> {
    title("host: core and the conformance suite");
    cmd!(sh, "cargo test --quiet {LIGHT...}").run()?;
    title("host: compiler and runtime");
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
    let tests = ["session", "quant", "shape", "measure::components"];
    cmd!(sh, "cargo +nightly miri test --quiet -p microtome-core --lib -- {tests...}").run()?;
    Ok(())
}

/// core's tests and the conformance suite on AArch64.
pub fn aarch64(sh: &Shell) -> Result<()> {
    title("aarch64, under qemu-aarch64");
    setup::tools(sh, &[setup::QEMU_USER, setup::GCC_AARCH64])?;
    setup::targets(sh, &["aarch64-unknown-linux-gnu"])?;
    let _linker = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    let _runner =
        sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER", "qemu-aarch64 -L /usr/aarch64-linux-gnu");
    let crates = ["-p", "microtome-core", "-p", "microtome-tests"];
    cmd!(sh, "cargo test --quiet {crates...} --target aarch64-unknown-linux-gnu").run()?;
    Ok(())
}

/// core without an operating system.
pub fn bare(sh: &Shell) -> Result<()> {
    title("bare metal");
    setup::targets(sh, &BARE)?;
    for target in BARE {
        cmd!(sh, "cargo check --quiet -p microtome-core --target {target}").run()?;
    }
    title("Cortex-M4, under qemu-system-arm");
    setup::tools(sh, &[setup::QEMU_ARM])?;
    // Its own workspace, with its own .cargo/config.toml, which cargo reads from where it is started.
    let expected = sh.read_file("firmware/src/main.out")?;
    let _folder = sh.push_dir("firmware");
    cmd!(sh, "cargo fmt --check").run()?;
    cmd!(sh, "cargo clippy --quiet --release -- -D warnings").run()?;
    let printed = cmd!(sh, "cargo run --quiet --release").quiet().read()?;
    println!("{printed}");
    if printed.trim_end() != expected.trim_end() {
        bail!("the firmware printed something else than firmware/src/main.out");
    }
    Ok(())
}

/// The frames that are not part of the repository, where they are there.
fn data(sh: &Shell) -> Option<PathBuf> {
    let named = std::env::var_os("MICROTOME_DATA").map(PathBuf::from);
    let beside = sh.current_dir().join("../shared/data");
    named.or(Some(beside)).filter(|folder| folder.is_dir())
}

/// A model of the zoo, the folder of its frames and its floors: foreground IoU and AP50 over the held-out frames.
struct Entry {
    model: &'static str,
    frames: &'static str,
    iou: f64,
    ap50: f64,
}

/// What the cards promise, less a hundredth.
const ZOO: [Entry; 0] = [];

/// The zoo on its held-out frames: a drop below the cards' figures fails.
pub fn zoo(sh: &Shell) -> Result<()> {
    title("zoo");
    let Some(data) = data(sh) else {
        println!("no frames beside the repository (MICROTOME_DATA or ../shared/data): nothing to evaluate");
        return Ok(());
    };
    for Entry { model, frames, iou, ap50 } in ZOO {
        let folder = Path::new("models/zoo").join(model);
        let (plan, split) = (folder.join("model.mtm"), folder.join("split.csv"));
        let (images, labels) = (data.join(frames).join("images"), data.join(frames).join("labels"));
        let report = cmd!(
            sh,
            "cargo run --quiet --release -p microtome -- eval {plan} --images {images} --labels {labels} --ids {split} --json"
        )
        .quiet()
        .read()?;
        println!("{model}: {report}");
        for (name, floor) in [("iou", iou), ("ap50", ap50)] {
            let Some(found) = number(&report, name) else { bail!("{model}: eval printed no {name}") };
            if found < floor {
                bail!("{model}: {name} is {found}, expected at least {floor}");
            }
        }
    }
    Ok(())
}

/// The first number called `name` in a JSON text.
fn number(json: &str, name: &str) -> Option<f64> {
    let (_, rest) = json.split_once(&format!("\"{name}\":"))?;
    rest.trim_start().split(|c: char| c == ',' || c == '}' || c.is_whitespace()).next()?.parse().ok()
}
