//! From a plan and a frame to the size of every tensor, and to what each edge needs of its input.

use super::reach::Reach;
use crate::error::SessionError;
use crate::ops::resample;
use crate::plan::op::kind_name;
use crate::plan::record::{self, Edge};
use crate::plan::{Op, PadMode, Plan, TALL};
use crate::ring::TensorState;
use crate::shape::{Affine, Axis, MAX_SIDE, Size, Window};

/// Fills in every tensor (sizes, rings, offsets) and every edge's reach; returns the bytes of all rings.
///
/// A ring lies among the first `room` bytes where there is room left for it, and else behind them. `tensors` and
/// `reaches` are as long as the plan's tensors and edges.
pub(super) fn resolve(
    plan: &Plan,
    input: Size,
    room: usize,
    tensors: &mut [TensorState],
    reaches: &mut [Reach],
) -> Result<RingsLen, SessionError> {
    let mut len = RingsLen { first: 0, second: 0 };
    let mut place = |tensors: &mut [TensorState], index: usize, size: Size| {
        let (Some(state), Some(tensor)) = (tensors.get_mut(index), plan.tensor(index as u16)) else { return Ok(()) };
        let ring = if tensor.ring == TALL { size.rows } else { tensor.ring.min(size.rows) };
        *state = TensorState {
            rows: size.rows.into(),
            width: size.width.into(),
            channels: u32::from(tensor.channels).into(),
            ring: ring.into(),
            offset: 0.into(),
            produced: 0.into(),
        };
        let bytes = size.width.checked_mul(tensor.channels.into()).and_then(|stride| stride.checked_mul(ring));
        let offset = bytes.and_then(|bytes| len.take(bytes as usize, room)).ok_or(SessionError::TooLarge)?;
        state.offset = offset.into();
        Ok(())
    };
    place(tensors, 0, input)?;
    for (index, operator) in plan.operators.iter().enumerate() {
        let edges = plan.operator_edges(operator);
        let first = usize::from(operator.first_edge.get());
        let Some(reaches) = reaches.get_mut(first..first + edges.len()) else { continue };
        let shape = Shape { plan, tensors, edges, record: operator, index };
        let size = shape.resolve(reaches)?;
        place(tensors, index + 1, size)?;
    }
    Ok(len)
}

/// Bytes of rings in the first bank and in the second.
#[derive(Clone, Copy)]
pub(super) struct RingsLen {
    pub first: usize,
    pub second: usize,
}

impl RingsLen {
    /// Takes room for a ring, and returns its offset.
    fn take(&mut self, bytes: usize, room: usize) -> Option<u32> {
        let (start, used) = match self.first.checked_add(bytes) {
            Some(end) if end <= room => (0, &mut self.first),
            _ => (room, &mut self.second),
        };
        let offset = start.checked_add(*used)?;
        *used += bytes;
        let end = offset.checked_add(bytes)?;
        // Slices are no longer than this, and offsets are 32 bits.
        isize::try_from(end).ok().and(u32::try_from(end).ok())?;
        u32::try_from(offset).ok()
    }
}

/// One operator, its inputs resolved.
struct Shape<'a> {
    plan: &'a Plan<'a>,
    tensors: &'a [TensorState],
    edges: &'a [Edge],
    record: &'a record::Operator,
    index: usize,
}

impl Shape<'_> {
    fn error(&self, what: &'static str, found: u32, expected: u32) -> SessionError {
        let kind = kind_name(self.record.kind);
        SessionError::Shape { operator: self.index as u16, kind, what, found, expected }
    }

    /// The size that input `index` seems to have, upsampling included.
    fn input(&self, index: usize) -> Size {
        let Some(edge) = self.edges.get(index) else { return Size { rows: 0, width: 0 } };
        let size = self.tensors.get(usize::from(edge.tensor.get())).map_or(Size { rows: 0, width: 0 }, |t| t.size());
        let factor = u32::from(edge.upsample);
        Size { rows: size.rows * factor, width: size.width * factor }
    }

    /// The output's size; sets the reach of every edge.
    fn resolve(&self, reaches: &mut [Reach]) -> Result<Size, SessionError> {
        let Some(op) = self.plan.op(self.index) else { return Ok(Size { rows: 0, width: 0 }) };
        let input = self.input(0);
        let size = match op {
            Op::Conv(conv) => {
                self.same_sizes(1)?;
                let [rows, width] = self.window(&conv.window)?;
                for (reach, edge) in reaches.iter_mut().zip(self.edges) {
                    *reach = windowed(&rows, edge.upsample);
                }
                Size { rows: rows.output, width: width.output }
            }
            Op::MaxPool(window) => self.pool(&window, reaches)?,
            Op::AveragePool(pool) => self.pool(&pool.window, reaches)?,
            Op::ConvTranspose { conv, output_padding } => {
                let rows = self.transposed(&conv.window, 0, output_padding[0])?;
                let width = self.transposed(&conv.window, 1, output_padding[1])?;
                let reach = i64::from(rows.kernel - 1) * i64::from(rows.dilation);
                let (before, stride) = (i64::from(rows.before), i64::from(rows.stride));
                // The taps k with y + before = i·stride + k·dilation for an input row i.
                let from = Affine { mul: 1, add: before - reach + stride - 1, div: stride };
                reaches.fill(Reach::new(from, before));
                Size { rows: rows.output, width: width.output }
            }
            Op::GlobalAveragePool(_) => {
                reaches.fill(Reach::whole(input.rows));
                Size { rows: 1, width: 1 }
            }
            Op::Resize(resize) => {
                let target = if self.edges.len() == 2 { Some(self.input(1)) } else { None };
                let mut size = Size { rows: 0, width: 0 };
                for (axis, side) in [(0, &mut size.rows), (1, &mut size.width)] {
                    let input = input.along(axis);
                    *side = match target {
                        Some(target) => target.along(axis),
                        None => scaled(input, resize.ratio[axis]),
                    };
                }
                let rows = resample::Axis::new(&resize, 0, input.rows, size.rows, target.is_some());
                if let Some((reach, rest)) = reaches.split_first_mut() {
                    let (from, to) = rows.reach();
                    *reach = Reach::new(from, to);
                    rest.fill(Reach::NOTHING);
                }
                size
            }
            Op::Input(ratio) => {
                let side = |axis: usize| match ratio[axis] {
                    [0, _] => 1,
                    ratio => scaled(input.along(axis), ratio),
                };
                reaches.fill(match ratio[0] {
                    [0, _] => Reach::NOTHING,
                    [up, down] => Reach::pace(up, down),
                });
                Size { rows: side(0), width: side(1) }
            }
            Op::Concat { .. } => {
                self.same_sizes(1)?;
                reaches.fill(Reach::same());
                input
            }
            Op::Add { .. } | Op::Mul { .. } => {
                reaches.fill(Reach::same());
                if self.input(1) == (Size { rows: 1, width: 1 }) && input.rows != 0 {
                    if let Some(second) = reaches.get_mut(1) {
                        *second = Reach::whole(1);
                    }
                } else {
                    self.same_sizes(1)?;
                }
                input
            }
            Op::Table(_) | Op::ArgMax | Op::Softmax(_) | Op::Classify(_) => {
                reaches.fill(Reach::same());
                input
            }
            Op::Pad { pads, mode } => {
                let [top, left, bottom, right] = pads.map(u32::from);
                let same = Reach::new(Affine { mul: 1, add: -i64::from(top), div: 1 }, -i64::from(top));
                reaches.fill(match mode {
                    PadMode::Constant(_) => same,
                    PadMode::Edge => same.mirrored(input.rows.saturating_sub(1), 1),
                    PadMode::Reflect => {
                        self.at_least("height", input.rows, top.max(bottom) + 1)?;
                        self.at_least("width", input.width, left.max(right) + 1)?;
                        same.mirrored(input.rows - 1 - bottom, top + 1)
                    }
                });
                Size { rows: input.rows + top + bottom, width: input.width + left + right }
            }
            Op::Slice { crop, .. } => {
                let [top, left, bottom, right] = crop.map(u32::from);
                reaches.fill(Reach::new(Affine { mul: 1, add: top.into(), div: 1 }, top.into()));
                self.at_least("height", input.rows, top + bottom + 1)?;
                self.at_least("width", input.width, left + right + 1)?;
                Size { rows: input.rows - top - bottom, width: input.width - left - right }
            }
        };
        self.at_least("output height", size.rows, 1)?;
        self.at_least("output width", size.width, 1)?;
        if size.rows.max(size.width) > MAX_SIDE {
            return Err(self.error("output side", size.rows.max(size.width), MAX_SIDE));
        }
        Ok(size)
    }

    fn at_least(&self, what: &'static str, found: u32, expected: u32) -> Result<(), SessionError> {
        if found >= expected { Ok(()) } else { Err(self.error(what, found, expected)) }
    }

    fn same_sizes(&self, first: usize) -> Result<(), SessionError> {
        let expected = self.input(0);
        for index in first..self.edges.len() {
            let found = self.input(index);
            if found.rows != expected.rows {
                return Err(self.error("an input's height", found.rows, expected.rows));
            }
            if found.width != expected.width {
                return Err(self.error("an input's width", found.width, expected.width));
            }
        }
        Ok(())
    }

    fn window(&self, window: &Window) -> Result<[Axis; 2], SessionError> {
        let input = self.input(0);
        let along = |axis: usize, what| {
            let reach = u32::from(window.kernel[axis] - 1) * u32::from(window.dilation[axis]) + 1;
            window.axis(axis, input.along(axis)).ok_or_else(|| self.error(what, input.along(axis), reach))
        };
        Ok([along(0, "padded input height")?, along(1, "padded input width")?])
    }

    fn pool(&self, window: &Window, reaches: &mut [Reach]) -> Result<Size, SessionError> {
        let [rows, width] = self.window(window)?;
        reaches.fill(windowed(&rows, 1));
        Ok(Size { rows: rows.output, width: width.output })
    }

    fn transposed(&self, window: &Window, axis: usize, output_padding: u16) -> Result<Axis, SessionError> {
        let input = self.input(0).along(axis);
        window.transposed_axis(axis, input, output_padding).ok_or_else(|| self.error("transposed output side", 0, 1))
    }
}

/// A side, enlarged and rounded down.
fn scaled(side: u32, [up, down]: [u16; 2]) -> u32 {
    (u64::from(side) * u64::from(up) / u64::from(down)).min(u32::MAX.into()) as u32
}

/// The reach of a window over an input that is read `upsample` times enlarged.
fn windowed(rows: &Axis, upsample: u8) -> Reach {
    let before = i64::from(rows.before);
    let from = Affine { mul: rows.stride.into(), add: -before, div: upsample.into() };
    Reach::new(from, i64::from(rows.kernel - 1) * i64::from(rows.dilation) - before)
}
