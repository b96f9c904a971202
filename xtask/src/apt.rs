//! Debian's packages for arm64: by apt, checked against Debian's keys, but in a folder of their own. This machine's packages are not touched.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use xshell::{PushEnv, Shell, cmd};

/// The release that packages are of.
const SUITE: &str = "bookworm";

/// Debian's keys, which its own systems have.
const KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Begins such a folder anew. As long as the value lives, the shell's `apt-…` commands are about arm64 and this folder.
///
/// # Errors
/// What is missing on this machine, or cannot be downloaded.
pub fn begin<'a>(sh: &'a Shell, folder: &Path) -> Result<PushEnv<'a>> {
    for program in ["apt-get", "dpkg-deb", "tar"] {
        ensure!(cmd!(sh, "which {program}").quiet().ignore_stdout().run().is_ok(), "{program} is missing");
    }
    ensure!(Path::new(KEYS).exists(), "{KEYS} is missing\ninstall with: sudo apt-get install debian-archive-keyring");
    sh.remove_path(folder)?;
    for part in ["state/lists/partial", "cache/archives/partial", "etc/preferences.d"] {
        sh.create_dir(folder.join(part))?;
    }
    sh.write_file(folder.join("status"), "")?;
    sh.write_file(
        folder.join("etc/sources.list"),
        format!("deb [signed-by={KEYS}] http://deb.debian.org/debian {SUITE} main\n"),
    )?;
    let config = folder.join("apt.conf");
    sh.write_file(&config, settings(folder))?;
    let environment = sh.push_env("APT_CONFIG", &config);
    cmd!(sh, "apt-get update -qq -o APT::Update::Error-Mode=any").run()?;
    Ok(environment)
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

/// Takes a package's files out, by what else tar is told; whether tar found all that was asked for.
///
/// # Errors
/// The package is damaged.
pub fn unpack(package: &Path, root: &Path, how: &[&str]) -> Result<bool> {
    std::fs::create_dir_all(root)?;
    let mut archive = Command::new("dpkg-deb")
        .arg("--fsys-tarfile")
        .arg(package)
        .stdout(Stdio::piped())
        .spawn()
        .context("dpkg-deb")?;
    let stream = archive.stdout.take().context("dpkg-deb has no output")?;
    let status = Command::new("tar")
        .args(["-x", "-C"])
        .arg(root)
        .args(how)
        .stdin(stream)
        .stderr(Stdio::null())
        .status()
        .context("tar")?;
    ensure!(archive.wait()?.success(), "{} cannot be unpacked", package.display());
    Ok(status.success())
}
