//! The guest: QEMU, its serial line, and the pins of the emulated chip, which QEMU's test protocol shows and sets.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, bail};

use super::debian::Debian;

/// What the guest said and what its pins did.
#[derive(Debug, Default)]
pub struct Log {
    /// Step by step.
    pub steps: Vec<Step>,
    /// Whether it came to its end.
    pub done: bool,
}

/// One step of the guest's script.
#[derive(Debug)]
pub struct Step {
    pub name: String,
    pub lines: Vec<String>,
    /// Pins that changed, and whether they went high.
    pub pins: Vec<(u32, bool)>,
    /// Its exit status, once it ended.
    pub status: Option<i32>,
}

/// A guest that is stuck does not end by itself; a run takes some thirty seconds.
const PATIENCE: Duration = Duration::from_secs(300);

/// The step during which the trigger is pulsed, and the trigger's pin.
const WATCH: &str = "watch";
const TRIGGER: u32 = 23;

/// How long the trigger's pin is high, and low.
const PULSE: Duration = Duration::from_millis(400);

/// Registers that set and clear pins 0 to 31.
const GPSET0: &str = "0x3f20001c";
const GPCLR0: &str = "0x3f200028";

/// Something that happened.
enum Event {
    Line(String),
    Pin(u32, bool),
    /// The serial line was closed: QEMU ended.
    End,
}

/// Boots the guest and waits for its end.
///
/// # Errors
/// QEMU did not start, or the guest did not end in time.
pub fn run(debian: &Debian, image: &Path, folder: &Path) -> Result<Log> {
    // Not in `folder`: the name of a socket has to be short.
    let socket = std::env::temp_dir().join(format!("microtome-pi-{}", std::process::id()));
    let listener = UnixListener::bind(&socket).with_context(|| format!("cannot listen at {}", socket.display()))?;
    let mut qemu = start(debian, image, &socket)?;
    let result = watch(&mut qemu, &listener, folder);
    // It may have ended by itself.
    drop(qemu.kill());
    qemu.wait()?;
    fs::remove_file(&socket)?;
    result
}

fn start(debian: &Debian, image: &Path, socket: &Path) -> Result<Child> {
    Command::new("qemu-system-aarch64")
        .args(["-M", "raspi3b", "-accel", "tcg,thread=single", "-display", "none", "-monitor", "none", "-no-reboot"])
        .args(["-serial", "stdio", "-qtest-log", "none", "-qtest"])
        .arg(format!("unix:{}", socket.display()))
        .arg("-kernel")
        .arg(&debian.kernel)
        .arg("-dtb")
        .arg(&debian.device_tree)
        .arg("-initrd")
        .arg(image)
        // Without /dev/gpiomem, rppal maps the chip's registers by /dev/mem.
        .args(["-append", "console=ttyAMA0,115200 loglevel=4 panic=-1 iomem=relaxed"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start qemu-system-aarch64")
}

fn watch(qemu: &mut Child, listener: &UnixListener, folder: &Path) -> Result<Log> {
    let serial = qemu.stdout.take().context("QEMU has no standard output")?;
    let (sender, events) = channel();
    let pins = sender.clone();
    let caller = listener.local_addr()?;
    thread::spawn(move || {
        read_serial(serial, &sender);
        // A QEMU that did not start never called: nobody is to wait for it.
        drop(UnixStream::connect_addr(&caller));
    });
    let (mut qtest, _) = listener.accept()?;
    let replies = qtest.try_clone()?;
    thread::spawn(move || read_pins(replies, &pins));
    qtest.write_all(b"irq_intercept_out /machine/soc/peripherals/gpio\n")?;
    let mut text = fs::File::create(folder.join("log"))?;
    let log = follow(&events, &mut qtest, &mut text)?;
    if !log.done {
        bail!("the guest did not come to its end: see {}", folder.join("log").display());
    }
    Ok(log)
}

fn read_serial(serial: impl std::io::Read, events: &Sender<Event>) {
    let lines = BufReader::new(serial).split(b'\n').map_while(Result::ok);
    for line in lines {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        if events.send(Event::Line(line)).is_err() {
            return;
        }
    }
    // Nobody listens any more where this fails.
    let _ = events.send(Event::End);
}

/// Reads `IRQ raise 18` and `IRQ lower 18`.
fn read_pins(replies: UnixStream, events: &Sender<Event>) {
    for line in BufReader::new(replies).lines().map_while(Result::ok) {
        let pin = match line.split(' ').collect::<Vec<_>>()[..] {
            ["IRQ", "raise", pin] => pin.parse().map(|pin| (pin, true)),
            ["IRQ", "lower", pin] => pin.parse().map(|pin| (pin, false)),
            _ => continue,
        };
        let Ok((pin, high)) = pin else { continue };
        if events.send(Event::Pin(pin, high)).is_err() {
            return;
        }
    }
}

/// Writes down what happens, and pulses the trigger while the guest watches it.
fn follow(events: &Receiver<Event>, qtest: &mut UnixStream, text: &mut fs::File) -> Result<Log> {
    let (mut log, start) = (Log::default(), Instant::now());
    let (mut level, mut turned) = (false, Instant::now());
    while start.elapsed() < PATIENCE {
        let step = log.steps.last_mut().filter(|step| step.status.is_none());
        if step.as_ref().is_some_and(|step| step.name == WATCH) && turned.elapsed() >= PULSE {
            (level, turned) = (!level, Instant::now());
            writeln!(qtest, "writel {} {:#x}", if level { GPSET0 } else { GPCLR0 }, 1 << TRIGGER)?;
        }
        match events.recv_timeout(PULSE / 8) {
            Ok(Event::Line(line)) => {
                writeln!(text, "[{:7.3}] {line}", start.elapsed().as_secs_f64())?;
                match line.split(' ').collect::<Vec<_>>()[..] {
                    ["@@", "begin", name] => {
                        let (lines, pins) = (Vec::new(), Vec::new());
                        log.steps.push(Step { name: name.into(), lines, pins, status: None });
                    }
                    ["@@", "end", _, status] => {
                        if let Some(step) = step {
                            step.status = Some(status.parse().context("a step's exit status")?);
                        }
                    }
                    ["@@", "done"] => log.done = true,
                    _ => {
                        if let Some(step) = step {
                            step.lines.push(line);
                        }
                    }
                }
            }
            Ok(Event::Pin(pin, high)) => {
                writeln!(
                    text,
                    "[{:7.3}] GPIO {pin} {}",
                    start.elapsed().as_secs_f64(),
                    if high { "high" } else { "low" }
                )?;
                if let Some(step) = step {
                    step.pins.push((pin, high));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Event::End) | Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    Ok(log)
}
