//! `cargo xtask soak`: the simulator, the page in a browser, and a long time.
//!
//! Fails if a frame is lost silently or memory grows. Rates and latencies are the machine's, which has to be idle otherwise; they are
//! recorded.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;
use xshell::{Shell, cmd};

use crate::bench::machine;
use crate::page::Build;
use crate::setup;
use crate::steps::title;

/// Between two lines of the record.
const EVERY: Duration = Duration::from_secs(10);
/// Lines at the start that memory is not judged by: buffers get their size with the first frames.
const WARM_UP: usize = 2;
/// How much a process may seem to grow: pages that the allocator keeps.
const SLACK: f64 = 0.03;
/// One frame may wait, and one be done, while counts are read.
const UNDER_WAY: u64 = 2;

/// How long, and how fast.
#[derive(clap::Args)]
pub struct Arguments {
    /// Frames that the camera is to deliver
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    frames: u64,
    /// Frames per second of the simulated camera
    #[arg(long, value_name = "N", default_value_t = 33)]
    fps: u32,
    /// Where the record goes [default: benches/record/MACHINE/soak-DATE.csv]
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    #[command(flatten)]
    build: Build,
}

/// A process that ends with this.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A line of the record.
struct Line {
    seconds: f64,
    status: Value,
    memory_kib: u64,
}

/// Runs it.
pub fn soak(sh: &Shell, arguments: &Arguments) -> Result<()> {
    title("soak: simulator, nuclei on two threads, a page in Chromium");
    setup::tools(sh, &[setup::CHROMIUM])?;
    let chromium = setup::path(sh, "chromium")?;
    let microtome = arguments.build.microtome(sh)?;
    let fps = arguments.fps.to_string();
    let options = ["--listen", "127.0.0.1:0", "--threads", "2", "--source", "simulator", "--size", "640x480"];
    let mut server = Command::new(&microtome);
    server.arg("serve").args(options).args(["--fps", &fps]).stdout(Stdio::piped());
    let mut server = Process(server.spawn().with_context(|| format!("cannot run {}", microtome.display()))?);
    let mut printed = String::new();
    BufReader::new(server.0.stdout.take().context("no output")?).read_line(&mut printed)?;
    let url = printed.trim().strip_prefix("serving ").context("the server printed no address")?.to_owned();
    let place = url.trim_start_matches("http://").trim_end_matches('/');
    let _browser = browser(sh, &chromium, &url)?;

    let mut lines = Vec::new();
    let start = Instant::now();
    println!("{HEADER}");
    loop {
        std::thread::sleep(EVERY);
        let memory_kib = memory_kib(server.0.id())?;
        let line = Line { seconds: start.elapsed().as_secs_f64(), status: status(place)?, memory_kib };
        println!("{}", line.csv());
        let received = line.frames("received");
        ensure!(line.unaccounted() <= UNDER_WAY, "{} frames are unaccounted for", line.unaccounted());
        lines.push(line);
        if received >= arguments.frames {
            break;
        }
    }
    let record = arguments.record.clone().map_or_else(|| place_of_record(sh), Ok)?;
    write(&record, &lines)?;
    println!("record: {}", record.display());
    judge(&lines)
}

/// A page in a browser of its own.
fn browser(sh: &Shell, chromium: &Path, url: &str) -> Result<(Process, xshell::TempDir)> {
    let profile = sh.create_temp_dir()?;
    let mut browser = Command::new(chromium);
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,800"]);
    browser.arg(format!("--user-data-dir={}", profile.path().display())).arg("--remote-debugging-port=0").arg(url);
    browser.stdout(Stdio::null()).stderr(Stdio::null());
    Ok((Process(browser.spawn().context("cannot run Chromium")?), profile))
}

/// The server's status.
fn status(place: &str) -> Result<Value> {
    let mut stream = TcpStream::connect(place)?;
    stream.set_read_timeout(Some(EVERY))?;
    write!(stream, "GET /api/status HTTP/1.0\r\nHost: {place}\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.split_once("\r\n\r\n").context("the server's answer has no body")?.1;
    Ok(serde_json::from_str(body)?)
}

/// Memory that a process has in RAM.
fn memory_kib(id: u32) -> Result<u64> {
    let text = std::fs::read_to_string(format!("/proc/{id}/status")).context("the server has ended")?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}

const HEADER: &str =
    "seconds,received,done,failed,dropped,unaccounted,frames/s,to screen median ms,to screen p95 ms,RSS KiB";

impl Line {
    fn frames(&self, name: &str) -> u64 {
        self.status["frames"][name].as_u64().unwrap_or(0)
    }

    fn number(&self, pointer: &str) -> f64 {
        self.status.pointer(pointer).and_then(Value::as_f64).unwrap_or(f64::NAN)
    }

    fn unaccounted(&self) -> u64 {
        let known = self.number("/done") as u64 + self.number("/failed") as u64 + self.frames("dropped");
        self.frames("received").abs_diff(known)
    }

    fn csv(&self) -> String {
        format!(
            "{:.0},{},{},{},{},{},{:.2},{:.1},{:.1},{}",
            self.seconds,
            self.frames("received"),
            self.status["done"],
            self.status["failed"],
            self.frames("dropped"),
            self.unaccounted(),
            self.number("/rate"),
            self.number("/shown/median_ms"),
            self.number("/shown/p95_ms"),
            self.memory_kib
        )
    }
}

fn place_of_record(sh: &Shell) -> Result<PathBuf> {
    let date = cmd!(sh, "date --utc +%F").quiet().read()?;
    Ok(sh.current_dir().join("benches/record").join(machine::name()?).join(format!("soak-{date}.csv")))
}

fn write(path: &Path, lines: &[Line]) -> Result<()> {
    let mut text = format!("{HEADER}\n");
    lines.iter().try_for_each(|line| writeln!(text, "{}", line.csv()))?;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Fails where memory has grown; says how fast it was.
fn judge(lines: &[Line]) -> Result<()> {
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { bail!("nothing was measured") };
    let done = last.number("/done") - first.number("/done");
    let rate = done / (last.seconds - first.seconds).max(1.0);
    let middle = |of: &dyn Fn(&Line) -> f64| {
        let mut values: Vec<f64> = lines.iter().map(of).filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
    };
    println!(
        "{rate:.1} frames/s; from camera to screen {:.0} ms (median), {:.0} ms (95 %); {} dropped of {}",
        middle(&|line| line.number("/shown/median_ms")),
        middle(&|line| line.number("/shown/p95_ms")),
        last.frames("dropped"),
        last.frames("received")
    );
    let warm = lines.get(WARM_UP..).unwrap_or_default();
    let (early, late) = warm.split_at(warm.len() / 2);
    let mean = |lines: &[Line]| lines.iter().map(|line| line.memory_kib as f64).sum::<f64>() / lines.len() as f64;
    if !early.is_empty() && mean(late) > mean(early) * (1.0 + SLACK) {
        bail!("memory grows: {:.0} KiB in the first half, {:.0} KiB in the second", mean(early), mean(late));
    }
    Ok(())
}
