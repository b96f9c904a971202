//! Cargo's runner for the firmware: starts the QEMU machine that a program was built for, hands its lines on as they
//! come, decodes its log, and ends as it ended.
//!
//! A program names its machine in a section of its ELF file, `.board`. Its records leave by the machine's serial line,
//! through a socket; its log (defmt's frames) leaves by semihosting, which QEMU writes to its standard output.

use std::io::{self, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process, thread};

use anyhow::{Context, Result, bail, ensure};
use defmt_decoder::{DecodeError, Table};
use object::{Object, ObjectSection};

/// Runs a firmware program under QEMU.
#[derive(clap::Args)]
pub struct Qemu {
    /// Folder that the program's file names start from.
    #[arg(long)]
    from: PathBuf,
    /// Seconds after which the program is ended.
    #[arg(long, env = "MICROTOME_QEMU_SECONDS", default_value_t = 300)]
    seconds: u64,
    /// The program, an ELF file.
    program: PathBuf,
    /// Its arguments.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<String>,
}

/// What a program that ran out of time ends with, as with `timeout`.
const TIMED_OUT: i32 = 124;

/// One instruction is 2^6 ns of the machine's clock: how programs count instructions.
const ICOUNT: &str = "shift=6";

/// Runs it; returns its exit code.
pub fn run(options: &Qemu) -> Result<i32> {
    env::set_current_dir(&options.from).with_context(|| format!("{} is no folder", options.from.display()))?;
    let program = fs::read(&options.program).with_context(|| format!("cannot read {}", options.program.display()))?;
    let machine = machine(&program)?;
    let serial = Serial::listen()?;
    let mut qemu = start(&machine, options, &serial)?;
    let log = qemu.stdout.take().context("QEMU has no standard output")?;
    let result = thread::scope(|scope| {
        scope.spawn(|| complain("the log", print_log(log, &program)));
        scope.spawn(|| complain("the serial line", serial.print()));
        let status = wait(&mut qemu, Duration::from_secs(options.seconds));
        // A QEMU that did not start never called: nobody is to wait for it.
        drop(UnixStream::connect(&serial.path));
        status
    });
    let Some(status) = result? else {
        eprintln!("qemu: ended after {} s (MICROTOME_QEMU_SECONDS)", options.seconds);
        return Ok(TIMED_OUT);
    };
    Ok(status.code().unwrap_or(1))
}

/// The machine that a program is for.
fn machine(program: &[u8]) -> Result<String> {
    let elf = object::File::parse(program).context("the program is no ELF file")?;
    let section = elf.section_by_name(".board").context("the program names no machine: it has no section .board")?;
    let name = String::from_utf8(section.data()?.to_vec()).context("the section .board is no text")?;
    ensure!(!name.is_empty(), "the section .board is empty");
    Ok(name)
}

fn start(machine: &str, options: &Qemu, serial: &Serial) -> Result<Child> {
    let mut semihosting = "enable=on,target=native".to_owned();
    for argument in [options.program.to_string_lossy().into_owned()].iter().chain(&options.arguments) {
        // QEMU wants its own commas doubled; the program splits its command line at blanks.
        let quoted = if argument.contains(char::is_whitespace) { format!("\"{argument}\"") } else { argument.clone() };
        semihosting += &format!(",arg={}", quoted.replace(',', ",,"));
    }
    let mut command = Command::new("qemu-system-arm");
    command
        .args(["-machine", machine, "-display", "none", "-monitor", "none", "-icount", ICOUNT])
        .arg("-chardev")
        .arg(format!("socket,id=lines,path={}", serial.path.display()))
        .args(["-serial", "chardev:lines", "-semihosting-config", &semihosting])
        .arg("-kernel")
        .arg(&options.program)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            anyhow::anyhow!("qemu-system-arm is missing\ninstall with: sudo apt-get install qemu-system-arm")
        }
        _ => error.into(),
    })
}

/// Waits for the end; `None` if it did not come in time.
fn wait(qemu: &mut Child, patience: Duration) -> Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = qemu.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > patience {
            qemu.kill()?;
            qemu.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// The machine's serial line: a socket that QEMU calls.
struct Serial {
    folder: PathBuf,
    path: PathBuf,
    listener: UnixListener,
}

impl Serial {
    fn listen() -> Result<Serial> {
        let folder = env::temp_dir().join(format!("microtome-qemu-{}", process::id()));
        fs::create_dir_all(&folder)?;
        let path = folder.join("serial");
        let listener = UnixListener::bind(&path).with_context(|| format!("cannot listen at {}", path.display()))?;
        Ok(Serial { folder, path, listener })
    }

    /// Hands on what comes, as it comes, until QEMU ends.
    fn print(&self) -> Result<()> {
        let (mut socket, _) = self.listener.accept()?;
        let (mut out, mut bytes) = (io::stdout(), [0; 4096]);
        loop {
            let count = socket.read(&mut bytes)?;
            if count == 0 {
                return Ok(());
            }
            out.write_all(&bytes[..count])?;
            out.flush()?;
        }
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        // What is left in the temporary folder harms nobody.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Prints what the log says, until QEMU ends.
fn print_log(mut log: impl Read, program: &[u8]) -> Result<()> {
    let Some(table) = Table::parse(program)? else {
        io::copy(&mut log, &mut io::stderr())?;
        return Ok(());
    };
    let mut decoder = table.new_stream_decoder();
    let mut bytes = [0; 1024];
    loop {
        let count = log.read(&mut bytes)?;
        if count == 0 {
            return Ok(());
        }
        decoder.received(&bytes[..count]);
        loop {
            match decoder.decode() {
                Ok(frame) => writeln!(io::stderr(), "{}", frame.display(false))?,
                Err(DecodeError::UnexpectedEof) => break,
                Err(DecodeError::Malformed) if table.encoding().can_recover() => {}
                Err(DecodeError::Malformed) => bail!("a frame that is none"),
            }
        }
    }
}

fn complain(what: &str, result: Result<()>) {
    if let Err(error) = result {
        eprintln!("qemu: {what}: {error:#}");
    }
}
