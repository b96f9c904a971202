//! Ring heights, strips and frame sides, all found by asking core: its schedule run dry, and its shape rules.

use microtome_core::plan::strips::strip;
use microtome_core::plan::{Alignment, Plan, TALL};
use microtome_core::session::{Frame, Setup};
use microtome_core::{Kernel, SessionError};

use crate::error::{Error, Result};

/// Largest multiple that frame sides may have to be of.
const MAX_MULTIPLE: u32 = 128;

/// The frame sides that the network takes: the smallest multiple, and the remainder, with which every size from `seen`
/// (rows, width) on works; or, for a side that is `fixed`, the one that was seen. `keep` demands outputs as large as the
/// frame. Also the frame that it was found from: `seen`, or a few times as large.
///
/// # Errors
/// No frame works.
pub fn alignment(plan: &Plan, seen: [u32; 2], fixed: [bool; 2], keep: Option<usize>) -> Result<(Alignment, [u32; 2])> {
    let mut scratch = vec![0; plan.scratch_len()];
    let mut works = |height, width| {
        let frame = Frame::grey(height, width);
        let Ok(sizes) = plan.sizes(frame, &mut scratch) else { return false };
        let kept = keep.and_then(|tensor| sizes.into_iter().nth(tensor));
        keep.is_none() || kept.is_some_and(|size| (size.rows, size.width) == (height, width))
    };
    // What was seen may be too small for core, whose Resizes are by factors, not to sizes.
    let larger = [1, 2, 4].map(|factor| seen.map(|side| factor * side));
    let seen = larger.into_iter().find(|&[rows, width]| works(rows, width)).unwrap_or(seen);
    let mut axis = |axis: usize| {
        let ok: Vec<bool> = (0..4 * MAX_MULTIPLE)
            .map(|more| if axis == 0 { works(seen[0] + more, seen[1]) } else { works(seen[0], seen[1] + more) })
            .collect();
        let fits = |multiple: u32, remainder: u32| {
            let sides = ok.iter().zip(seen[axis]..).filter(|(_, side)| side % multiple == remainder);
            sides.clone().next().is_some() && sides.map(|(ok, _)| ok).all(|ok| *ok)
        };
        let pairs = (1..=MAX_MULTIPLE).flat_map(|m| (0..m).map(move |r| (m, r)));
        let only = || (fixed[axis] && ok[0]).then(|| Some([u16::try_from(seen[axis]).ok()?, 0])).flatten();
        pairs.into_iter().find(|&(m, r)| fits(m, r)).map(|(m, r)| [m as u16, r as u16]).or_else(only)
    };
    let error = || Error::Model(format!("no rule `side % multiple == remainder` up to {MAX_MULTIPLE} fits its frames"));
    let [rows, width] = [axis(0).ok_or_else(error)?, axis(1).ok_or_else(error)?];
    Ok((Alignment { multiple: [rows[0], width[0]], remainder: [rows[1], width[1]] }, seen))
}

/// Rows per step of every operator, where a step is to make what belongs to `rows` rows of the frame.
///
/// # Errors
/// core refuses the frame.
pub fn strips(plan: &Plan, seen: [u32; 2], rows: u16) -> Result<Vec<u16>> {
    let mut scratch = vec![0; plan.scratch_len()];
    let mut heights = plan.sizes(fitting(plan, seen), &mut scratch)?.map(|size| size.rows);
    let frame = heights.next().unwrap_or(1);
    Ok(heights.map(|height| strip(rows, height, frame)).collect())
}

/// Bytes of the arena for frames of this size (rows, width), with the scalar kernel.
///
/// # Errors
/// core refuses the frame.
pub fn arena(plan: &Plan, size: [u32; 2]) -> Result<usize> {
    let mut scratch = vec![0; plan.scratch_len()];
    let len = plan.arena_len_in(fitting(plan, size), &Setup::alone(Kernel::Scalar), &mut scratch)?;
    Ok(len.total().ok_or(SessionError::TooLarge)?)
}

/// A frame of at least this size (rows, width) that the network takes without padding.
fn fitting(plan: &Plan, [rows, width]: [u32; 2]) -> Frame {
    let alignment = plan.alignment();
    Frame::grey(alignment.pad(0, rows), alignment.pad(1, width))
}

/// The rows that each tensor's ring must hold, for a plan whose rings are all [`TALL`]: the most that are ever live, over
/// frames of many heights; [`TALL`] where that grows with the frame.
///
/// # Errors
/// core refuses the frames.
pub fn heights(plan: &Plan, seen: [u32; 2]) -> Result<Vec<u32>> {
    let alignment = plan.alignment();
    let mut scratch = vec![0; plan.scratch_len()];
    let mut most = |height| -> Result<Vec<u32>> {
        let mut most = vec![1; plan.tensors().len()];
        plan.run_dry(fitting(plan, [height, seen[1]]), &mut scratch, |tensor, rows| {
            most[tensor] = most[tensor].max(rows)
        })?;
        Ok(most)
    };
    let step = u32::from(alignment.multiple[0]);
    let (Ok(high), Ok(higher)) = (most(4 * seen[0].max(128)), most(6 * seen[0].max(128))) else {
        // The network takes frames of this height only.
        return most(seen[0]);
    };
    let mut rings: Vec<u32> = high.iter().zip(&higher).map(|(a, b)| if b > a { TALL } else { *a }).collect();
    // Where the frame's last rows make no whole step, rows may wait differently.
    let tallest = plan.operators().map(|operator| u32::from(operator.strip)).max().unwrap_or(1);
    for more in 0..tallest.div_ceil(step).max(8) {
        for (ring, rows) in rings.iter_mut().zip(most(seen[0] + more * step)?) {
            *ring = (*ring).max(rows);
        }
    }
    Ok(rings)
}
