//! What of Debian boots in the guest: the kernel's arm64 package and a static busybox.
//!
//! What is in the folder once is not asked for again.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::apt;

/// The files that boot.
pub struct Debian {
    /// The kernel.
    pub kernel: PathBuf,
    /// The machine's device tree.
    pub device_tree: PathBuf,
    /// A static busybox.
    pub busybox: PathBuf,
    /// Kernel modules, in the order in which they are loaded.
    pub modules: Vec<PathBuf>,
}

/// The camera and what it needs, in order; and the watchdog, by which the chip is switched off.
const MODULES: [&str; 13] = [
    "mc",
    "videodev",
    "videobuf2-common",
    "videobuf2-v4l2",
    "rc-core",
    "cec",
    "v4l2-dv-timings",
    "v4l2-tpg",
    "videobuf2-memops",
    "videobuf2-dma-contig",
    "videobuf2-vmalloc",
    "vivid",
    "bcm2835_wdt",
];

/// Makes sure of the files, in `folder`.
///
/// # Errors
/// What is missing on this machine, or cannot be downloaded.
pub fn fetch(sh: &Shell, folder: &Path) -> Result<Debian> {
    let root = folder.join("root");
    let complete = folder.join("complete");
    if !complete.exists() {
        download(sh, folder, &root).context("Debian's arm64 kernel and busybox are needed, and could not be had")?;
        sh.write_file(&complete, "")?;
    }
    let modules = MODULES.iter().map(|name| find(&root, &format!("{name}.ko")));
    Ok(Debian {
        kernel: find(&root, "vmlinuz")?,
        device_tree: find(&root, "bcm2837-rpi-3-b.dtb")?,
        busybox: find(&root, "busybox")?,
        modules: modules.collect::<Result<_>>()?,
    })
}

fn download(sh: &Shell, folder: &Path, root: &Path) -> Result<()> {
    let _apt = apt::begin(sh, folder)?;
    let packages = folder.join("packages");
    sh.create_dir(&packages)?;
    let newest = cmd!(sh, "apt-cache depends linux-image-arm64").quiet().read()?;
    let kernel =
        newest.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).context("no kernel is offered")?;
    let _folder = sh.push_dir(&packages);
    cmd!(sh, "apt-get download -qq {kernel} busybox-static").run()?;
    let wanted = MODULES.map(|name| format!("*/{name}.ko"));
    // Whole, the kernel's package is 350 MB.
    let wanted: Vec<&str> = ["--wildcards", "*/vmlinuz-*", "*/bcm2837-rpi-3-b.dtb", "./bin/busybox"]
        .into_iter()
        .chain(wanted.iter().map(String::as_str))
        .collect();
    for package in sh.read_dir(&packages)? {
        // Each package lacks what is in the other; what is really missing is missed in `fetch`.
        apt::unpack(&package, root, &wanted)?;
    }
    sh.remove_path(&packages)?;
    Ok(())
}

/// The first file below a folder whose name begins so.
fn find(folder: &Path, name: &str) -> Result<PathBuf> {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else if entry.file_name().to_string_lossy().starts_with(name) {
                return Ok(entry.path());
            }
        }
    }
    bail!("Debian's packages have no {name}; remove {} to fetch them again", folder.display())
}
