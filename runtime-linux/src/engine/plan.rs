//! Running plans on frames in memory, through core's session: one row in, whatever rows out.

use std::sync::Arc;

use microtome_core::plan::strips::Strips;
use microtome_core::plan::{Normalization, Post, Role, Tensor};
use microtome_core::{Frame, Plan, Row, Session};
use self_cell::{MutBorrow, self_cell};

use super::{Engine, Mask, frame_of, levels, threshold};
use crate::heads::{Field, Heads, Method};
use crate::machine::{Fit, Machine};
use crate::source::{Image, Samples};
use crate::tensor::dequantize;

/// Runs a plan on frames of any size: the session of one frame serves the next, as long as frames have the same size.
pub struct PlanEngine {
    stage: Stage,
    machine: Arc<Machine>,
    post: Post,
    method: Option<Method>,
}

enum Stage {
    /// No session; what the next one will borrow. The plan's strips are those of the last frame.
    Closed { plan: Vec<u8>, arena: Vec<u8> },
    /// A session, and how it was fitted.
    Open(Open, Fit),
}

/// What a session borrows.
struct Lent {
    plan: MutBorrow<Vec<u8>>,
    arena: MutBorrow<Vec<u8>>,
    machine: Arc<Machine>,
}

type Borrowing<'m> = Session<'m, 'm>;

self_cell! {
    struct Open {
        owner: Lent,
        #[not_covariant]
        dependent: Borrowing,
    }
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

impl PlanEngine {
    /// An engine for a plan's bytes, without an arena yet.
    ///
    /// # Errors
    /// The sentence of core's parser; or the plan makes objects in a way that this program does not know.
    pub fn new(plan: Vec<u8>, machine: Arc<Machine>) -> Result<Self, String> {
        let parsed = Plan::parse(&plan).map_err(|e| e.to_string())?;
        let (post, method) = (parsed.post(), Method::of(parsed.provenance())?);
        Ok(PlanEngine { stage: Stage::Closed { plan, arena: Vec::new() }, machine, post, method })
    }

    /// Gets ready for frames like `frame`; returns how.
    ///
    /// # Errors
    /// One sentence when the frame does not fit the network.
    pub fn prepare(&mut self, frame: Frame) -> Result<Fit, String> {
        let (plan, arena) = match std::mem::replace(&mut self.stage, Stage::nothing()) {
            Stage::Open(open, fit) if open.with_dependent(|_, session| session.frame()) == frame => {
                self.stage = Stage::Open(open, fit);
                return Ok(fit);
            }
            stage => stage.returned(),
        };
        let machine = Arc::clone(&self.machine);
        let lent = Lent { plan: MutBorrow::new(plan), arena: MutBorrow::new(arena), machine };
        let mut fit = None;
        let open = Open::try_new_or_recover(lent, |lent| {
            let (session, fitted) = lent.open(frame)?;
            fit = Some(fitted);
            Ok(session)
        });
        match open {
            Ok(open) => {
                let fit = fit.ok_or("a session that was not fitted")?;
                self.stage = Stage::Open(open, fit);
                Ok(fit)
            }
            Err((lent, error)) => {
                let (plan, arena) = lent.returned();
                self.stage = Stage::Closed { plan, arena };
                Err(error)
            }
        }
    }

    /// Gives up the session, and changes the plan.
    fn rewrite<T>(&mut self, change: impl FnOnce(&mut [u8]) -> Result<T, String>) -> Result<T, String> {
        let (mut plan, arena) = std::mem::replace(&mut self.stage, Stage::nothing()).returned();
        let changed = change(&mut plan);
        self.stage = Stage::Closed { plan, arena };
        changed
    }

    /// Gets ready for `frame`, and does something with its session.
    fn with_session<T>(
        &mut self,
        frame: Frame,
        act: impl FnOnce(&mut Session<'_, '_>) -> Result<T, String>,
    ) -> Result<T, String> {
        self.prepare(frame)?;
        match &mut self.stage {
            Stage::Open(open, _) => open.with_dependent_mut(|_, session| act(session)),
            Stage::Closed { .. } => Err("no session is open".into()),
        }
    }

    /// All outputs for a frame of already quantized values, `height × width × channels of the network's input`.
    ///
    /// # Errors
    /// One sentence when the frame does not fit the network.
    pub fn run_quantized(&mut self, height: usize, width: usize, values: &[i8]) -> Result<Vec<Rows>, String> {
        let side = |pixels: usize| u32::try_from(pixels).map_err(|_| format!("a side of {pixels} pixels"));
        let frame = Frame::grey(side(height)?, side(width)?);
        self.with_session(frame, |session| run(session, Row::I8(values)))
    }
}

/// All outputs of a session for a frame.
fn run(session: &mut Session<'_, '_>, pixels: Row<'_>) -> Result<Vec<Rows>, String> {
    let mut found: Vec<Rows> = (0..session.plan().outputs().count())
        .map(|index| {
            let size = session.output_size(index).ok_or("the plan names an output that it does not have")?;
            Ok(Rows { height: size.rows as usize, width: size.width as usize, channels: 0, data: Vec::new() })
        })
        .collect::<Result<_, String>>()?;
    session
        .run(pixels, |row| {
            found[row.output].channels = row.channels;
            found[row.output].data.extend_from_slice(row.data);
        })
        .map_err(|e| e.to_string())?;
    Ok(found)
}

/// A frame's rows, which a session with the levels of its plan's policy takes.
fn pixels<'i>(session: &mut Session<'_, '_>, image: &'i Image) -> Row<'i> {
    let normalization = session.plan().input().normalization;
    if let Normalization::Percentile { .. } = normalization {
        session.set_levels(levels(normalization, image));
    }
    match image.samples() {
        Samples::U8(samples) => Row::U8(samples),
        Samples::U16(samples) => Row::U16(samples),
    }
}

impl Rows {
    /// In real values, for a tensor of this scale and zero point.
    fn real(&self, tensor: &Tensor) -> Field {
        let Rows { height: rows, width, channels, ref data } = *self;
        let plane =
            |channel: usize| data.iter().skip(channel).step_by(channels).map(move |&value| dequantize(value, tensor));
        Field { channels, rows, width, values: (0..channels).flat_map(plane).collect() }
    }
}

impl Stage {
    fn nothing() -> Stage {
        Stage::Closed { plan: Vec::new(), arena: Vec::new() }
    }

    /// Plan and arena, whoever has them.
    fn returned(self) -> (Vec<u8>, Vec<u8>) {
        match self {
            Stage::Open(open, _) => open.into_owner().returned(),
            Stage::Closed { plan, arena } => (plan, arena),
        }
    }
}

impl Lent {
    /// Fits the plan to a frame, and opens a session for it.
    fn open(&self, frame: Frame) -> Result<(Session<'_, '_>, Fit), String> {
        let setup = self.machine.setup();
        let mut strips = Strips::of(self.plan.borrow_mut()).map_err(|e| e.to_string())?;
        let fit = self.machine.rows().fit(&mut strips, frame, &setup);
        // Also where that failed: the bytes are to be a plan again.
        let plan = strips.finish();
        let fit = fit.map_err(|e| e.to_string())?;
        let len = fit.arena.total().ok_or("an arena larger than this machine's address space")?;
        let arena = self.arena.borrow_mut();
        if arena.len() < len {
            // Not resized: nothing in the old one is worth a copy, and new memory comes as zeros that cost nothing.
            *arena = Vec::new();
            *arena = vec![0; len];
        }
        let session = Session::open(&plan, frame, &mut arena[..len], setup).map_err(|e| e.to_string())?;
        Ok((session, fit))
    }

    /// Plan and arena, for the next session.
    fn returned(self) -> (Vec<u8>, Vec<u8>) {
        (self.plan.into_inner(), self.arena.into_inner())
    }
}

impl Engine for PlanEngine {
    fn mask(&mut self, image: &Image) -> Result<Mask, String> {
        let frame = frame_of(image)?;
        let Frame { height, width, .. } = frame;
        self.with_session(frame, |session| {
            let output = session.plan().mask_output().ok_or("the plan has no class mask among its outputs")?;
            let size = session.output_size(output).ok_or("the plan's class mask has no size")?;
            if (size.rows, size.width) != (height, width) {
                return Err(format!(
                    "the class mask of a {width}x{height} frame is {}x{}; expected the frame's size",
                    size.width, size.rows
                ));
            }
            let mut classes = Vec::with_capacity(image.height() * image.width());
            let pixels = pixels(session, image);
            session
                .run(pixels, |row| {
                    if row.output == output {
                        classes.extend(row.data.iter().map(|&class| class as u8));
                    }
                })
                .map_err(|e| e.to_string())?;
            Ok(Mask { height: image.height(), width: image.width(), classes })
        })
    }

    fn post(&self) -> Post {
        self.post
    }

    fn heads(&self) -> Option<Heads> {
        self.method.map(|method| Heads::new(method, &self.post))
    }

    fn fields(&mut self, image: &Image) -> Result<Vec<Field>, String> {
        self.with_session(frame_of(image)?, |session| {
            let pixels = pixels(session, image);
            let found = run(session, pixels)?;
            let plan = session.plan();
            let raw = found.iter().zip(plan.outputs()).filter(|(_, output)| output.role == Role::Raw);
            Ok(raw.filter_map(|(rows, output)| Some(rows.real(&plan.tensor(output.tensor)?))).collect())
        })
    }

    fn threshold(&mut self) -> Option<f32> {
        if self.method.is_some() {
            return Some(self.post.threshold);
        }
        let compared = self.rewrite(|plan| {
            let strips = Strips::of(plan).map_err(|e| e.to_string())?;
            let compared = strips.compared();
            strips.finish();
            Ok(compared)
        });
        compared.ok().flatten().map(|_| self.post.threshold)
    }

    fn set_threshold(&mut self, probability: f32) -> Result<(), String> {
        let post = self.rewrite(|plan| threshold::set(plan, probability))?;
        self.post = post;
        Ok(())
    }
}
