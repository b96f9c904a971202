//! Weights packed for a kernel, added to a plan: read from flash where they lie, rather than packed into memory when a
//! session opens.
//!
//! They are what the session would have packed, operator by operator. A plan that has them is a plan like any other: other
//! kernels take the weights that they are made of, which stay.

use zerocopy::{FromBytes, IntoBytes};

use super::record::{self, Span};
use super::{PACKED_ALIGNMENT, Plan, check};
use crate::arch::Kernel;
use crate::arch::cortex_m::layout;
use crate::arch::job::Layout;
use crate::ops;

/// The order in which a kernel wants weights; the kernel need not be one of this machine's.
#[derive(Clone, Copy, Debug)]
pub struct Packing {
    name: &'static str,
    layouts: Layouts,
}

#[derive(Clone, Copy, Debug)]
enum Layouts {
    Here(Kernel),
    Elsewhere(fn(usize) -> Option<Layout>),
}

/// Kernels of machines that read weights from flash.
const FROM_FLASH: [Packing; 2] = [
    Packing { name: layout::DSP_NAME, layouts: Layouts::Elsewhere(|_| Some(layout::DSP)) },
    Packing { name: layout::MVE_NAME, layouts: Layouts::Elsewhere(|_| Some(layout::MVE)) },
];

impl Packing {
    /// The packing of a kernel of this machine, or of a microcontroller's, by its name.
    pub fn named(name: &str) -> Option<Packing> {
        let here = Kernel::named(name).map(|kernel| Packing { name: kernel.name(), layouts: Layouts::Here(kernel) });
        here.or_else(|| FROM_FLASH.into_iter().find(|packing| packing.name == name))
    }

    /// Names of microcontrollers' kernels.
    pub fn from_flash() -> impl Iterator<Item = &'static str> {
        FROM_FLASH.into_iter().map(|packing| packing.name)
    }

    /// The kernel's name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    fn layout(self, outputs: usize) -> Option<Layout> {
        match self.layouts {
            Layouts::Here(kernel) => crate::compute::sealed::Compute::layout(kernel, outputs),
            Layouts::Elsewhere(layout) => layout(outputs),
        }
    }

    /// Bytes of an operator's packed weights.
    fn len(self, plan: &Plan, index: usize) -> usize {
        let Some(operator) = plan.operator(index) else { return 0 };
        ops::packed_len(&|outputs| self.layout(outputs), plan, &operator, plan.channels(index + 1))
    }
}

/// Where everything goes in the plan to be.
struct Places {
    /// Bytes of the plan's own data, without what was packed before.
    data: usize,
    name: Span,
    gap: usize,
    packed: Span,
    len: usize,
}

impl Places {
    fn new(plan: &Plan, packing: Packing) -> Places {
        let header = plan.header();
        let data = match header.packing.len.get() {
            0 => plan.data.len(),
            _ => header.packing.offset.get() as usize,
        };
        let sections = header.sections_len();
        let end = sections + data + packing.name.len();
        let start = end.next_multiple_of(PACKED_ALIGNMENT);
        let packed: usize = (0..plan.operators.len()).map(|index| packing.len(plan, index)).sum();
        let span = |offset: usize, len: usize| Span { offset: (offset as u32).into(), len: (len as u32).into() };
        Places {
            data,
            name: span(data, packing.name.len()),
            gap: start - end,
            packed: span(start - sections, packed),
            len: start + packed,
        }
    }
}

/// Bytes of the plan that [`pack`] writes.
pub fn packed_len(plan: &Plan, packing: Packing) -> usize {
    Places::new(plan, packing).len
}

/// Writes the plan with its weights packed too, in place of those that were packed before, to the start of `out`; returns
/// its size in bytes.
///
/// `None`, with `out` in an unspecified state, where [`packed_len`] does not fit, or exceeds the format's 4 GiB.
pub fn pack(plan: &Plan, packing: Packing, out: &mut [u8]) -> Option<usize> {
    let places = Places::new(plan, packing);
    let file_len = u32::try_from(places.len).ok()?;
    let out = out.get_mut(..places.len)?;
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        out.get_mut(at..at + bytes.len())?.copy_from_slice(bytes);
        at += bytes.len();
        Some(())
    };
    put(plan.header().as_bytes())?;
    put(plan.tensors.as_bytes())?;
    put(plan.operators.as_bytes())?;
    put(plan.edges.as_bytes())?;
    put(plan.outputs.as_bytes())?;
    put(plan.data.get(..places.data)?)?;
    put(packing.name.as_bytes())?;
    put([0; PACKED_ALIGNMENT].get(..places.gap)?)?;
    for index in 0..plan.operators.len() {
        let (place, rest) = out.get_mut(at..)?.split_at_mut_checked(packing.len(plan, index))?;
        if !place.is_empty() {
            let operator = plan.operator(index)?;
            ops::pack(&|outputs| packing.layout(outputs), plan, &operator, plan.channels(index + 1), place);
        }
        at = places.len - rest.len();
    }
    let (header, _) = record::Header::mut_from_prefix(out).ok()?;
    header.file_len = file_len.into();
    (header.packing, header.packed) = (places.name, places.packed);
    let checksum = check::checksum(out);
    let (header, _) = record::Header::mut_from_prefix(out).ok()?;
    header.checksum = checksum.into();
    Some(places.len)
}
