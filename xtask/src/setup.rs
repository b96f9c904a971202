//! What a step needs on the machine: installed where that can be done, asked for where it cannot.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

/// A program and the Debian package that brings it.
pub struct Tool {
    /// Name on the PATH.
    pub program: &'static str,
    /// Debian package, or several.
    pub package: &'static str,
}

/// Runs AArch64 Linux programs.
pub const QEMU_USER: Tool = Tool { program: "qemu-aarch64", package: "qemu-user" };
/// Emulates a Raspberry Pi.
pub const QEMU_AARCH64: Tool = Tool { program: "qemu-system-aarch64", package: "qemu-system-arm" };
/// Emulates Cortex-M boards.
pub const QEMU_ARM: Tool = Tool { program: "qemu-system-arm", package: "qemu-system-arm" };
/// A browser without a screen.
pub const CHROMIUM: Tool = Tool { program: "chromium", package: "chromium" };
/// Drives it.
pub const NODE: Tool = Tool { program: "node", package: "nodejs" };
/// Fetches what Node needs for that.
pub const NPM: Tool = Tool { program: "npm", package: "npm" };
/// Links AArch64 Linux programs.
pub const GCC_AARCH64: Tool =
    Tool { program: "aarch64-linux-gnu-gcc", package: "gcc-aarch64-linux-gnu libc6-dev-arm64-cross" };

/// Archives a root for the kernel.
pub const CPIO: Tool = Tool { program: "cpio", package: "cpio" };
/// Looks over Debian packages.
pub const LINTIAN: Tool = Tool { program: "lintian", package: "lintian" };

/// A broker to publish to.
pub const MOSQUITTO: Tool = Tool { program: "mosquitto", package: "mosquitto" };

fn has(sh: &Shell, program: &str) -> bool {
    cmd!(sh, "which {program}").quiet().ignore_stdout().ignore_stderr().run().is_ok()
}

/// Where a program is.
pub fn path(sh: &Shell, program: &str) -> Result<PathBuf> {
    let path = cmd!(sh, "which {program}").quiet().read();
    Ok(path.with_context(|| format!("{program} is not on the PATH"))?.into())
}

/// Makes sure of the tools, with apt where this user may.
pub fn tools(sh: &Shell, tools: &[Tool]) -> Result<()> {
    let missing = tools.iter().filter(|t| !has(sh, t.program));
    let packages: Vec<&str> = missing.flat_map(|t| t.package.split(' ')).collect();
    if packages.is_empty() {
        return Ok(());
    }
    let root = cmd!(sh, "id -u").quiet().read().is_ok_and(|id| id == "0");
    if !root || !has(sh, "apt-get") {
        bail!("this step needs: {0}\ninstall with: sudo apt-get install {0}", packages.join(" "));
    }
    cmd!(sh, "apt-get update -qq").run()?;
    cmd!(sh, "apt-get install -y -qq --no-install-recommends {packages...}").ignore_stdout().run()?;
    Ok(())
}

/// Makes sure of cargo-deb, which makes Debian packages.
pub fn cargo_deb(sh: &Shell) -> Result<()> {
    if has(sh, "cargo-deb") {
        return Ok(());
    }
    cmd!(sh, "cargo install --quiet --locked cargo-deb").run().context("this step needs cargo-deb")
}

/// Makes sure that Rust can compile for the targets.
pub fn targets(sh: &Shell, targets: &[&str]) -> Result<()> {
    let Ok(installed) = cmd!(sh, "rustup target list --installed").quiet().read() else {
        bail!("rustup is missing; this step needs the Rust targets {}", targets.join(" "));
    };
    let missing: Vec<&&str> = targets.iter().filter(|target| !installed.lines().any(|line| line == **target)).collect();
    if !missing.is_empty() {
        cmd!(sh, "rustup target add {missing...}").run()?;
    }
    Ok(())
}

/// Makes sure of rustup components.
pub fn components(sh: &Shell, components: &[&str]) -> Result<()> {
    let installed = cmd!(sh, "rustup component list --installed").quiet().read()?;
    let missing: Vec<&&str> =
        components.iter().filter(|name| !installed.lines().any(|line| line.starts_with(**name))).collect();
    if !missing.is_empty() {
        cmd!(sh, "rustup component add {missing...}").run()?;
    }
    Ok(())
}

/// Makes sure of Miri, which only nightly has.
pub fn nightly_miri(sh: &Shell) -> Result<()> {
    if cmd!(sh, "cargo +nightly miri --version").quiet().ignore_stdout().ignore_stderr().run().is_ok() {
        return Ok(());
    }
    cmd!(sh, "rustup toolchain install nightly --profile minimal --component miri --component rust-src")
        .run()
        .context("this step needs Rust nightly with the components miri and rust-src")
}
