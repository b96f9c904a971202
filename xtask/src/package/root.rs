//! A small Debian 12 for arm64: packages unpacked, and noted down in dpkg's database as if their scripts had run.
//!
//! No program of it runs here, so it needs no privileges; those that matter run when it boots. dpkg holds ours to that database: a
//! dependency that is not among these packages is missed.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::apt;

/// What a system has to have for ours to be installed and started; apt adds what these depend on. `usr-is-merged` is what the links
/// below make true.
const PACKAGES: [&str; 20] = [
    "base-files",
    "base-passwd",
    "bash",
    "coreutils",
    "dash",
    "diffutils",
    "dpkg",
    "findutils",
    "grep",
    "init-system-helpers",
    "kmod",
    "libc-bin",
    "perl-base",
    "procps",
    "sed",
    "systemd",
    "tar",
    "udev",
    "usr-is-merged",
    "util-linux",
];

/// For people; a third of the whole.
const LEFT_OUT: [&str; 5] = ["doc", "man", "info", "locale", "lintian"];

/// The root as an archive that the kernel unpacks, made in `folder`. What is there once is not made again.
///
/// # Errors
/// What is missing on this machine, or cannot be downloaded.
pub fn archive(sh: &Shell, folder: &Path) -> Result<PathBuf> {
    let archive = folder.join("root.cpio");
    if !archive.exists() {
        make(sh, folder, &archive).context("Debian's packages for arm64 are needed, and could not be had")?;
    }
    Ok(archive)
}

fn make(sh: &Shell, folder: &Path, archive: &Path) -> Result<()> {
    let root = folder.join("root");
    {
        let _apt = apt::begin(sh, folder)?;
        cmd!(sh, "apt-get install -y -qq --download-only --no-install-recommends {PACKAGES...}").run()?;
    }
    for name in ["bin", "lib", "sbin"] {
        sh.create_dir(root.join("usr").join(name))?;
        std::os::unix::fs::symlink(Path::new("usr").join(name), root.join(name))?;
    }
    let left_out = LEFT_OUT.map(|name| format!("--exclude=./usr/share/{name}"));
    let how: Vec<&str> = ["--keep-directory-symlink"].into_iter().chain(left_out.iter().map(String::as_str)).collect();
    let database = root.join("var/lib/dpkg");
    sh.create_dir(database.join("info"))?;
    let mut status = String::new();
    for package in sh.read_dir(folder.join("cache/archives"))? {
        if package.extension().is_some_and(|extension| extension == "deb") {
            ensure!(apt::unpack(&package, &root, &how)?, "{} cannot be unpacked", package.display());
            status += &note(sh, &package, &database)?;
        }
    }
    sh.write_file(database.join("status"), status)?;
    settle(sh, &root)?;
    // Whole or not at all: that it is there is how it is known to be complete.
    let part = folder.join("part");
    let _root = sh.push_dir(&root);
    cmd!(sh, "sh -c 'find . | cpio --quiet --create --format=newc --owner=0:0 --file=\"$0\"' {part}").quiet().run()?;
    std::fs::rename(&part, archive)?;
    sh.remove_path(&root)?;
    Ok(())
}

/// Notes down which files a package has; returns its paragraph of the database.
fn note(sh: &Shell, package: &Path, database: &Path) -> Result<String> {
    let fields = cmd!(sh, "dpkg-deb --field {package}").quiet().read()?;
    let field = |name: &str| fields.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    let (Some(name), Some(architecture)) = (field("Package"), field("Architecture")) else {
        anyhow::bail!("{} has no name or architecture", package.display());
    };
    let list = match field("Multi-Arch") {
        Some("same") => format!("{name}:{architecture}.list"),
        _ => format!("{name}.list"),
    };
    let contents = cmd!(sh, "dpkg-deb --contents {package}").quiet().read()?;
    let paths = contents.lines().filter_map(|line| line.split_whitespace().nth(5)?.strip_prefix('.'));
    let paths: String = paths
        .map(|path| path.strip_suffix('/').filter(|it| !it.is_empty()).unwrap_or(path).to_owned() + "\n")
        .collect();
    sh.write_file(database.join("info").join(list), paths.replacen("/\n", "/.\n", 1))?;
    Ok(format!("{}\nStatus: install ok installed\n\n", fields.trim_end()))
}

/// What base-passwd's script would have copied; and a name, without which systemd asks for one at the first boot.
fn settle(sh: &Shell, root: &Path) -> Result<()> {
    sh.write_file(root.join("etc/machine-id"), "6d6963726f746f6d652d747269616c31\n")?;
    for name in ["passwd", "group"] {
        sh.copy_file(root.join(format!("usr/share/base-passwd/{name}.master")), root.join("etc").join(name))?;
    }
    Ok(())
}
