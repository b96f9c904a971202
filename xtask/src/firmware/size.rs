//! How much flash the whole runtime takes: every operator, the measurement, the store, the line protocol, what a board
//! needs. Neither plans nor built-in frames.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use object::elf::SHF_ALLOC;
use object::{Object, ObjectSection, SectionFlags};
use xshell::{Shell, cmd};

use super::AN386;

/// The program that is looked at.
const PROGRAM: &str = "stm32f411";
/// Bytes of the frame that is built into it.
const FRAME: u64 = 96 * 96;
/// Cargo profiles, and the most that they may take, in KiB. (12 of either are core's, which prints two real numbers.)
const PROFILES: [(&str, u64); 2] = [("release", 106), ("size", 96)];

/// Prints the sizes; fails if one is over its limit.
pub fn check(sh: &Shell) -> Result<()> {
    for (profile, limit) in PROFILES {
        let flags = AN386.flags();
        let built =
            cmd!(sh, "cargo build --quiet --profile {profile} {flags...} --bin {PROGRAM} --message-format json")
                .quiet()
                .read()?;
        let flash = flash(&program(&built)?)? - FRAME;
        let kib = flash as f64 / 1024.0;
        println!("code of the whole runtime, profile {profile}: {kib:.1} KiB (at most {limit})");
        ensure!(flash <= limit * 1024, "the runtime takes {kib:.1} KiB by profile {profile}, expected at most {limit}");
    }
    Ok(())
}

/// Where cargo says that it put the program.
fn program(messages: &str) -> Result<PathBuf> {
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
