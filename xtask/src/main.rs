//! `cargo xtask …`: the steps that people and CI run, one by one or all together.
//!
//! Every step sets up what it needs, or says exactly what to install; none is skipped silently.

mod apt;
mod bench;
mod firmware;
mod guest;
mod openmv;
mod package;
mod page;
mod pi;
mod qemu;
mod setup;
mod soak;
mod steps;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use xshell::Shell;

/// Builds, tests and checks microtome.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything that CI runs: lints, host, miri, aarch64, an emulated Raspberry Pi, bare, zoo, page.
    Test,
    /// Formatting and clippy.
    Lint,
    /// The tests of every crate on this machine.
    Host,
    /// core's tests and the conformance suite on AArch64, under qemu-aarch64.
    Aarch64,
    /// The command on an emulated Raspberry Pi: frames from a V4L2 camera, unplugging included; the light, the stepper, the trigger.
    Pi,
    /// core under Miri: no undefined behaviour, whatever the arena's alignment.
    Miri,
    /// core for machines without an operating system; the firmware on Cortex-M boards under QEMU.
    Bare,
    /// The firmware alone: on every board under QEMU, with its memory and code size; and the OpenMV Cam H7's.
    Firmware,
    /// The OpenMV Cam H7's program: built, checked, and held against the part's memory.
    Openmv,
    /// The zoo's models on their held-out frames, where ../shared/data or MICROTOME_DATA is there.
    Zoo,
    /// The page of `microtome serve`, in headless Chromium.
    Page(page::Build),
    /// `microtome serve` for many frames, with a page open: rate, latency and memory go on record.
    Soak(soak::Arguments),
    /// The Debian package for arm64: built, looked over, and installed, used and purged in an emulated Debian.
    Package,
    /// Measurements beside the peers; see benches/README.md.
    #[command(subcommand)]
    Bench(bench::Bench),
    /// Cargo's runner for the firmware.
    #[command(hide = true)]
    Qemu(qemu::Qemu),
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let sh = Shell::new()?;
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the xtask has no parent folder")?;
    sh.change_dir(root);
    match arguments.command {
        Command::Test => {
            steps::lint(&sh)?;
            steps::host(&sh)?;
            steps::miri(&sh)?;
            steps::aarch64(&sh)?;
            pi::pi(&sh)?;
            steps::bare(&sh)?;
            steps::zoo(&sh)?;
            page::page(&sh, page::Build::default())?;
        }
        Command::Lint => steps::lint(&sh)?,
        Command::Host => steps::host(&sh)?,
        Command::Miri => steps::miri(&sh)?,
        Command::Aarch64 => steps::aarch64(&sh)?,
        Command::Pi => pi::pi(&sh)?,
        Command::Bare => steps::bare(&sh)?,
        Command::Firmware => {
            firmware::all(&sh)?;
            openmv::openmv(&sh)?;
        }
        Command::Openmv => openmv::openmv(&sh)?,
        Command::Zoo => steps::zoo(&sh)?,
        Command::Page(build) => page::page(&sh, build)?,
        Command::Soak(arguments) => soak::soak(&sh, &arguments)?,
        Command::Package => package::package(&sh)?,
        Command::Bench(what) => bench::bench(&sh, &what)?,
        Command::Qemu(options) => std::process::exit(qemu::run(&options)?),
    }
    println!("\nxtask: all done");
    Ok(())
}
