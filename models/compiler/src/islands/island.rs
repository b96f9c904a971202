//! A plan that takes and makes real values, NCHW, as tract has them.
//!
//! They are rounded to the plan's int8 on the way in, and are real again on the way out. Weights are packed once, for the
//! fastest kernel of this machine, and the session is kept for the next frame of the same size.

use std::sync::{Mutex, PoisonError};

use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::plan::strips::Strips;
use microtome_core::plan::{Alignment, Tensor};
use microtome_core::quant::{Clamp, saturate};
use microtome_core::{Frame, Kernel, OutputRow, Plan, Row, Session, SessionError, Setup};
use self_cell::{MutBorrow, self_cell};

use crate::error::{Error, Result};

/// Rows of the frame that a step makes: what caches like that hold the weights of a layer.
const ROWS: u16 = 8;

/// Values are transposed in blocks of so many channels and pixels, which the first-level cache holds.
const CHANNELS: usize = 16;
/// See [`CHANNELS`].
const PIXELS: usize = 64;

/// The shape of a value, `[1, channels, rows, width]`.
pub type Shape = [usize; 4];

/// A plan, ready to run.
pub struct Island {
    /// The plan, packed.
    plan: Packed,
    /// The frame, and the other inputs.
    inputs: Vec<Tensor>,
    outputs: Vec<Tensor>,
    alignment: Alignment,
    open: Mutex<Option<Open>>,
}

/// What a session borrows.
struct Lent {
    plan: MutBorrow<Vec<u8>>,
    arena: MutBorrow<Vec<u8>>,
}

type Borrowing<'l> = Session<'l, 'l>;

self_cell! {
    struct Packed {
        owner: Vec<u8>,
        #[covariant]
        dependent: Plan,
    }
}

self_cell! {
    struct Opened {
        owner: Lent,
        #[not_covariant]
        dependent: Borrowing,
    }
}

/// A session for frames of one size, and the shapes that it makes.
struct Open {
    size: [usize; 2],
    shapes: Vec<Shape>,
    opened: Opened,
}

impl Island {
    /// Reads a plan.
    ///
    /// # Errors
    /// core refuses it.
    pub fn new(plan: &[u8]) -> Result<Island> {
        let parsed = Plan::parse(plan)?;
        let packing =
            Packing::named(Kernel::best().name()).ok_or_else(|| Error::Plan("this machine has no kernel".into()))?;
        let mut packed = vec![0; packed_len(&parsed, packing)];
        pack(&parsed, packing, &mut packed).ok_or_else(|| Error::Plan("it is too large to be packed".into()))?;
        let plan = Packed::try_new(packed, |bytes| Plan::parse(bytes))?;
        Ok(Island {
            plan,
            inputs: std::iter::once(0).chain(parsed.other_inputs()).filter_map(|t| parsed.tensor(t as u16)).collect(),
            outputs: parsed.outputs().filter_map(|output| parsed.tensor(output.tensor)).collect(),
            alignment: parsed.alignment(),
            open: Mutex::default(),
        })
    }

    /// How many values it reads.
    pub fn inputs(&self) -> usize {
        self.inputs.len()
    }

    /// How many values it makes.
    pub fn outputs(&self) -> usize {
        self.outputs.len()
    }

    /// The plan's bytes, as the kernel of this machine reads them.
    pub fn bytes(&self) -> &[u8] {
        self.plan.borrow_owner()
    }

    /// The shape of every output, for inputs of these shapes.
    ///
    /// # Errors
    /// It cannot take such inputs.
    pub fn shapes(&self, given: &[&[usize]]) -> Result<Vec<Shape>> {
        let plan = self.plan.borrow_dependent();
        let mut scratch = vec![0; plan.scratch_len()];
        let sizes: Vec<_> = plan.sizes(self.frame(given)?, &mut scratch)?.collect();
        let shape = |(tensor, of): (usize, &Tensor)| {
            let size = sizes[tensor];
            [1, usize::from(of.channels), size.rows as usize, size.width as usize]
        };
        let others = plan.other_inputs().zip(&self.inputs[1..]).map(shape);
        if let Some((expected, found)) = others.zip(&given[1..]).find(|(expected, found)| expected != *found) {
            return Err(Error::Model(format!("an island reads a value of shape {found:?}, expected {expected:?}")));
        }
        let tensors = plan.outputs().map(|output| usize::from(output.tensor));
        Ok(tensors.zip(&self.outputs).map(shape).collect())
    }

    /// Runs one frame: the inputs' shapes and values; returns the shape and the values of every output.
    ///
    /// # Errors
    /// It cannot take such inputs.
    pub fn run(&self, inputs: &[(&[usize], &[f32])]) -> Result<Vec<(Shape, Vec<f32>)>> {
        let given: Vec<&[usize]> = inputs.iter().map(|(shape, _)| *shape).collect();
        let frame = self.frame(&given)?;
        let size = [given[0][2], given[0][3]];
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let open = match &mut *open {
            Some(open) if open.size == size => open,
            other => {
                *other = None;
                let opened = Opened::try_new(Lent::new(self.bytes()), |lent| lent.open(frame))?;
                other.insert(Open { size, shapes: self.shapes(&given)?, opened })
            }
        };
        let Open { shapes, opened, .. } = open;
        let mut outputs: Vec<(Shape, Vec<f32>)> =
            shapes.iter().map(|shape| (*shape, vec![0.0; shape.iter().product()])).collect();
        opened.with_dependent_mut(|_, session| self.stream(session, inputs, &mut outputs))?;
        Ok(outputs)
    }

    fn stream(
        &self,
        session: &mut Session,
        inputs: &[(&[usize], &[f32])],
        outputs: &mut [(Shape, Vec<f32>)],
    ) -> Result<()> {
        let sink = |row: OutputRow| {
            let ([_, _, rows, width], to) = &mut outputs[row.output];
            let of = &self.outputs[row.output];
            let plane = *rows * *width;
            let start = row.y as usize * *width;
            for (c, to) in to.chunks_exact_mut(plane.max(1)).enumerate() {
                let channel = row.data[c..].iter().step_by(row.channels);
                for (to, &q) in to[start..start + *width].iter_mut().zip(channel) {
                    *to = of.scale * (i32::from(q) - i32::from(of.zero_point)) as f32;
                }
            }
        };
        let quantized = self.inputs.iter().zip(inputs).map(|(of, (shape, values))| quantized(of, shape, values));
        let quantized: Vec<Vec<i8>> = quantized.collect();
        let others: Vec<&[i8]> = quantized[1..].iter().map(Vec::as_slice).collect();
        session.run_with(Row::I8(&quantized[0]), &others, sink)?;
        Ok(())
    }

    /// The frame of inputs of these shapes, which the plan must take without padding: what is cut off behind it would be
    /// missing where tract goes on.
    fn frame(&self, given: &[&[usize]]) -> Result<Frame> {
        let (found, expected) = (given.len(), self.inputs.len());
        if found != expected || expected == 0 {
            return Err(Error::Model(format!("an island is given {found} values, expected {expected}")));
        }
        let (shape, channels) = (given[0], usize::from(self.inputs[0].channels));
        let [1, found, rows, width] = shape[..] else {
            return Err(Error::Model(format!(
                "an island reads a value of shape {shape:?}, expected [1, channels, rows, width]"
            )));
        };
        let (Ok(rows), Ok(width)) = (u32::try_from(rows), u32::try_from(width)) else {
            return Err(Error::Model(format!("an island reads a value of shape {shape:?}, which is too large")));
        };
        if found != channels {
            return Err(Error::Model(format!("an island reads {found} channels, expected {channels}")));
        }
        if self.alignment.pad(0, rows) != rows || self.alignment.pad(1, width) != width {
            return Err(Error::Model(format!("an island cannot take a value of {width}x{rows} pixels")));
        }
        Ok(Frame::grey(rows, width))
    }
}

/// NCHW to the plan's int8, NHWC.
fn quantized(of: &Tensor, shape: &[usize], values: &[f32]) -> Vec<i8> {
    let (channels, plane) = (shape[1], shape[2] * shape[3]);
    let mut quantized = vec![0i8; channels * plane];
    let mut lines = vec![0i8; CHANNELS * PIXELS];
    for first in (0..plane).step_by(PIXELS) {
        let pixels = PIXELS.min(plane - first);
        for start in (0..channels).step_by(CHANNELS) {
            let count = CHANNELS.min(channels - start);
            for (c, line) in lines.chunks_exact_mut(PIXELS).take(count).enumerate() {
                let from = &values[(start + c) * plane + first..][..pixels];
                for (to, &v) in line.iter_mut().zip(from) {
                    *to = saturate(v / of.scale, of.zero_point, Clamp::FULL);
                }
            }
            let to = &mut quantized[first * channels..][..pixels * channels];
            for (x, pixel) in to.chunks_exact_mut(channels).enumerate() {
                for (to, line) in pixel[start..start + count].iter_mut().zip(lines.chunks_exact(PIXELS)) {
                    *to = line[x];
                }
            }
        }
    }
    quantized
}

impl Lent {
    fn new(plan: &[u8]) -> Lent {
        Lent { plan: MutBorrow::new(plan.to_vec()), arena: MutBorrow::new(Vec::new()) }
    }

    fn open(&self, frame: Frame) -> Result<Session<'_, '_>> {
        let mut strips = Strips::of(self.plan.borrow_mut())?;
        let mut scratch = vec![0; strips.scratch_len()];
        strips.set(frame, ROWS, &mut scratch)?;
        let plan = strips.finish();
        let len = plan.arena_len_in(frame, &Setup::default(), &mut scratch)?.total();
        let arena = self.arena.borrow_mut();
        *arena = vec![0; len.ok_or(SessionError::TooLarge)?];
        Ok(Session::new(&plan, frame, arena)?)
    }
}
