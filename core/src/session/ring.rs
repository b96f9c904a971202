//! The rings, all in one slice: one row that is being written, and every other that may be read meanwhile.

use super::state::TensorState;

/// All rings but the row that is being written.
#[derive(Clone, Copy)]
pub(crate) struct Inputs<'a> {
    pub tensors: &'a [TensorState],
    before: &'a [i8],
    after: &'a [i8],
    /// Where `after` starts among all rings.
    after_start: usize,
}

impl<'a> Inputs<'a> {
    /// Row `y` of tensor `index`: `width · channels` values.
    pub fn row(&self, index: usize, y: u32) -> &'a [i8] {
        let Some(tensor) = self.tensors.get(index) else { return &[] };
        let (at, stride) = (tensor.at(y), tensor.stride());
        let row = match at.checked_sub(self.after_start) {
            Some(at) => self.after.get(at..at + stride),
            None => self.before.get(at..at + stride),
        };
        row.unwrap_or(&[])
    }
}

/// Row `y` of tensor `index`, to be written, and all others, to be read.
pub(super) fn split<'a>(
    tensors: &'a [TensorState],
    rings: &'a mut [i8],
    index: usize,
    y: u32,
) -> Option<(Inputs<'a>, &'a mut [i8])> {
    let tensor = tensors.get(index)?;
    let (before, rest) = rings.split_at_mut_checked(tensor.at(y))?;
    let (row, after) = rest.split_at_mut_checked(tensor.stride())?;
    let after_start = before.len() + row.len();
    Some((Inputs { tensors, before, after, after_start }, row))
}
