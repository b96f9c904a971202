//! Files of the host, by semihosting: frames (PGM, or raw pixels of a size that was given), and plans for the store.

use core::ffi::CStr;
use core::fmt::{self, Write};

use microtome_app::store::{EmulatedError, UpdateError};
use microtome_app::{RowSource, SourceError, Store, pgm};
use microtome_core::Frame;
use semihosting::experimental::env::{self, Args};
use semihosting::fs::File;
use semihosting::io::{self, Read, Seek, SeekFrom};

use crate::board::{PlanFlash, Serial};

/// Bytes of the command line, at most.
pub const COMMAND_LINE: usize = 4096;

/// Longest name of a file, in bytes.
const NAME: usize = 512;

/// What the program was called with, after its own name.
///
/// # Errors
/// The host has no command line, or one that is too long.
pub fn arguments() -> io::Result<Args<COMMAND_LINE>> {
    let arguments = env::args::<COMMAND_LINE>()?;
    let _ = (&arguments).next();
    Ok(arguments)
}

/// Brings a plan from a file into the store, in pieces, as a serial line would. If that fails, it says why, and the plan
/// that was there before stays.
pub fn update(store: &mut Store<PlanFlash>, name: &str) {
    let _ = match bring(store, name) {
        Ok(()) => writeln!(Serial, "# update: {name}"),
        Err(why) => writeln!(Serial, "# update failed: {name}: {why}"),
    };
}

/// Why a plan could not be brought: the file's fault, or the store's.
enum Unbrought {
    File(SourceError),
    Store(UpdateError<EmulatedError>),
}

impl fmt::Display for Unbrought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unbrought::File(error) => error.fmt(f),
            Unbrought::Store(error) => error.fmt(f),
        }
    }
}

fn bring(store: &mut Store<PlanFlash>, name: &str) -> Result<(), Unbrought> {
    const UNREAD: Unbrought = Unbrought::File(SourceError::Device("the file cannot be read"));
    let mut file = file(name).map_err(Unbrought::File)?;
    let len = file.metadata().map_err(|_| UNREAD)?.len() as usize;
    let mut update = store.update(len).map_err(Unbrought::Store)?;
    let mut piece = [0; 256];
    loop {
        let count = file.read(&mut piece).map_err(|_| UNREAD)?;
        if count == 0 {
            return update.finish().map_err(Unbrought::Store);
        }
        update.write(&piece[..count]).map_err(Unbrought::Store)?;
    }
}

/// A file, to read.
fn file(name: &str) -> Result<File, SourceError> {
    let mut path = [0; NAME];
    path.get_mut(..name.len()).ok_or(SourceError::Format("a name too long"))?.copy_from_slice(name.as_bytes());
    let path = CStr::from_bytes_until_nul(&path).map_err(|_| SourceError::Format("a name too long"))?;
    File::open(path).map_err(|_| SourceError::Device("the file cannot be opened"))
}

/// Files, one frame in each, up to `WIDTH` pixels wide.
pub struct Files<'a, const WIDTH: usize> {
    /// A name that was looked at already.
    first: Option<&'a str>,
    names: &'a Args<COMMAND_LINE>,
    /// Size of the raw frames that follow; without it, files are PGM.
    raw: Option<Frame>,
    open: Option<Opened>,
    number: u32,
    row: [u8; WIDTH],
}

struct Opened {
    file: File,
    frame: Frame,
    /// Where the pixels start.
    pixels: u64,
}

impl<'a, const WIDTH: usize> Files<'a, WIDTH> {
    /// The files of these names, `first` before the others. `--size WIDTHxHEIGHT` among them says that those behind it are raw, grey, 8 bit.
    pub fn new(first: Option<&'a str>, names: &'a Args<COMMAND_LINE>) -> Self {
        Files { first, names, raw: None, open: None, number: 0, row: [0; WIDTH] }
    }

    /// The next argument that is a name.
    fn name(&mut self) -> Result<Option<&'a str>, SourceError> {
        const NO_TEXT: SourceError = SourceError::Format("an argument is no text");
        const NO_SIZE: SourceError = SourceError::Format("--size wants WIDTHxHEIGHT");
        loop {
            let next = self.first.take().map(Ok).or_else(|| self.names.next());
            match next.transpose().map_err(|_| NO_TEXT)? {
                Some("--size") => {
                    let size = self.names.next().transpose().map_err(|_| NO_TEXT)?.ok_or(NO_SIZE)?;
                    let (width, height) = size.split_once('x').ok_or(NO_SIZE)?;
                    let side = |text: &str| text.parse().map_err(|_| NO_SIZE);
                    self.raw = Some(Frame::grey(side(height)?, side(width)?));
                }
                name => return Ok(name),
            }
        }
    }

    fn opened(&mut self) -> Result<&mut Opened, SourceError> {
        self.open.as_mut().ok_or(SourceError::Device("no file is open"))
    }
}

fn open(name: &str, raw: Option<Frame>) -> Result<Opened, SourceError> {
    let mut file = file(name)?;
    let (frame, pixels) = match raw {
        Some(frame) => (frame, 0),
        None => {
            let mut start = [0; pgm::MAX_HEADER];
            let count = file.read(&mut start).map_err(|_| SourceError::Device("the file cannot be read"))?;
            pgm::header(&start[..count])?
        }
    };
    let mut opened = Opened { file, frame, pixels: pixels as u64 };
    let size = opened.file.metadata().map_err(|_| SourceError::Device("the file has no length"))?.len();
    if raw.is_some() && size != u64::from(frame.width) * u64::from(frame.height) {
        return Err(SourceError::Format("a raw file of another size"));
    }
    opened.rewind()?;
    Ok(opened)
}

impl Opened {
    fn rewind(&mut self) -> Result<(), SourceError> {
        let sought = self.file.seek(SeekFrom::Start(self.pixels));
        sought.map(|_| ()).map_err(|_| SourceError::Device("the file cannot be read again"))
    }
}

impl<const WIDTH: usize> RowSource for Files<'_, WIDTH> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        // Closes the last one.
        self.open = None;
        let Some(name) = self.name()? else { return Ok(None) };
        let _ = writeln!(Serial, "# {}: {name}", self.number);
        self.number += 1;
        let opened = open(name, self.raw)?;
        let frame = opened.frame;
        self.open = Some(opened);
        Ok(Some(frame))
    }

    fn again(&mut self) -> Result<(), SourceError> {
        self.opened()?.rewind()
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        let Opened { file, frame, .. } = self.open.as_mut().ok_or(SourceError::Device("no file is open"))?;
        let row = self.row.get_mut(..frame.width as usize).ok_or(SourceError::Format("a row too wide"))?;
        file.read_exact(row).map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => SourceError::Ended,
            _ => SourceError::Device("the file cannot be read"),
        })?;
        Ok(row)
    }
}
