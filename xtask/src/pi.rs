//! A Raspberry Pi with a camera, emulated: Debian's own kernel boots on QEMU's `raspi3b` with an initramfs that holds our static binary.
//!
//! Frames come from the kernel's vivid camera through V4L2; the light, the stepper and the trigger go through rppal, and are seen and set
//! from here, outside the guest, on the pins of the emulated chip.

mod checks;
pub mod debian;
mod guest;
pub mod initramfs;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::{setup, steps};

const TARGET: &str = "aarch64-unknown-linux-gnu";

/// The model that segments in the guest: emulated, a larger one takes its time.
const MODEL: &str = "models/zoo/nuclei-micro/model.mtm";

/// Boots it, and holds what it said and what its pins did to what they should.
pub fn pi(sh: &Shell) -> Result<()> {
    steps::title("raspberry pi: a camera and pins, under qemu-system-aarch64 -M raspi3b");
    setup::tools(sh, &[setup::QEMU_AARCH64, setup::GCC_AARCH64])?;
    setup::targets(sh, &[TARGET])?;
    let folder = crate::bench::target(sh).join("pi");
    sh.create_dir(&folder)?;
    let debian = debian::fetch(sh, &folder.join("debian"))?;
    let microtome = build(sh, &folder)?;
    let image = folder.join("initramfs.cpio");
    let files =
        [("bin/busybox", debian.busybox.as_path()), ("bin/microtome", &microtome), ("model.mtm", Path::new(MODEL))];
    initramfs::write(&image, include_bytes!("pi/init"), &files, &debian.modules)?;
    let log = guest::run(&debian, &image, &folder)?;
    checks::check(&log).with_context(|| format!("the guest's own words are in {}", folder.join("log").display()))
}

/// The binary for the guest, which has no libraries: static, and without the compiler for models.
fn build(sh: &Shell, folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("build");
    // By --config, so that flags for this build are no flags for others of the target.
    let settings = [
        "--config",
        "target.aarch64-unknown-linux-gnu.linker='aarch64-linux-gnu-gcc'",
        "--config",
        "target.aarch64-unknown-linux-gnu.rustflags=['-C', 'target-feature=+crt-static']",
    ];
    let features = ["--no-default-features", "--features", "raspberry"];
    let place = ["--target".as_ref(), TARGET.as_ref(), "--target-dir".as_ref(), folder.as_os_str()];
    cmd!(sh, "cargo build --quiet --release -p microtome {features...} {place...} {settings...}").run()?;
    Ok(folder.join(TARGET).join("release/microtome"))
}
