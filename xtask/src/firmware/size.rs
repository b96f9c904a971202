//! How much flash the whole runtime takes: every operator, the measurement, the store, the line protocol, what a board
//! needs. Neither plans nor built-in frames.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use object::elf::SHF_ALLOC;
use object::{Object, ObjectSection, SectionFlags};
use xshell::{Shell, cmd};

use super::{AN385, AN386, AN500, AN547, Board};

/// Bytes of the frame that is built into the programs.
const FRAME: u64 = 96 * 96;
/// Programs, what of core is in them, the board, and the most that they may take, in KiB.
///
/// Names of source files, as a panic prints them, are among the constants: a longer path to the repository counts too.
const PROGRAMS: [(&str, &str, Board, u64); 5] = [
    ("microtome-firmware", "every operator, the scalar kernel", AN385, 84),
    ("microtome-firmware", "every operator, the kernels of Cortex-M4", AN386, 96),
    ("microtome-firmware", "every operator, the kernels of Cortex-M7", AN500, 96),
    ("microtome-firmware", "every operator, the kernels of Cortex-M55", AN547, 96),
    ("stm32f411", "the operators of one plan, the kernels of Cortex-M4", AN386, 86),
];

/// Prints the sizes; fails if one is over its limit.
pub fn check(sh: &Shell) -> Result<()> {
    for (program, what, board, limit) in PROGRAMS {
        let flags = board.flags();
        let built = cmd!(sh, "cargo build --quiet --release {flags...} --bin {program} --message-format json")
            .quiet()
            .read()?;
        let flash = flash(&executable(&built)?)? - FRAME;
        let kib = flash as f64 / 1024.0;
        println!("code of {program} ({what}): {kib:.1} KiB (at most {limit})");
        ensure!(flash <= limit * 1024, "{program} ({what}) takes {kib:.1} KiB, expected at most {limit}");
    }
    Ok(())
}

/// Where cargo says that it put the program.
fn executable(messages: &str) -> Result<PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let mut programs = messages.filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    programs.next().context("cargo names no program")
}

/// Bytes of code and constants, those of plans left out.
fn flash(program: &Path) -> Result<u64> {
    let bytes = std::fs::read(program)?;
    let elf = object::File::parse(&*bytes)?;
    let flash = elf.sections().filter(|section| {
        let SectionFlags::Elf { sh_flags } = section.flags() else { return false };
        // What is loaded, and takes room in the file: not the zeros of .bss.
        sh_flags & u64::from(SHF_ALLOC) != 0 && section.file_range().is_some() && section.name() != Ok(".plans")
    });
    Ok(flash.map(|section| section.size()).sum())
}
