//! A worker process and its line protocol (`benches/src/protocol.rs`).

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};

/// A worker that is ready.
pub struct Worker {
    child: Child,
    commands: Option<ChildStdin>,
    answers: BufReader<ChildStdout>,
    log: PathBuf,
    /// What runs the model, in words.
    pub version: String,
}

impl Worker {
    /// Starts `program` with its arguments, pinned to the first CPU if it has one thread; its stderr goes to `log`.
    ///
    /// # Errors
    /// It cannot be started, or ends before it is ready.
    pub fn start(program: &[OsString], pinned: bool, log: &Path) -> Result<Worker> {
        let pin = ["taskset", "-c", "0"].map(OsString::from);
        let words: Vec<&OsString> = pin.iter().filter(|_| pinned).chain(program).collect();
        let [name, arguments @ ..] = &words[..] else { bail!("no program to start") };
        let mut child = Command::new(name)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(log).with_context(|| format!("{}: cannot be written", log.display()))?)
            .spawn()
            .with_context(|| format!("{}: cannot be started", name.display()))?;
        let (commands, answers) = (child.stdin.take(), child.stdout.take());
        let answers = BufReader::new(answers.context("a worker without stdout")?);
        let mut worker = Worker { child, commands, answers, log: log.into(), version: String::new() };
        let ready = worker.answer()?;
        let version = ready.strip_prefix("ready ").ok_or_else(|| anyhow!("said {ready:?}, expected ready"))?;
        worker.version = version.to_owned();
        Ok(worker)
    }

    /// Nanoseconds of so many frames.
    ///
    /// # Errors
    /// The worker fails.
    pub fn run(&mut self, frames: usize) -> Result<Vec<f64>> {
        self.say(&format!("run {frames}"))?;
        numbers(&self.answer()?, frames)
    }

    /// kB of resident memory: before the model was loaded, and the most since then.
    ///
    /// # Errors
    /// The worker fails.
    pub fn memory(&mut self) -> Result<(f64, f64)> {
        self.say("memory")?;
        let found = numbers(&self.answer()?, 2)?;
        Ok((found[0], found[1]))
    }

    /// The output of the last frame, by way of `file`.
    ///
    /// # Errors
    /// The worker fails.
    pub fn output(&mut self, file: &Path) -> Result<Vec<f32>> {
        self.say(&format!("output {}", file.display()))?;
        self.answer()?;
        floats(file)
    }

    fn say(&mut self, command: &str) -> Result<()> {
        let sent = self.commands.as_mut().map(|commands| writeln!(commands, "{command}"));
        // Why it does not listen is in its log.
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(self.end()) }
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        let read = self.answers.read_line(&mut line);
        if matches!(read, Ok(1..)) { Ok(line.trim_end().to_owned()) } else { Err(self.end()) }
    }

    /// Why it ended: the last line of its log.
    fn end(&mut self) -> anyhow::Error {
        drop(self.commands.take());
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let last = log.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
        anyhow!("{status}: {}", last.trim())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // The end of its stdin ends it; a worker that hangs in a frame is not waited for.
        drop(self.commands.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn numbers(line: &str, count: usize) -> Result<Vec<f64>> {
    let found: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
    match found {
        Ok(found) if found.len() == count => Ok(found),
        _ => bail!("said {line:?}, expected {count} numbers"),
    }
}

/// Reads little-endian f32.
///
/// # Errors
/// The file cannot be read.
pub fn floats(file: &Path) -> Result<Vec<f32>> {
    let bytes = std::fs::read(file).with_context(|| format!("{}: cannot be read", file.display()))?;
    Ok(bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect())
}
