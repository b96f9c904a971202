//! The OpenMV Cam H7: its own workspace, which no emulator runs. What can be checked of it is checked here: its tests on
//! the host, lints with every feature, and a release build whose memory is held against the part's.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use object::{Object, ObjectSection, ObjectSymbol, SectionFlags};
use xshell::{Shell, cmd};

use crate::setup;
use crate::steps::title;

const FOLDER: &str = "firmware/openmv-h7";
const TARGET: &str = "thumbv7em-none-eabihf";
const PROGRAM: &str = "microtome-openmv-h7";

/// Memory of the part, and what it is used for.
struct Region {
    name: &'static str,
    start: u64,
    len: u64,
}

const KIB: u64 = 1024;

/// The STM32H743VI's, from its reference manual (RM0433), not from the linker script: a mistake there shows here. The first
/// two sectors of the flash are left to OpenMV's bootloader and file system.
const PART: [Region; 6] = [
    Region { name: "flash, bank 1: program", start: 0x0804_0000, len: 768 * KIB },
    Region { name: "flash, bank 2: plans", start: 0x0810_0000, len: 1024 * KIB },
    Region { name: "DTCM: stack, statics", start: 0x2000_0000, len: 128 * KIB },
    Region { name: "AXI SRAM: arena", start: 0x2400_0000, len: 512 * KIB },
    Region { name: "SRAM1-3: arena, second bank", start: 0x3000_0000, len: 288 * KIB },
    Region { name: "SRAM4: lines", start: 0x3800_0000, len: 64 * KIB },
];

/// Builds and checks the board's program. Four and a half minutes of one core from nothing, a second if nothing
/// changed.
pub fn openmv(sh: &Shell) -> Result<()> {
    title("firmware: OpenMV Cam H7");
    setup::targets(sh, &[TARGET])?;
    // Its own workspace, with its own .cargo/config.toml, which cargo reads from where it is started.
    let _folder = sh.push_dir(FOLDER);
    cmd!(sh, "cargo fmt --check").run()?;
    cmd!(sh, "cargo test --quiet --lib --target host-tuple").run()?;
    cmd!(sh, "cargo test --quiet --lib --target host-tuple --features vga").run()?;
    cmd!(sh, "cargo clippy --quiet --release --features vga,infrared,bare,defmt -- -D warnings").run()?;
    let messages = cmd!(sh, "cargo build --quiet --release --message-format json").read()?;
    let program = executable(&messages).with_context(|| format!("cargo built no {PROGRAM}"))?;
    report(Path::new(&program))
}

/// Where cargo says that it put the program.
fn executable(messages: &str) -> Option<String> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    messages.filter_map(|message| message["executable"].as_str().map(str::to_owned)).next_back()
}

/// Prints what is used of each region; fails if something lies in none, or beyond the end of one.
fn report(program: &Path) -> Result<()> {
    let file = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let elf = object::File::parse(&*file).context("the program is no ELF file")?;
    let mut used = PART.map(|_| 0);
    for section in elf.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { continue };
        if sh_flags & u64::from(object::elf::SHF_ALLOC) == 0 || section.size() == 0 {
            continue;
        }
        let end = section.address() + section.size();
        let name = section.name()?;
        let region =
            PART.iter().position(|region| (region.start..region.start + region.len).contains(&section.address()));
        let Some(region) = region else { bail!("{name} lies where the part has no memory: {:#x}", section.address()) };
        used[region] = used[region].max(end - PART[region].start);
        // Lies in flash, too, from where startup copies it.
        if name == ".data" {
            used[0] += section.size();
        }
    }
    for (region, used) in PART.iter().zip(used) {
        println!("{:<28} {:>7} of {:>7} bytes, {:>3} %", region.name, used, region.len, used * 100 / region.len);
        if used > region.len {
            bail!("{}: {used} bytes are used, the part has {}", region.name, region.len);
        }
    }
    println!("{:<28} {:>7} bytes", "stack", stack(&elf).context("the program has no stack")?);
    Ok(())
}

fn stack(elf: &object::File) -> Option<u64> {
    Some(elf.symbol_by_name("_stack_start")?.address() - elf.symbol_by_name("_stack_end")?.address())
}
