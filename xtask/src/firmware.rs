//! The firmware: built, linted and run on every board that QEMU emulates, and held against what its folder says of it.
//!
//! It is a workspace of its own, with its own `.cargo/config.toml`, which cargo reads from where it is started: so every
//! step runs in its folder.

mod account;
mod programs;
mod size;

use anyhow::{Result, bail};
use xshell::{Shell, cmd};

use crate::setup;
use crate::steps::title;

/// A board: its Cargo feature, and the target that its CPU wants.
pub struct Board {
    feature: &'static str,
    target: &'static str,
}

/// Cortex-M4F.
const AN386: Board = Board { feature: "an386", target: "thumbv7em-none-eabihf" };
/// Cortex-M7.
const AN500: Board = Board { feature: "an500", target: "thumbv7em-none-eabihf" };
/// Cortex-M55.
const AN547: Board = Board { feature: "an547", target: "thumbv8m.main-none-eabihf" };
/// Cortex-M3: no FPU, so that every real number is computed in software.
const AN385: Board = Board { feature: "an385", target: "thumbv7m-none-eabi" };

/// All of them.
const BOARDS: [Board; 4] = [AN386, AN500, AN547, AN385];

impl Board {
    /// Arguments of cargo that choose it.
    fn flags(&self) -> [&'static str; 5] {
        ["--no-default-features", "--features", self.feature, "--target", self.target]
    }
}

/// All steps.
pub fn all(sh: &Shell) -> Result<()> {
    setup::tools(sh, &[setup::QEMU_ARM])?;
    setup::targets(sh, &BOARDS.map(|board| board.target))?;
    let _folder = sh.push_dir("firmware");
    title("firmware: lints, and the app on this machine");
    cmd!(sh, "cargo fmt --all --check").run()?;
    let host = ["--package", "microtome-app", "--target", "host-tuple"];
    cmd!(sh, "cargo clippy --quiet {host...} --all-targets -- -D warnings").run()?;
    cmd!(sh, "cargo test --quiet {host...}").run()?;
    for board in &BOARDS {
        title(&format!("firmware: {}", board.feature));
        let flags = board.flags();
        cmd!(sh, "cargo clippy --quiet --release {flags...} --lib --bins --tests -- -D warnings").run()?;
        programs::snapshot(sh, board, "microtome-firmware", "src/main.out")?;
        programs::snapshot(sh, board, "digests", "src/bin/digests.out")?;
        cmd!(sh, "cargo test --quiet --release {flags...}").run()?;
        programs::bad_ends(sh, board)?;
    }
    title("firmware: frames and plans of the host, and the log");
    programs::stream(sh, &AN386)?;
    programs::update(sh, &AN386)?;
    programs::log(sh, &AN386)?;
    title("firmware: memory");
    account::check(sh)?;
    size::check(sh)
}

/// Cargo's arguments that run a program on a board.
fn run_flags<'a>(board: &Board, program: &'a str) -> Vec<&'a str> {
    [&["--quiet", "--release"][..], &board.flags(), &["--bin", program]].concat()
}

/// What a program prints on a board.
fn printed(sh: &Shell, board: &Board, program: &str) -> Result<String> {
    let flags = run_flags(board, program);
    Ok(cmd!(sh, "cargo run {flags...}").quiet().read()?)
}

/// Fails with both texts where they differ.
fn same(what: &str, found: &str, expected: &str) -> Result<()> {
    if found.trim_end() == expected.trim_end() {
        return Ok(());
    }
    bail!("{what}: found\n{found}\nexpected\n{expected}");
}
