//! What of Debian boots in the guest: the kernel's arm64 package and a static busybox.
//!
//! They come by apt, checked against Debian's keys, but in a folder of their own: the machine's packages are not touched. What is in the
//! folder once is not asked for again.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use xshell::{Shell, cmd};

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

/// The release whose kernel is booted.
const SUITE: &str = "bookworm";

/// Debian's keys, which its own systems have.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

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
    for program in ["apt-get", "dpkg-deb", "tar"] {
        ensure!(cmd!(sh, "which {program}").quiet().ignore_stdout().run().is_ok(), "{program} is missing");
    }
    ensure!(Path::new(KEYS).exists(), "{KEYS} is missing\ninstall with: sudo apt-get install debian-archive-keyring");
    sh.remove_path(folder)?;
    let packages = folder.join("packages");
    for part in ["state/lists/partial", "cache/archives/partial", "etc/preferences.d", "packages"] {
        sh.create_dir(folder.join(part))?;
    }
    sh.write_file(folder.join("status"), "")?;
    sh.write_file(
        folder.join("etc/sources.list"),
        format!("deb [signed-by={KEYS}] http://deb.debian.org/debian {SUITE} main\n"),
    )?;
    let config = folder.join("apt.conf");
    sh.write_file(&config, settings(folder))?;
    let _config = sh.push_env("APT_CONFIG", &config);
    cmd!(sh, "apt-get update -qq -o APT::Update::Error-Mode=any").run()?;
    let newest = cmd!(sh, "apt-cache depends linux-image-arm64").quiet().read()?;
    let kernel =
        newest.lines().find_map(|line| line.trim().strip_prefix("Depends: ")).context("no kernel is offered")?;
    let _folder = sh.push_dir(&packages);
    cmd!(sh, "apt-get download -qq {kernel} busybox-static").run()?;
    let wanted = MODULES.map(|name| format!("*/{name}.ko"));
    let wanted: Vec<&str> = ["*/vmlinuz-*", "*/bcm2837-rpi-3-b.dtb", "./bin/busybox"]
        .into_iter()
        .chain(wanted.iter().map(String::as_str))
        .collect();
    for package in sh.read_dir(&packages)? {
        unpack(&package, root, &wanted)?;
    }
    sh.remove_path(&packages)?;
    Ok(())
}

/// An apt that knows nothing of this machine but how to reach the network.
fn settings(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "APT::Architecture \"arm64\";\nAPT::Architectures {{ \"arm64\"; }};\nAPT::Sandbox::User \"\";\n\
         Dir::Etc \"{folder}/etc\";\nDir::Etc::parts \"/etc/apt/apt.conf.d\";\nDir::Etc::sourceparts \"-\";\n\
         Dir::State \"{folder}/state\";\nDir::State::status \"{folder}/status\";\nDir::Cache \"{folder}/cache\";\n"
    )
}

/// Takes out of a package what is wanted of it: whole, the kernel's is 350 MB.
fn unpack(package: &Path, root: &Path, wanted: &[&str]) -> Result<()> {
    std::fs::create_dir_all(root)?;
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("dpkg-deb")?;
    let stream = archive.stdout.take().context("dpkg-deb has no output")?;
    // tar complains of patterns that are in another package; what is really missing is missed in `fetch`.
    Command::new("tar")
        .args(["-x", "--wildcards", "-C"])
        .arg(root)
        .args(wanted)
        .stdin(stream)
        .stderr(Stdio::null())
        .status()
        .context("tar")?;
    ensure!(archive.wait()?.success(), "{} cannot be unpacked", package.display());
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
