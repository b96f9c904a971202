//! What can be seen without installing it: what it depends on, what is in it, and what lintian says.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use xshell::{Shell, cmd};

use crate::apt;

/// Debian 12's, and so the Raspberry Pi OS of that time.
const GLIBC: Version = (2, 36);

/// Libraries that the dependencies bring.
const LIBRARIES: [&str; 4] = ["libc.so.6", "libm.so.6", "libgcc_s.so.1", "ld-linux-aarch64.so.1"];

/// What everybody looks for.
const FILES: [&str; 7] = [
    "./usr/bin/microtome",
    "./usr/lib/systemd/system/microtome.service",
    "./usr/lib/sysusers.d/microtome.conf",
    "./usr/lib/udev/rules.d/70-microtome.rules",
    "./etc/default/microtome",
    "./usr/share/microtome/models/nuclei.mtm",
    "./usr/share/microtome/profiles/planktoscope.toml",
];

/// What lintian need not say: the changes are in the repository's CHANGELOG.md, and not everybody is to read a token in /etc/default/microtome.
const SUPPRESSED: &str = "no-changelog,non-standard-file-perm";

type Version = (u32, u32);

/// Looks at a package.
///
/// # Errors
/// What is wrong with it.
pub fn over(sh: &Shell, package: &Path) -> Result<()> {
    let folder = sh.create_temp_dir()?;
    ensure!(apt::unpack(package, folder.path(), &["./usr/bin/microtome"])?, "the package has no /usr/bin/microtome");
    let promised = dependencies(sh, package)?;
    let needed = needs(sh, &folder.path().join("usr/bin/microtome"))?;
    ensure!(
        needed <= promised && promised <= GLIBC,
        "the program needs glibc {needed:?}, its package depends on {promised:?}, and Debian 12 has {GLIBC:?}: expected that order"
    );
    let contents = cmd!(sh, "dpkg-deb --contents {package}").quiet().read()?;
    for file in FILES {
        ensure!(contents.lines().any(|line| line.ends_with(&format!(" {file}"))), "the package has no {file}");
    }
    println!("needs glibc {}.{}, has {} files and folders", needed.0, needed.1, contents.lines().count());
    cmd!(sh, "lintian --fail-on error,warning --suppress-tags {SUPPRESSED} --allow-root {package}").run()?;
    Ok(())
}

/// The glibc that the package depends on.
fn dependencies(sh: &Shell, package: &Path) -> Result<Version> {
    let field = cmd!(sh, "dpkg-deb --field {package} Depends").quiet().read()?;
    let version = field.split_once("libc6 (>= ").and_then(|(_, rest)| version(rest.split(')').next()?));
    version.with_context(|| format!("Depends: {field}: expected a version of libc6"))
}

/// The glibc that a program needs; and that it needs no libraries but those of [`LIBRARIES`].
fn needs(sh: &Shell, program: &Path) -> Result<Version> {
    let _language = sh.push_env("LC_ALL", "C");
    let text = cmd!(sh, "aarch64-linux-gnu-readelf --dynamic --version-info --wide {program}").quiet().read()?;
    for library in text.lines().filter_map(|line| line.split_once("Shared library: [")?.1.strip_suffix(']')) {
        ensure!(LIBRARIES.contains(&library), "the program needs {library}, which no dependency brings");
    }
    let versions = text.split("Name: GLIBC_").skip(1).filter_map(|rest| version(rest.split_whitespace().next()?));
    versions.max().context("the program needs no glibc: it is static")
}

/// Two numbers and a point.
fn version(text: &str) -> Option<Version> {
    let mut numbers = text.split('.').map(|number| number.parse().ok());
    Some((numbers.next()??, numbers.next()??))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_numbers() {
        assert!(version("2.4") < version("2.36"));
        assert_eq!(version("2.2.5"), Some((2, 2)));
        assert_eq!(version("2"), None);
        assert_eq!(version("PRIVATE"), None);
    }
}
