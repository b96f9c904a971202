//! Cases that the host and every board run: what goes wrong in the field, and that the next frame is none the worse.
//!
//! They work in what a [`Kit`] lends, so that a board, which has no heap, can run them as well.

pub mod faults;
mod line;
pub mod plans;

use core::fmt::{self, Write};

use line::Line;
use microtome_app::frames::{self, SIDE};
use microtome_app::{Lines, RowSource, Served, SourceError, Watchdog, Workspace, protocol, serve};
use microtome_core::{Frame, Kernel, Plan};

/// Most objects open at once.
pub const OPEN: usize = 32;
/// Bytes of arena: more than `nuclei-micro` needs for the bundled frame.
pub const ARENA: usize = 32 * 1024;
/// Bytes of a plan.
pub const PLAN: usize = 12 * 1024;
/// Bytes of flash that the cases may wear.
pub const FLASH: usize = 48 * 1024;

/// The plan that cases run: `nuclei-micro`.
pub static MICRO: &[u8] = include_bytes!("../../../../models/zoo/nuclei-micro/model.mtm");

/// Memory for cases.
pub struct Kit {
    /// The session's.
    pub arena: [u8; ARENA],
    /// The measurement's.
    pub workspace: Workspace<SIDE, OPEN>,
    /// A plan's copy, to be spoilt.
    pub plan: [u8; PLAN],
    /// A flash's contents.
    pub flash: [u8; FLASH],
}

impl Kit {
    /// All of it, empty.
    pub const EMPTY: Kit = Kit { arena: [0; ARENA], workspace: Workspace::EMPTY, plan: [0; PLAN], flash: [0; FLASH] };
}

/// A case, by name.
pub type Case = (&'static str, fn(&mut Kit, &mut dyn Watchdog));

/// The bundled frame, to be spoilt.
pub struct Rows {
    /// Size of each frame to begin; what is left of them.
    pub frames: &'static [Frame],
    /// What happens to the row of this number, the second time through: the first is for the levels.
    pub spoil: (u32, Spoil),
    next: u32,
    passes: u32,
    begun: usize,
    row: [u8; SIDE + 1],
    /// Whether the pipeline said that it had given up.
    pub abandoned: u32,
}

/// What can happen to a row.
#[derive(Clone, Copy)]
pub enum Spoil {
    /// Nothing.
    Nothing,
    /// It does not come.
    Error(SourceError),
    /// It comes with so many pixels.
    Length(usize),
}

impl Rows {
    /// Frames of which the first is spoilt.
    pub fn new(frames: &'static [Frame], at: u32, spoil: Spoil) -> Rows {
        Rows { frames, spoil: (at, spoil), next: 0, passes: 0, begun: 0, row: [0; SIDE + 1], abandoned: 0 }
    }
}

impl RowSource for Rows {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        let frame = self.frames.get(self.begun).copied();
        (self.next, self.passes) = (0, 0);
        self.begun += 1;
        Ok(frame)
    }

    fn again(&mut self) -> Result<(), SourceError> {
        (self.next, self.passes) = (0, self.passes + 1);
        Ok(())
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        let frame = self.frames[self.begun - 1];
        let at = self.next;
        self.next += 1;
        let mut len = frame.width as usize;
        if self.begun == 1 && self.passes == 1 && at == self.spoil.0 {
            match self.spoil.1 {
                Spoil::Nothing => {}
                Spoil::Error(error) => return Err(error),
                Spoil::Length(other) => len = other,
            }
        }
        let row = &mut self.row[..len];
        row.iter_mut().enumerate().for_each(|(x, pixel)| *pixel = frames::Scene::Nuclei.pixel(at as usize, x));
        Ok(row)
    }

    fn abandon(&mut self) {
        self.abandoned += 1;
    }
}

/// Lines of a report, checked as they come: the faults' and the frames' last ones are kept.
#[derive(Default)]
pub struct Seen {
    line: Line,
    /// The last fault.
    pub fault: Line,
    /// The last end.
    pub end: Line,
}

impl Write for Seen {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive('\n') {
            self.line.write_str(piece)?;
            if piece.ends_with('\n') {
                let line = core::mem::take(&mut self.line);
                let text = protocol::verify(line.text()).expect("a checked line");
                let keep = match text.split(' ').next() {
                    Some("fault") => &mut self.fault,
                    Some("end") => &mut self.end,
                    _ => continue,
                };
                *keep = Line::default();
                keep.write_str(text)?;
            }
        }
        Ok(())
    }
}

/// Serves a source with [`MICRO`], and says what was seen.
pub fn run(
    kit: &mut Kit,
    mut watchdog: &mut dyn Watchdog,
    arena: usize,
    source: &mut impl RowSource,
) -> (Served, Seen) {
    let plan = Plan::parse(MICRO).expect("the zoo's plan");
    let mut lines = Lines(Seen::default());
    let Kit { arena: memory, workspace, .. } = kit;
    let memory = &mut memory[..arena];
    let served = serve(&plan, Kernel::Scalar, memory, workspace, source, &mut watchdog, &mut lines);
    (served.expect("these lines are taken"), lines.0)
}
