//! A plan over frames in memory, through core's session: one row in, whatever rows out.

use microtome_core::plan::{Normalization, Post};
use microtome_core::{Frame, Plan, Row, Session, Setup};

use super::{Engine, Mask, levels};
use crate::source::{Channels, Image, Samples};

/// Runs a plan on frames of any size, in an arena that grows to the widest frame seen.
pub struct PlanEngine<'p> {
    plan: Plan<'p>,
    arena: Vec<u8>,
}

/// One output of a plan for a whole frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    /// Rows.
    pub height: usize,
    /// Pixels per row.
    pub width: usize,
    /// Values per pixel.
    pub channels: usize,
    /// `height × width × channels` quantized values.
    pub data: Vec<i8>,
}

/// The exact arena of `plan` for `frame`, in bytes, for plans of any number of operators.
///
/// # Errors
/// One sentence when the frame does not fit the network.
pub fn arena_len(plan: &Plan<'_>, frame: Frame) -> Result<usize, String> {
    let len = plan.arena_len_in(frame, &Setup::default(), &mut vec![0; plan.scratch_len()]).map_err(|e| e.to_string())?;
    len.total().ok_or_else(|| "an arena larger than this machine's address space".to_owned())
}

impl<'p> PlanEngine<'p> {
    /// An engine without an arena yet.
    pub fn new(plan: Plan<'p>) -> Self {
        PlanEngine { plan, arena: Vec::new() }
    }

    /// Bytes of the arena after the frames so far.
    pub fn arena_len(&self) -> usize {
        self.arena.len()
    }

    fn session(&mut self, frame: Frame) -> Result<Session<'p, '_>, String> {
        let len = arena_len(&self.plan, frame)?;
        if self.arena.len() < len {
            self.arena.resize(len, 0);
        }
        Session::new(&self.plan, frame, &mut self.arena[..len]).map_err(|e| e.to_string())
    }

    /// All outputs for a frame of already quantized values, `height × width × channels of the network's input`.
    ///
    /// # Errors
    /// One sentence when the frame does not fit the network.
    pub fn run_quantized(&mut self, height: usize, width: usize, values: &[i8]) -> Result<Vec<Rows>, String> {
        let frame = Frame::grey(side(height)?, side(width)?);
        let outputs = self.plan.outputs().count();
        let mut session = self.session(frame)?;
        let mut found: Vec<Rows> = (0..outputs)
            .map(|index| {
                let size = session.output_size(index).ok_or("the plan names an output that it does not have")?;
                Ok(Rows { height: size.rows as usize, width: size.width as usize, channels: 0, data: Vec::new() })
            })
            .collect::<Result<_, String>>()?;
        session
            .run(Row::I8(values), |row| {
                found[row.output].channels = row.channels;
                found[row.output].data.extend_from_slice(row.data);
            })
            .map_err(|e| e.to_string())?;
        Ok(found)
    }
}

impl Engine for PlanEngine<'_> {
    fn mask(&mut self, image: &Image) -> Result<Mask, String> {
        let output = self.plan.mask_output().ok_or("the plan has no class mask among its outputs")?;
        let (height, width) = (side(image.height())?, side(image.width())?);
        let frame = match image.channels() {
            Channels::Grey => Frame::grey(height, width),
            Channels::Rgb => Frame::rgb(height, width),
        };
        let normalization = self.plan.input().normalization;
        let mut session = self.session(frame)?;
        if let Normalization::Percentile { .. } = normalization {
            session.set_levels(levels(normalization, image));
        }
        let size = session.output_size(output).ok_or("the plan's class mask has no size")?;
        if (size.rows, size.width) != (height, width) {
            return Err(format!(
                "the class mask of a {width}x{height} frame is {}x{}; expected the frame's size",
                size.width, size.rows
            ));
        }
        let mut classes = Vec::with_capacity(image.height() * image.width());
        let pixels = match image.samples() {
            Samples::U8(samples) => Row::U8(samples),
            Samples::U16(samples) => Row::U16(samples),
        };
        session
            .run(pixels, |row| {
                if row.output == output {
                    classes.extend(row.data.iter().map(|&class| class as u8));
                }
            })
            .map_err(|e| e.to_string())?;
        Ok(Mask { height: image.height(), width: image.width(), classes })
    }

    fn post(&self) -> Post {
        self.plan.post()
    }
}

fn side(pixels: usize) -> Result<u32, String> {
    u32::try_from(pixels).map_err(|_| format!("a side of {pixels} pixels (expected at most {})", u32::MAX))
}
