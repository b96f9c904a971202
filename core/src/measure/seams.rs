//! Where parts of what may be one object touch.
//!
//! Two lobes can grow towards each other over the border between them long before their interiors meet, further down:
//! until then nobody knows whether the pixels along that seam are edges. So each is counted as if the lobes stayed
//! apart, and the seam keeps what would have to be added if they became one. When they do, it is added; when one of them
//! ends first, it is dropped. Either way the perimeter is exact, and a seam of any length costs one entry.
//!
//! More than two may meet at a pixel. Let `count(S)` be what the pixel contributes if exactly the components in the set
//! `S` are one with its own. It can be written as a sum of corrections, `count(S) = Σ correction(T)` over all `T ⊆ S`:
//! they are its Möbius transform, `correction(S) = Σ (-1)^(|S| - |T|) count(T)`. An entry for each `T` whose correction is
//! not zero is enough: it is due when all of `T` and the pixel's own component have become one.

use heapless::Vec;

use super::components::SlotId;
use super::perimeter::{Contour, Window};

/// Foreign components that are told apart in the window around one pixel. Further ones are taken to stay foreign.
pub(super) const MAX_OTHERS: usize = 5;

/// Components that may become one: at least two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Members([Option<SlotId>; MAX_OTHERS + 1]);

impl Members {
    fn new(slots: impl Iterator<Item = SlotId>) -> Self {
        let mut members = [None; MAX_OTHERS + 1];
        for (place, slot) in members.iter_mut().zip(slots) {
            *place = Some(slot);
        }
        members.sort_unstable();
        Self(members)
    }

    fn contains(&self, slot: SlotId) -> bool {
        self.0.contains(&Some(slot))
    }

    /// Puts `into` in the place of `from`. Returns whether more than one is left.
    fn replace(&mut self, from: SlotId, into: SlotId) -> bool {
        let had_both = self.contains(into);
        for place in &mut self.0 {
            if *place == Some(from) {
                *place = if had_both { None } else { Some(into) };
            }
        }
        self.0.sort_unstable();
        self.0.iter().flatten().nth(1).is_some()
    }
}

#[derive(Debug)]
struct Seam {
    members: Members,
    due: Contour,
}

/// The table of seams is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Full;

/// What is due to contours if components become one; each set of components has one entry.
#[derive(Debug)]
pub(super) struct Seams<const OPEN: usize> {
    entries: Vec<Seam, OPEN>,
}

impl<const OPEN: usize> Seams<OPEN> {
    pub const EMPTY: Self = Self { entries: Vec::new() };

    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// Notes a pixel of `owner`, whose own window is `own`, with the windows of `others` that may become one with it.
    /// Returns what the pixel contributes if none does.
    pub fn note(&mut self, owner: SlotId, own: Window, others: &[(SlotId, Window)]) -> Result<Contour, Full> {
        if others.is_empty() {
            return Ok(own.centre().into());
        }
        let others = &others[..others.len().min(MAX_OTHERS)];
        let mut corrections = [Contour::EMPTY; 1 << MAX_OTHERS];
        let sets = &mut corrections[..1 << others.len()];
        for (set, correction) in sets.iter_mut().enumerate() {
            let chosen = others.iter().enumerate().filter(|(n, _)| set >> n & 1 == 1);
            *correction = chosen.fold(own, |object, (_, (_, window))| object.or(*window)).centre().into();
        }
        for n in 0..others.len() {
            for set in (0..sets.len()).filter(|set| set >> n & 1 == 1) {
                sets[set] = sets[set].minus(sets[set & !(1 << n)]);
            }
        }
        for (set, &due) in sets.iter().enumerate().skip(1) {
            if due != Contour::EMPTY {
                let chosen = others.iter().enumerate().filter(|(n, _)| set >> n & 1 == 1).map(|(_, (slot, _))| *slot);
                self.add(Members::new(core::iter::once(owner).chain(chosen)), due)?;
            }
        }
        Ok(sets[0])
    }

    /// `from` became one with `into`. Returns what that adds to its contour.
    pub fn unite(&mut self, into: SlotId, from: SlotId) -> Contour {
        let mut settled = Contour::EMPTY;
        let mut index = 0;
        while index < self.entries.len() {
            if !self.entries[index].members.contains(from) {
                index += 1;
                continue;
            }
            // The last takes its place.
            let Some(last) = self.entries.pop() else { break };
            let Seam { mut members, due } = match self.entries.get_mut(index) {
                Some(place) => core::mem::replace(place, last),
                None => last,
            };
            if members.replace(from, into) {
                // Cannot be full: an entry has just been taken out.
                let _ = self.add(members, due);
            } else {
                settled = settled.plus(due);
            }
        }
        settled
    }

    /// `slot` has ended without becoming one with any other.
    pub fn forget(&mut self, slot: SlotId) {
        self.entries.retain(|seam| !seam.members.contains(slot));
    }

    fn add(&mut self, members: Members, due: Contour) -> Result<(), Full> {
        if let Some(seam) = self.entries.iter_mut().find(|seam| seam.members == members) {
            seam.due = seam.due.plus(due);
            return Ok(());
        }
        self.entries.push(Seam { members, due }).map_err(|_| Full)
    }
}

#[cfg(test)]
mod tests {
    use super::{Contour, Full, MAX_OTHERS, Seams, SlotId, Window};

    const OWNER: SlotId = SlotId(9);

    /// Windows that share no pixel: each window pixel is handed to one of `parts`, or to none.
    fn split(parts: usize, seed: u32) -> [Window; MAX_OTHERS + 1] {
        let mut windows = [Window::default(); MAX_OTHERS + 1];
        windows[0].insert(2, 2);
        let mut state = seed.wrapping_mul(0x9e37_79b1) | 1;
        for cell in 0..25 {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            let part = state as usize % (parts + 2);
            if cell != 12 && part < parts {
                windows[part].insert(cell / 5, cell % 5);
            }
        }
        windows
    }

    /// Whichever components become one, and in whichever order, the sum is what one window of theirs would have given.
    #[test]
    fn every_union_in_every_order_is_exact() {
        for seed in 0..3000 {
            let count = 1 + seed as usize % MAX_OTHERS;
            let windows = split(count + 1, seed);
            let others: [(SlotId, Window); MAX_OTHERS] = core::array::from_fn(|n| (SlotId(n as u16), windows[n + 1]));
            let others = &others[..count];
            let set = (seed / 7) as usize % (1 << count);

            let mut seams = Seams::<64>::EMPTY;
            let mut contour = seams.note(OWNER, windows[0], others).unwrap();
            let mut merged = windows[0];
            let mut root = OWNER;
            for step in 0..count {
                let n = (step * (1 + seed as usize % 2) + seed as usize) % count;
                let (slot, window) = others[n];
                if set >> n & 1 == 0 || merged == merged.or(window) {
                    continue;
                }
                // The surviving slot may be either of the two.
                let (into, from) = if seed % 3 == 0 { (slot, root) } else { (root, slot) };
                contour = contour.plus(seams.unite(into, from));
                root = into;
                merged = merged.or(window);
            }
            assert_eq!(contour, Contour::from(merged.centre()), "seed {seed}");
        }
    }

    #[test]
    fn seams_of_one_pair_share_an_entry() {
        let mut seams = Seams::<1>::EMPTY;
        let (mut own, mut other) = (Window::default(), Window::default());
        for row in 0..5 {
            for column in 0..5 {
                if column < 3 { own.insert(row, column) } else { other.insert(row, column) }
            }
        }
        for _ in 0..1000 {
            assert_eq!(seams.note(OWNER, own, &[(SlotId(0), other)]).unwrap().counts(), [1, 0, 0]);
        }
        assert_eq!(seams.note(OWNER, own, &[(SlotId(1), other)]), Err(Full));
        assert_eq!(seams.unite(SlotId(0), OWNER).counts(), [-1000, 0, 0]);
        assert!(seams.note(OWNER, own, &[(SlotId(1), other)]).is_ok());
        seams.forget(SlotId(1));
        assert_eq!(seams.unite(SlotId(1), OWNER).counts(), [0, 0, 0]);
    }
}
