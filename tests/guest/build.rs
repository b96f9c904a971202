//! Says where the emulated machine's memory is.

use std::env;
use std::fs;
use std::path::PathBuf;

/// mps2-an386 and mps2-an500: a Cortex-M4, a Cortex-M7.
const MPS2: &str = "MEMORY { FLASH : ORIGIN = 0x00000000, LENGTH = 4M RAM : ORIGIN = 0x20000000, LENGTH = 4M }";
/// mps3-an547: a Cortex-M55.
const MPS3: &str = "MEMORY { FLASH : ORIGIN = 0x10000000, LENGTH = 512K RAM : ORIGIN = 0x31000000, LENGTH = 4M }";

fn main() {
    let (Some(out), Ok(target)) = (env::var_os("OUT_DIR"), env::var("TARGET")) else { return };
    let out = PathBuf::from(out);
    let memory = if target.starts_with("thumbv8m") { MPS3 } else { MPS2 };
    if let Err(error) = fs::write(out.join("memory.x"), memory) {
        println!("cargo::error=memory.x: {error}");
    }
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rerun-if-changed=build.rs");
}
