//! The Debian package for arm64: built by cargo-deb, looked over, and tried in a Debian 12 that boots under QEMU.
//!
//! What is packaged, and with which features, is in `runtime-linux/Cargo.toml`; scripts, unit and rules are in `runtime-linux/debian/`.

mod look;
mod root;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{setup, steps};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// Makes and tries it.
pub fn package(sh: &Shell) -> Result<()> {
    steps::title("package: for Debian on arm64");
    setup::tools(sh, &[setup::GCC_AARCH64, setup::LINTIAN, setup::CPIO, setup::QEMU_AARCH64])?;
    setup::targets(sh, &[TARGET])?;
    setup::cargo_deb(sh)?;
    let package = build(sh)?;
    look::over(sh, &package)?;
    steps::title("package: in an emulated Debian");
    let folder = crate::bench::target(sh).join("package");
    sh.create_dir(&folder)?;
    let root = root::archive(sh, &folder.join("root"))?;
    trial::run(sh, &package, &root, &folder)?;
    println!("{}", package.display());
    Ok(())
}

/// Builds it; dynamically linked, by this machine's cross compiler.
fn build(sh: &Shell) -> Result<PathBuf> {
    let _linker = sh.push_env("CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER", "aarch64-linux-gnu-gcc");
    let printed = cmd!(sh, "cargo deb --quiet --locked --package microtome --target {TARGET}").read()?;
    let path = printed.lines().last().context("cargo-deb names no package")?;
    Ok(Path::new(path).to_owned())
}
