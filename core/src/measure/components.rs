//! The table of open components: union-find over slots that are reused.
//!
//! A slot is a component, or an alias of the component it merged into. Both stay until no row in memory names them, and
//! are then released: the table is as large as what is open at once, not as what a frame holds.

use heapless::Vec;

use super::moments::{Brightness, Moments};
use super::object::Object;
use super::perimeter::Contour;

/// A slot of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct SlotId(pub u16);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    /// A component of its own.
    Root,
    /// Merged into another.
    Alias(SlotId),
    /// Neither; in the list of free slots.
    Free,
}

#[derive(Debug)]
struct Slot {
    link: Link,
    /// The last row with a pixel that was given this slot by its class.
    last_row: i32,
    object: Object,
}

/// Components that may still grow, or whose last rows are still needed. Every [`SlotId`] in use came from
/// [`open`](Self::open) and has not been released since: indexing cannot fail.
#[derive(Debug)]
pub(super) struct Components<const OPEN: usize> {
    slots: Vec<Slot, OPEN>,
    free: Vec<SlotId, OPEN>,
    /// Ids given out in this frame.
    named: u32,
}

impl<const OPEN: usize> Components<OPEN> {
    pub const EMPTY: Self = Self { slots: Vec::new(), free: Vec::new(), named: 0 };

    pub fn clear(&mut self) {
        self.slots.clear();
        self.free.clear();
        self.named = 0;
    }

    /// A new component without pixels; `None` if the table is full.
    pub fn open(&mut self, class: u8) -> Option<SlotId> {
        let slot = Slot {
            link: Link::Root,
            last_row: -1,
            object: Object {
                id: self.named + 1,
                class,
                seed_area: 0,
                touches_border: false,
                moments: Moments::EMPTY,
                brightness: Brightness::EMPTY,
                contour: Contour::EMPTY,
            },
        };
        let id = match self.free.pop() {
            Some(id) => {
                self.slots[usize::from(id.0)] = slot;
                id
            }
            None => {
                let id = SlotId(self.slots.len() as u16);
                self.slots.push(slot).ok()?;
                id
            }
        };
        self.named += 1;
        Some(id)
    }

    /// The component that `id` belongs to. Halves the path on its way.
    pub fn find(&mut self, mut id: SlotId) -> SlotId {
        while let Link::Alias(parent) = self.slot(id).link {
            let Link::Alias(grandparent) = self.slot(parent).link else {
                return parent;
            };
            self.slot_mut(id).link = Link::Alias(grandparent);
            id = grandparent;
        }
        id
    }

    /// Points every alias straight at its component, which makes [`root`](Self::root) right until the next merge.
    pub fn flatten(&mut self) {
        for index in 0..self.slots.len() {
            if let Link::Alias(parent) = self.slots[index].link {
                self.slots[index].link = Link::Alias(self.find(parent));
            }
        }
    }

    /// The component that `id` belongs to, after [`flatten`](Self::flatten).
    pub fn root(&self, id: SlotId) -> SlotId {
        match self.slot(id).link {
            Link::Alias(root) => root,
            Link::Root | Link::Free => id,
        }
    }

    /// Makes two components one, under the id of the earlier. Returns it, and the other.
    pub fn unite(&mut self, one: SlotId, other: SlotId) -> (SlotId, SlotId) {
        let earlier = self.object(one).id < self.object(other).id;
        let (into, from) = if earlier { (one, other) } else { (other, one) };
        let Slot { object: gone, last_row, .. } = self.slot(from);
        let (gone, last_row) = (*gone, *last_row);
        self.slot_mut(from).link = Link::Alias(into);
        let slot = self.slot_mut(into);
        slot.last_row = slot.last_row.max(last_row);
        slot.object.seed_area += gone.seed_area;
        slot.object.moments.absorb(&gone.moments);
        slot.object.brightness.absorb(&gone.brightness);
        slot.object.contour = slot.object.contour.plus(gone.contour);
        (into, from)
    }

    /// Notes `count` pixels in `row` that belong to `id` by their class.
    pub fn add_seeds(&mut self, id: SlotId, row: i32, count: u32) {
        let slot = self.slot_mut(id);
        slot.last_row = row;
        slot.object.seed_area += count;
    }

    /// Whether two different components may still become one when the rows up to `newest` are known: both reach it.
    pub fn may_unite(&self, one: SlotId, other: SlotId, newest: i32) -> bool {
        let (one, other) = (self.slot(one), self.slot(other));
        one.object.class == other.object.class && one.last_row == newest && other.last_row == newest
    }

    /// What is known of a component.
    pub fn object(&self, id: SlotId) -> &Object {
        &self.slot(id).object
    }

    pub fn object_mut(&mut self, id: SlotId) -> &mut Object {
        &mut self.slot_mut(id).object
    }

    /// Of the components whose last row lies above `row`, the one with the smallest id.
    pub fn first_ended_above(&self, row: i32) -> Option<SlotId> {
        let ended = self.slots.iter().enumerate().filter(|(_, slot)| slot.link == Link::Root && slot.last_row < row);
        ended.min_by_key(|(_, slot)| slot.object.id).map(|(index, _)| SlotId(index as u16))
    }

    /// Frees a component's slot.
    pub fn release(&mut self, id: SlotId) {
        self.slot_mut(id).link = Link::Free;
        // There are as many places as slots, and each is in the list at most once.
        let _ = self.free.push(id);
    }

    /// Frees the aliases whose last row lies above `row`.
    pub fn release_aliases_above(&mut self, row: i32) {
        for index in 0..self.slots.len() {
            let slot = &self.slots[index];
            if matches!(slot.link, Link::Alias(_)) && slot.last_row < row {
                self.release(SlotId(index as u16));
            }
        }
    }

    fn slot(&self, id: SlotId) -> &Slot {
        &self.slots[usize::from(id.0)]
    }

    fn slot_mut(&mut self, id: SlotId) -> &mut Slot {
        &mut self.slots[usize::from(id.0)]
    }
}

#[cfg(test)]
mod tests {
    use super::{Components, SlotId};

    #[test]
    fn merged_components_share_the_earlier_id_and_their_sums() {
        let mut components = Components::<4>::EMPTY;
        let [a, b, c] = [0, 1, 2].map(|_| components.open(1).unwrap());
        for (slot, row) in [(a, 5), (b, 6), (c, 7)] {
            components.add_seeds(slot, row, 10);
            components.object_mut(slot).moments.add_run(row as u16, 0, 10);
        }
        assert_eq!(components.unite(c, b), (b, c));
        assert_eq!(components.unite(a, b), (a, b));
        components.flatten();
        assert_eq!([a, b, c].map(|slot| components.root(slot)), [a; 3]);
        let object = components.object(a);
        assert_eq!((object.id(), object.area(), object.interior_area()), (1, 30, 30));
    }

    #[test]
    fn long_chains_are_found_and_flattened() {
        let mut components = Components::<100>::EMPTY;
        let slots: [SlotId; 100] = core::array::from_fn(|_| components.open(1).unwrap());
        for pair in slots.windows(2).rev() {
            components.unite(pair[0], pair[1]);
        }
        assert_eq!(components.find(slots[99]), slots[0]);
        components.flatten();
        assert!(slots.iter().all(|&slot| components.root(slot) == slots[0]));
    }

    #[test]
    fn slots_are_reused_and_ids_are_not() {
        let mut components = Components::<2>::EMPTY;
        let first = components.open(1).unwrap();
        let second = components.open(1).unwrap();
        assert_eq!(components.open(1), None);
        components.add_seeds(first, 3, 1);
        components.add_seeds(second, 9, 1);
        assert_eq!(components.first_ended_above(9), Some(first));
        components.release(first);
        let third = components.open(2).unwrap();
        assert_eq!(third, first);
        assert_eq!(components.object(third).id(), 3);
        components.unite(second, third);
        components.release_aliases_above(10);
        assert!(components.open(1).is_some());
    }
}
