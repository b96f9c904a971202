//! The models of the comparison: made by `benches/models/make.py`, compiled to plans by `microtome compile`.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use xshell::{Shell, cmd};

use crate::bench::target;
use crate::setup;

/// Python, and the Debian package that lets it make virtual environments.
const PYTHON: setup::Tool = setup::Tool { program: "python3", package: "python3-venv" };
/// Pinned packages of the peers.
const REQUIREMENTS: &str = "benches/peers/requirements.txt";

/// A model, as make.py wrote it.
pub struct Model {
    /// Its name.
    pub name: String,
    /// Where its files are.
    pub folder: PathBuf,
    /// Rows of a frame.
    pub rows: u64,
    /// Pixels of a row.
    pub width: u64,
    /// Multiply-accumulates of a frame.
    pub macs: f64,
}

impl Model {
    fn read(folder: &Path) -> Result<Model> {
        let path = folder.join("model.json");
        let text = std::fs::read_to_string(&path).with_context(|| format!("{}: cannot be read", path.display()))?;
        let about: serde_json::Value =
            serde_json::from_str(&text).with_context(|| format!("{}: not JSON", path.display()))?;
        let number =
            |key: &str| about[key].as_u64().with_context(|| format!("{}: no whole number {key:?}", path.display()));
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (rows, width, macs) = (number("rows")?, number("width")?, number("macs")? as f64);
        Ok(Model { name, folder: folder.into(), rows, width, macs })
    }
}

/// Makes sure of a Python with the peers' packages; returns it, and the packages that could not be installed.
///
/// # Errors
/// There is no Python, or none that makes virtual environments.
pub fn python(sh: &Shell) -> Result<(PathBuf, Vec<String>)> {
    setup::tools(sh, &[PYTHON])?;
    let folder = target(sh).join("bench-venv");
    let python = folder.join("bin/python");
    let wanted = sh.read_file(REQUIREMENTS)?;
    let done = folder.join("installed.txt");
    if sh.read_file(&done).is_ok_and(|installed| installed == wanted) {
        return Ok((python, Vec::new()));
    }
    println!("installing the peers' Python packages into {}", folder.display());
    cmd!(sh, "python3 -m venv {folder}")
        .run()
        .context("python3 cannot make a virtual environment\ninstall with: sudo apt-get install python3-venv")?;
    if cmd!(sh, "{python} -m pip install --quiet -r {REQUIREMENTS}").run().is_ok() {
        sh.write_file(&done, &wanted)?;
        return Ok((python, Vec::new()));
    }
    // One that this machine cannot have must not take the others with it.
    let mut missing = Vec::new();
    for package in wanted.lines() {
        if cmd!(sh, "{python} -m pip install --quiet {package}").run().is_err() {
            missing.push(package.to_owned());
        }
    }
    Ok((python, missing))
}

/// Makes what is missing of the models, and every plan anew, with the compiler that is built already; `only` these, or
/// all where it is empty.
///
/// # Errors
/// A model cannot be made or compiled.
pub fn prepare(sh: &Shell, python: &Path, only: &[String]) -> Result<Vec<Model>> {
    let folder = target(sh).join("bench-models");
    let flag: &[&str] = if only.is_empty() { &[] } else { &["--only"] };
    cmd!(sh, "{python} benches/models/make.py {folder} --zoo models/zoo {flag...} {only...}").run()?;
    let compiler = target(sh).join("release/microtome");
    let mut models = Vec::new();
    for folder in sh.read_dir(&folder)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains('.') || !only.is_empty() && !only.contains(&name) {
            continue;
        }
        let (source, frames, plan) = (folder.join("float.onnx"), folder.join("calibration"), folder.join("plan.mtm"));
        cmd!(sh, "{compiler} compile {source} --calibrate {frames} -o {plan}").quiet().ignore_stdout().run()?;
        models.push(Model::read(&folder)?);
    }
    if models.is_empty() {
        bail!("{}: no model was made", folder.display());
    }
    // The small ones first: what is wrong shows early.
    models.sort_by(|a, b| a.macs.total_cmp(&b.macs));
    Ok(models)
}
