//! Lays out memory: a linker script per program, from `memory/`, for the machine that the Cargo features choose; and the
//! zoo's plans, each as a slot of the store, its weights in the order of the board's kernel; and the operators of each.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::{Operators, Plan};

/// Where a machine has what: code, its length, plans, RAM.
type Origins = [(&'static str, &'static str); 4];

/// Machines: feature, and kernel.
const MACHINES: [(&str, &str, Origins); 4] = [
    ("AN385", "scalar", MPS2),
    ("AN386", "thumbv7em-dsp", MPS2),
    ("AN500", "thumbv7em-dsp", MPS2),
    // Code in the ITCM, plans and RAM in SRAM, all by their secure addresses.
    (
        "AN547",
        "thumbv8m-mve",
        [("@FLASH@", "0x10000000"), ("@FLASH_LEN@", "512K"), ("@PLANS@", "0x11000000"), ("@RAM@", "0x31000000")],
    ),
];
const MPS2: Origins =
    [("@FLASH@", "0x00000000"), ("@FLASH_LEN@", "3M"), ("@PLANS@", "0x00300000"), ("@RAM@", "0x20000000")];

/// Programs that have to do with the memory of a real part.
const PARTS: [&str; 3] = ["stm32f303", "stm32f411", "stm32h743"];
/// All that the machine has: every other program, and the tests.
const MACHINE: &str = "machine";

/// Plans that programs can be linked with.
const MODELS: [&str; 3] = ["nuclei", "nuclei-micro", "phase"];

fn main() -> io::Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    for folder in ["memory", "src/bin", "../models/zoo"] {
        println!("cargo::rerun-if-changed={folder}");
    }
    let chosen = MACHINES.iter().find(|(feature, ..)| env::var_os(format!("CARGO_FEATURE_{feature}")).is_some());
    let (_, kernel, origins) = chosen.expect("a board: one of the features an385, an386, an500 and an547");
    for part in PARTS.iter().chain([&MACHINE]) {
        let folder = out.join(part);
        fs::create_dir_all(&folder)?;
        let template = fs::read_to_string(root.join("memory").join(part).with_extension("x"))?;
        let script = origins.iter().fold(template, |script, (name, value)| script.replace(name, value));
        fs::write(folder.join("memory.x"), script)?;
        fs::copy(root.join("memory/sections.x"), folder.join("sections.x"))?;
        // Where cortex-m-rt looks for names of interrupts' handlers: there is one handler for all.
        fs::write(folder.join("device.x"), "")?;
    }
    // Each program finds exactly one memory.x.
    println!("cargo::rustc-link-arg-bin={}=-L{}", env!("CARGO_PKG_NAME"), out.join(MACHINE).display());
    println!("cargo::rustc-link-arg-tests=-L{}", out.join(MACHINE).display());
    for entry in fs::read_dir(root.join("src/bin"))? {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let name = program(&path);
        let part = PARTS.iter().find(|part| **part == name).unwrap_or(&MACHINE);
        println!("cargo::rustc-link-arg-bin={name}=-L{}", out.join(part).display());
    }
    if env::var_os("CARGO_FEATURE_DEFMT").is_some() {
        println!("cargo::rustc-link-arg=-Tdefmt.x");
    }
    let mut operators = String::new();
    for model in MODELS {
        let file = fs::read(root.join("../models/zoo").join(model).join("model.mtm"))?;
        let plan = Plan::parse(&file).expect("the zoo's plans are good");
        let packing = Packing::named(kernel).expect("core has the board's kernel");
        let mut packed = vec![0; packed_len(&plan, packing)];
        pack(&plan, packing, &mut packed).expect("it is as long as it should be");
        let slot = [&microtome_app::store::header(1, &packed), packed.as_slice()].concat();
        fs::write(out.join(model).with_extension("slot"), slot)?;
        let (name, bits) = (model.replace('-', "_").to_uppercase(), Operators::of(&plan).bits());
        operators += &format!("/// Operators of `{model}`.\npub const {name}: u32 = {bits:#x};\n");
    }
    fs::write(out.join("operators.rs"), operators)
}

fn program(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}
