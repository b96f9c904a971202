//! One frame after another: rows from a source, through the session and the measurement, into a report.
//!
//! Invariant: whatever a frame does (its rows end, one has the wrong length, it holds too much), the next one starts
//! afresh in the same memory. Nothing here is allocated, and nothing waits but the source.

use core::cell::RefCell;

use crc::{CRC_32_ISO_HDLC, Crc};
use microtome_core::measure::{Event, Objects, Task};
use microtome_core::plan::Normalization;
use microtome_core::session::Arena;
use microtome_core::{Frame, Kernel, Levels, OutputRow, Plan, Row, Session, SessionError, Setup};

use crate::fault::Fault;
use crate::levels::Histogram;
use crate::log::{debug, info, warn};
use crate::report::{Record, Report, Summary};
use crate::source::RowSource;
use crate::watchdog::Watchdog;

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// What a pipeline works in beside the arena: the open objects of frames up to `WIDTH` pixels wide, at most `OPEN` at
/// once, and a histogram. A few KiB: a program keeps it in a static.
#[derive(Debug)]
pub struct Workspace<const WIDTH: usize, const OPEN: usize> {
    objects: Place<Objects<WIDTH, OPEN>>,
    histogram: Histogram,
}

impl<const WIDTH: usize, const OPEN: usize> Workspace<WIDTH, OPEN> {
    /// Nothing opened yet.
    pub const EMPTY: Self = Workspace { objects: Place::Empty, histogram: Histogram::EMPTY };
}

/// An `Option` that is zeros while it is empty, so that a static one takes no flash.
#[derive(Debug)]
#[repr(u8)]
enum Place<T> {
    Empty,
    Full(T),
}

/// A plan, opened for frames of one size.
pub struct Pipeline<'p, 'a, const WIDTH: usize, const OPEN: usize> {
    session: Session<'p, 'a>,
    objects: &'a mut Objects<WIDTH, OPEN>,
    histogram: &'a mut Histogram,
    /// The plan's output that is the mask.
    mask: usize,
    /// Whether the histogram is of the previous frame.
    metered: bool,
}

impl<'p, 'a, const WIDTH: usize, const OPEN: usize> Pipeline<'p, 'a, WIDTH, OPEN> {
    /// Opens a plan for frames like `frame`, which runs by `kernel`.
    ///
    /// # Errors
    /// The plan makes no objects; the frame does not fit the network, the arena or `WIDTH`.
    pub fn open(
        plan: &Plan<'p>,
        frame: Frame,
        kernel: Kernel,
        arena: impl Into<Arena<'a>>,
        workspace: &'a mut Workspace<WIDTH, OPEN>,
    ) -> Result<Self, Fault> {
        let task = plan.post().measure_task().ok_or(Fault::NoObjects)?;
        let mask = plan.mask_output().ok_or(Fault::NoObjects)?;
        let Workspace { objects, histogram } = workspace;
        let objects = renew(objects, task, frame)?;
        let session = open(plan, frame, kernel, arena.into()).map_err(Fault::Session)?;
        histogram.clear();
        Ok(Pipeline { session, objects, histogram, mask, metered: false })
    }

    /// Segments the frame that `source` has begun, and reports it as number `number`.
    ///
    /// # Errors
    /// The frame is lost; the next may be segmented.
    pub fn segment(
        &mut self,
        number: u32,
        source: &mut impl RowSource,
        watchdog: &mut impl Watchdog,
        report: &mut impl Report,
    ) -> Result<Summary, Fault> {
        let result = self.rows(number, source, watchdog, report);
        if result.is_err() {
            source.abandon();
            // An early end gives the frame up, which is what is wanted.
            let _ = self.session.finish(|_| {});
            self.objects.restart();
            self.metered = false;
        }
        result
    }

    fn rows(
        &mut self,
        number: u32,
        source: &mut impl RowSource,
        watchdog: &mut impl Watchdog,
        report: &mut impl Report,
    ) -> Result<Summary, Fault> {
        let (levels, follow) = self.meter(source, watchdog)?;
        self.session.set_levels(levels);
        let Pipeline { session, objects, histogram, mask, .. } = self;
        let (frame, mask) = (session.frame(), *mask);
        report.record(&Record::Frame { number, frame, levels })?;

        let mut summary = Summary { objects: 0, area: 0, digest: 0 };
        let mut digest = CRC.digest();
        let (mut measured, mut sent) = (Ok(()), Ok(()));
        let mut event = |event: Event<'_>| {
            if let Event::Closed(object) = event {
                summary.objects += 1;
                summary.area += object.area();
                if sent.is_ok() {
                    sent = report.record(&Record::Object { number, object });
                }
            }
        };
        // Fed with every row that comes in, and with every mask row that goes out: at a frame's end, many of them come
        // of one call.
        let watchdog = RefCell::new(watchdog);
        let mut take = |out: OutputRow| {
            watchdog.borrow_mut().feed();
            if out.output == mask && measured.is_ok() {
                out.data.iter().for_each(|&class| digest.update(&[class as u8]));
                measured = objects.push(out.data, |_| None, &mut event);
            }
        };
        for row in 0..frame.height {
            watchdog.borrow_mut().feed();
            let values = source.row().map_err(|error| Fault::Source { row, error })?;
            if follow {
                histogram.add(frame.layout, values);
            }
            session.push(Row::U8(values), &mut take).map_err(|error| Fault::Row { row, error })?;
        }
        session.finish(&mut take).map_err(Fault::Session)?;
        measured?;
        objects.finish(|_| None, &mut event)?;
        sent?;
        summary.digest = digest.finalize();
        report.record(&Record::End { number, summary })?;
        debug!("frame {=u32}: {=u32} objects, {=u32} px", number, summary.objects, summary.area);
        Ok(summary)
    }

    /// The levels of the frame to come: the plan's; or this frame's own, for which it is read once more; or those of the
    /// frame before it. Also says whether the histogram is to follow the frame, for the next.
    fn meter(&mut self, source: &mut impl RowSource, watchdog: &mut impl Watchdog) -> Result<(Levels, bool), Fault> {
        let (low, high, previous) = match self.session.plan().input().normalization {
            Normalization::Fixed(levels) => return Ok((levels, false)),
            Normalization::Percentile { low, high, previous } => (low, high, previous),
        };
        if !(previous && self.metered) {
            self.histogram.clear();
            let frame = self.session.frame();
            for row in 0..frame.height {
                watchdog.feed();
                let values = source.row().map_err(|error| Fault::Source { row, error })?;
                self.histogram.add(frame.layout, values);
            }
            source.again().map_err(|error| Fault::Source { row: 0, error })?;
        }
        let levels = self.histogram.levels(low, high);
        self.histogram.clear();
        self.metered = previous;
        Ok((levels, previous))
    }
}

/// A session. In a function of its own, because core's takes 16 KiB of stack where the arena is too short to say how long
/// it should be; asked here first, that part of it is left out.
#[inline(never)]
fn open<'p, 'a>(
    plan: &Plan<'p>,
    frame: Frame,
    kernel: Kernel,
    Arena { main, more }: Arena<'a>,
) -> Result<Session<'p, 'a>, SessionError> {
    if main.len() < plan.scratch_len() {
        let found = main.len() + more.len();
        return Err(SessionError::ArenaTooShort { found, expected: plan.arena_len(frame)? });
    }
    Session::open_in(plan, frame, Arena { main, more }, Setup::alone(kernel))
}

/// Objects for frames like `frame`, in place of those before. On the way there they lie on the stack: in a function of
/// its own, so that they are gone from there when the session is opened.
#[inline(never)]
fn renew<const WIDTH: usize, const OPEN: usize>(
    objects: &mut Place<Objects<WIDTH, OPEN>>,
    task: Task,
    frame: Frame,
) -> Result<&mut Objects<WIDTH, OPEN>, Fault> {
    *objects = Place::Full(Objects::new(task, frame.height, frame.width)?);
    match objects {
        Place::Full(objects) => Ok(objects),
        Place::Empty => Err(Fault::NoObjects),
    }
}

/// Frames of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Served {
    /// Segmented.
    pub frames: u32,
    /// Given up, each with a fault in the report.
    pub faults: u32,
}

/// Segments all that `source` gives, frames of any size after each other. A frame that fails is reported, and the next
/// one taken.
///
/// # Errors
/// [`Fault::Unsent`]: nobody listens any more.
pub fn serve<'a, const WIDTH: usize, const OPEN: usize>(
    plan: &Plan<'_>,
    kernel: Kernel,
    arena: impl Into<Arena<'a>>,
    workspace: &mut Workspace<WIDTH, OPEN>,
    source: &mut impl RowSource,
    watchdog: &mut impl Watchdog,
    report: &mut impl Report,
) -> Result<Served, Fault> {
    let Arena { main, more } = arena.into();
    let mut served = Served::default();
    let mut next = source.begin();
    loop {
        let number = served.frames + served.faults;
        let frame = match next {
            Ok(Some(frame)) => frame,
            Ok(None) => return Ok(served),
            Err(error) => {
                // No feeding here: a source that never again begins a frame resets the device.
                give_up(&mut served, number, Fault::Begin(error), report)?;
                next = source.begin();
                continue;
            }
        };
        let arena = Arena { main: &mut *main, more: &mut *more };
        let mut pipeline = match Pipeline::open(plan, frame, kernel, arena, workspace) {
            Ok(pipeline) => pipeline,
            Err(fault) => {
                give_up(&mut served, number, fault, report)?;
                next = source.begin();
                continue;
            }
        };
        info!("frames of {=u32}x{=u32}, by {=str}", frame.width, frame.height, kernel.name());
        // As long as frames keep their size, the session stays open.
        while let Ok(Some(same)) = next
            && same == frame
        {
            let number = served.frames + served.faults;
            match pipeline.segment(number, source, watchdog, report) {
                Ok(_) => served.frames += 1,
                Err(fault) => give_up(&mut served, number, fault, report)?,
            }
            next = source.begin();
        }
    }
}

fn give_up(served: &mut Served, number: u32, fault: Fault, report: &mut impl Report) -> Result<(), Fault> {
    if fault == Fault::Unsent {
        return Err(fault);
    }
    warn!("frame {=u32}: given up at the {=str}", number, fault.place());
    served.faults += 1;
    Ok(report.record(&Record::Fault { number, fault: &fault })?)
}
