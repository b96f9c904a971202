//! One slot: its header, and what makes it good.

use core::fmt;

use crc::{CRC_32_ISO_HDLC, Crc};
use microtome_core::{Plan, PlanError};

const CRC: Crc<u32> = Crc::<u32>::new(&CRC_32_ISO_HDLC);

/// First four bytes of a slot.
const MAGIC: [u8; 4] = *b"MTS1";

/// Bytes before the plan: a multiple of what any flash writes at once (32 on an STM32H7).
pub const HEADER_LEN: usize = 32;

/// Bytes of the header that its CRC covers.
const COVERED: usize = HEADER_LEN - size_of::<u32>();

/// Why a slot holds no plan that could run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum SlotError {
    /// Nothing was written, or an update did not get to its end.
    Empty,
    /// The header is damaged.
    Header,
    /// The header gives a length that the slot does not have.
    Length {
        /// The length found.
        found: usize,
        /// The most that there is room for.
        room: usize,
    },
    /// The plan is not the one that was written.
    Damaged,
    /// The plan was written as it is, and is bad.
    Plan(PlanError),
}

impl fmt::Display for SlotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SlotError::Empty => f.write_str("empty"),
            SlotError::Header => f.write_str("the header is damaged"),
            SlotError::Length { found, room } => write!(f, "a plan of {found} bytes, where {room} have room"),
            SlotError::Damaged => f.write_str("the plan is damaged"),
            SlotError::Plan(error) => error.fmt(f),
        }
    }
}

impl core::error::Error for SlotError {}

/// The header of a slot that holds `plan`.
pub fn header(sequence: u32, plan: &[u8]) -> [u8; HEADER_LEN] {
    let fields = [u32::from_le_bytes(MAGIC), sequence, plan.len() as u32, CRC.checksum(plan)];
    let mut header = [0; HEADER_LEN];
    header.as_chunks_mut().0.iter_mut().zip(fields).for_each(|(bytes, field)| *bytes = field.to_le_bytes());
    let (covered, check) = header.split_at_mut(COVERED);
    check.copy_from_slice(&CRC.checksum(covered).to_le_bytes());
    header
}

/// The sequence number and the plan of a slot.
pub(super) fn read(slot: &[u8]) -> Result<(u32, Plan<'_>), SlotError> {
    let (header, rest) = slot.split_first_chunk::<HEADER_LEN>().ok_or(SlotError::Header)?;
    if header.iter().all(|&byte| byte == 0xff) {
        return Err(SlotError::Empty);
    }
    let field = |index: usize| u32::from_le_bytes(header.as_chunks().0[index]);
    let (covered, _) = header.split_at(COVERED);
    if !header.starts_with(&MAGIC) || field(COVERED / 4) != CRC.checksum(covered) {
        return Err(SlotError::Header);
    }
    let (sequence, len, check) = (field(1), field(2) as usize, field(3));
    let plan = rest.get(..len).ok_or(SlotError::Length { found: len, room: rest.len() })?;
    if CRC.checksum(plan) != check {
        return Err(SlotError::Damaged);
    }
    Plan::parse(plan).map(|plan| (sequence, plan)).map_err(SlotError::Plan)
}
