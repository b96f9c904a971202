//! Installs the package in the Debian of [`root`](super::root), uses it, upgrades and purges it: `trial.sh` does, as systemd runs it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

use crate::pi::{debian, initramfs};

/// Steps of `trial.sh`.
const STEPS: [&str; 9] = ["camera", "install", "outputs", "start", "doctor", "record", "upgrade", "remove", "purge"];

/// The step that prints digests of outputs.
const OUTPUTS: &str = "outputs";

/// How long the guest may take, in seconds; it takes about a minute.
const PATIENCE: &str = "400";

/// Boots the root with the package.
///
/// # Errors
/// Which step failed, and where the guest's own words are.
pub fn run(sh: &Shell, package: &Path, root: &Path, folder: &Path) -> Result<()> {
    let debian = debian::fetch(sh, &crate::bench::target(sh).join("pi/debian"))?;
    let image = folder.join("initramfs.cpio");
    let script = include_bytes!("trial.sh");
    initramfs::write(&image, script, &[("microtome.deb", package)], &debian.modules)?;
    // The kernel unpacks one after the other; where both have a file, the root's stays.
    let mut bytes = std::fs::read(&image)?;
    bytes.extend(std::fs::read(root)?);
    std::fs::write(&image, bytes)?;
    let log = folder.join("log");
    boot(sh, &debian.kernel, &image, &log)?;
    let said = String::from_utf8_lossy(&std::fs::read(&log)?).replace('\r', "");
    judge(sh, &said).with_context(|| format!("the guest's own words are in {}", log.display()))
}

fn boot(sh: &Shell, kernel: &Path, image: &Path, log: &Path) -> Result<()> {
    let serial = format!("file:{}", log.display());
    // A Raspberry Pi 4's processor; no network but loopback.
    let machine = ["-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1536", "-nic", "none"];
    let surface = ["-display", "none", "-monitor", "none", "-no-reboot", "-serial", &serial];
    // PID 1 is systemd, and has the script run as a service with all that a boot starts.
    let append = "console=ttyAMA0,115200 loglevel=4 panic=-1 rdinit=/usr/lib/systemd/systemd systemd.run=/init \
                  systemd.run_success_action=poweroff-force systemd.run_failure_action=poweroff-force systemd.show_status=no";
    let files = ["-kernel".as_ref(), kernel.as_os_str(), "-initrd".as_ref(), image.as_os_str()];
    let qemu = cmd!(sh, "timeout {PATIENCE} qemu-system-aarch64 {machine...} {surface...} {files...} -append {append}");
    // What it did is in the log, whether it came to its end or not.
    qemu.quiet().stdin("").ignore_status().run()?;
    Ok(())
}

/// Every step ended well, and the outputs are those of a build for this machine.
fn judge(sh: &Shell, said: &str) -> Result<()> {
    for name in STEPS {
        let words = words(said, name).with_context(|| format!("{name}: it was not done"))?;
        ensure!(words.status == 0, "{name}: exit status {}\n{}", words.status, words.lines);
        println!("{name}: good");
    }
    let (here, there) = (outputs_here(sh)?, words(said, OUTPUTS).map(|words| words.lines).unwrap_or_default());
    ensure!(here == there, "outputs differ\nhere:\n{here}\nthere:\n{there}");
    println!("{} outputs are the bytes that this machine gives", here.lines().count());
    Ok(())
}

/// What a step printed, and its exit status.
struct Words<'a> {
    lines: &'a str,
    status: i32,
}

/// Reads what stands between `@@ begin NAME` and `@@ end NAME STATUS`.
fn words<'a>(said: &'a str, name: &str) -> Option<Words<'a>> {
    let (_, rest) = said.split_once(&format!("@@ begin {name}\n"))?;
    let (lines, rest) = rest.split_once(&format!("@@ end {name} "))?;
    Some(Words { lines: lines.trim_end(), status: rest.lines().next()?.parse().ok()? })
}

/// The same commands as the guest's, by a build for this machine.
fn outputs_here(sh: &Shell) -> Result<String> {
    cmd!(sh, "cargo build --quiet --release --package microtome --no-default-features").run()?;
    let program: PathBuf = crate::bench::target(sh).join("release/microtome");
    let model = sh.current_dir().join("models/zoo/nuclei/model.mtm");
    let folder = sh.create_temp_dir()?;
    let _folder = sh.push_dir(folder.path());
    cmd!(sh, "{program} simulate --frames 1 --width 160 --height 120 --out frames")
        .quiet()
        .ignore_stdout()
        .ignore_stderr()
        .run()?;
    cmd!(sh, "{program} run {model} frames/images --out results").quiet().ignore_stdout().ignore_stderr().run()?;
    let digests = cmd!(sh, "sh -c 'find frames results -type f | LC_ALL=C sort | xargs sha256sum'").quiet().read()?;
    if digests.is_empty() {
        bail!("no outputs");
    }
    Ok(digests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_what_stands_between_its_marks() {
        let said = "kernel\n@@ begin install\na\nb\n@@ end install 3\n@@ begin purge\n@@ end purge 0\n@@ begin cut";
        let install = words(said, "install").unwrap();
        assert_eq!((install.lines, install.status), ("a\nb", 3));
        assert_eq!(words(said, "purge").unwrap().status, 0);
        assert!(words(said, "cut").is_none());
    }
}
