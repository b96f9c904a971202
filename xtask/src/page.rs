//! The page of `microtome serve` in a real browser: `runtime-linux/tests/browser`.

use std::path::PathBuf;

use anyhow::{Context, Result};
use xshell::{Shell, cmd};

use crate::bench::target;
use crate::setup;
use crate::steps::title;

/// How to build the server.
#[derive(Clone, Copy, Default, clap::Args)]
pub struct Build {
    /// Without tract: much sooner built, where the other steps have not built it yet
    #[arg(long)]
    light: bool,
}

impl Build {
    /// The command, built in release.
    pub fn microtome(self, sh: &Shell) -> Result<PathBuf> {
        let features: &[&str] = if self.light { &["--no-default-features", "--features", "serve"] } else { &[] };
        cmd!(sh, "cargo build --quiet --release -p microtome {features...}").run()?;
        Ok(target(sh).join("release/microtome"))
    }
}

/// Checks the page; what it looked like is in `target/page`. 20 seconds once all is there.
pub fn page(sh: &Shell, build: Build) -> Result<()> {
    title("page: microtome serve in headless Chromium");
    setup::tools(sh, &[setup::CHROMIUM, setup::NODE, setup::NPM])?;
    let (chromium, microtome) = (setup::path(sh, "chromium")?, build.microtome(sh)?);
    let pictures = target(sh).join("page");
    sh.create_dir(&pictures)?;
    let models = sh.current_dir().join("models/zoo");
    let _folder = sh.push_dir("runtime-linux/tests/browser");
    cmd!(sh, "npm ci --ignore-scripts --no-audit --no-fund --silent").run()?;
    cmd!(sh, "timeout 180 node page.spec.mjs {chromium} {microtome} {models} {pictures}")
        .run()
        .with_context(|| format!("the page is not as it should be; see {}", pictures.display()))
}
