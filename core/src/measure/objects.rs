//! The measuring side: mask rows in, events out.

use super::components::{Components, SlotId};
use super::error::MeasureError;
use super::event::{Event, Pixels};
use super::grow::grow_row;
use super::moments::{MAX_PIXELS, MAX_SIDE};
use super::perimeter::{RADIUS, Window};
use super::rows::{Cell, Rows};
use super::seams::{MAX_OTHERS, Seams};
use super::task::{Meaning, Rules, Task};

/// Finds and measures the objects of a frame from its mask rows, as they come.
///
/// `WIDTH` is the widest frame it takes, in px; `OPEN` the most components that may be open at once (see
/// [`enough_open`](Self::enough_open); a few hundred do for most frames). It is 18 `WIDTH` + about 150 `OPEN` bytes in
/// size, holds everything in place, and serves one frame after another.
#[derive(Debug)]
pub struct Objects<const WIDTH: usize, const OPEN: usize> {
    rules: Rules,
    height: i32,
    width: usize,
    /// The mask row that comes next.
    next: i32,
    failed: Option<MeasureError>,
    rows: Rows<WIDTH>,
    components: Components<OPEN>,
    seams: Seams<OPEN>,
}

impl<const WIDTH: usize, const OPEN: usize> Objects<WIDTH, OPEN> {
    /// Ready for the first row of a frame of `height` rows of `width` px.
    ///
    /// # Errors
    /// [`MeasureError::Frame`] if the frame is empty, wider than `WIDTH`, or larger than 65,535 rows or 2³¹ - 1 px;
    /// [`MeasureError::Grow`] and [`MeasureError::Classes`] for a task that makes no sense.
    pub fn new(task: Task, height: u32, width: u32) -> Result<Self, MeasureError> {
        const {
            assert!(WIDTH <= MAX_SIDE as usize, "WIDTH is at most 65535");
            assert!(OPEN <= Cell::SLOTS, "OPEN is at most 32766");
        }
        let size = u64::from(height) * u64::from(width);
        if size == 0 || width as usize > WIDTH || height > MAX_SIDE || size > MAX_PIXELS {
            return Err(MeasureError::Frame { height, width, widest: WIDTH });
        }
        Ok(Self {
            rules: Rules::new(task)?,
            height: height as i32,
            width: width as usize,
            next: 0,
            failed: None,
            rows: Rows::EMPTY,
            components: Components::EMPTY,
            seams: Seams::EMPTY,
        })
    }

    /// Forgets what was pushed: the next row is the first of a frame of the same size.
    pub fn restart(&mut self) {
        self.next = 0;
        self.failed = None;
        self.rows.clear();
        self.components.clear();
        self.seams.clear();
    }

    /// Rows by which [`Event::Run`] and the asking for intensities lag behind the mask: the grow distance in whole rows.
    pub fn delay(&self) -> u32 {
        self.rules.distance.reach() as u32
    }

    /// An `OPEN` that is enough for any frame of this width and task. Ordinary frames need far less: as many as objects
    /// cross some `2 delay + 5` rows, and one for each lobe that has merged within those.
    pub fn enough_open(&self) -> usize {
        (self.linger() as usize + 1) * self.rules.most_in_a_row(self.width)
    }

    /// Takes the next mask row: one class per pixel.
    ///
    /// `intensity` is asked once for each row that can now be measured, `delay` rows behind this one, and answers with
    /// its intensities, or with `None` where nobody has them: `|row| Some(Pixels::U8(frame.row(row)))` for a frame in
    /// memory, a ring of the last rows on a device (its length: the network's delay and this one's), or `|_| None`.
    /// `event` is told what turns out.
    ///
    /// # Errors
    /// For a row too many, of the wrong length, or with a pixel that is no class; and when a table is full. The frame
    /// is lost then, and every further row fails in the same way until [`restart`](Self::restart).
    pub fn push<'f, C: Copy + Into<i16>>(
        &mut self,
        mask: &[C],
        intensity: impl FnMut(u32) -> Option<Pixels<'f>>,
        mut event: impl FnMut(Event<'_>),
    ) -> Result<(), MeasureError> {
        self.guarded(|objects| {
            objects.label(mask, &mut event)?;
            objects.advance(intensity, event)
        })
    }

    /// Ends the frame: measures the rows that waited for what is below them, and closes the objects still open. Ready for
    /// the next frame of the same size afterwards.
    ///
    /// # Errors
    /// [`MeasureError::Rows`] if mask rows are missing; and as [`push`](Self::push).
    pub fn finish<'f>(
        &mut self,
        mut intensity: impl FnMut(u32) -> Option<Pixels<'f>>,
        mut event: impl FnMut(Event<'_>),
    ) -> Result<(), MeasureError> {
        self.guarded(|objects| {
            if objects.next != objects.height {
                return Err(MeasureError::Rows { found: objects.next as u32, expected: objects.height as u32 });
            }
            for _ in 0..objects.linger() {
                objects.rows.begin(objects.next);
                objects.advance(&mut intensity, &mut event)?;
            }
            Ok(())
        })?;
        self.restart();
        Ok(())
    }

    /// Runs `step` unless an earlier one failed, and remembers if this one does.
    fn guarded(&mut self, step: impl FnOnce(&mut Self) -> Result<(), MeasureError>) -> Result<(), MeasureError> {
        match self.failed {
            Some(error) => Err(error),
            None => step(self).inspect_err(|&error| self.failed = Some(error)),
        }
    }

    /// Steps after which nothing looks at a row any more: growing looks `reach` rows up from a row that is `reach` rows
    /// old, and so does the perimeter from its own, further behind.
    fn linger(&self) -> i32 {
        2 * self.rules.distance.reach() + 2 * RADIUS as i32
    }

    /// Cuts the new row into runs of one class, and gives each to the component it touches in the row above.
    fn label<C: Copy + Into<i16>>(
        &mut self,
        mask: &[C],
        event: &mut impl FnMut(Event<'_>),
    ) -> Result<(), MeasureError> {
        let row = self.next;
        if row >= self.height {
            return Err(MeasureError::Rows { found: row as u32 + 1, expected: self.height as u32 });
        }
        if mask.len() != self.width {
            return Err(MeasureError::MaskRow { row: row as u32, found: mask.len(), expected: self.width as u32 });
        }
        self.rows.begin(row);
        let mut start = 0;
        while start < mask.len() {
            let value = mask[start].into();
            let Ok(class) = u8::try_from(value) else {
                return Err(MeasureError::Class { row: row as u32, column: start, found: value });
            };
            let length = mask[start..].iter().take_while(|&&pixel| pixel.into() == value).count();
            let end = start + length;
            match self.rules.meaning(class) {
                Meaning::Background => {}
                Meaning::Border => self.rows.row_mut(row)[start..end].fill(Cell::BORDER),
                Meaning::Object => {
                    let slot = match self.join_above(row, start..end, class, event) {
                        Some(slot) => slot,
                        None => self.components.open(class).ok_or_else(|| MeasureError::TooManyOpen {
                            row: row as u32,
                            open: OPEN,
                            enough: self.enough_open(),
                        })?,
                    };
                    self.components.add_seeds(slot, row, length as u32);
                    self.rows.row_mut(row)[start..end].fill(Cell::seed(slot));
                }
            }
            start = end;
        }
        Ok(())
    }

    /// Makes one of all components of `class` that touch `columns` of `row` from above, corners included.
    fn join_above(
        &mut self,
        row: i32,
        columns: core::ops::Range<usize>,
        class: u8,
        event: &mut impl FnMut(Event<'_>),
    ) -> Option<SlotId> {
        let mut joined = None;
        let mut last = Cell::NONE;
        for x in columns.start.saturating_sub(1)..(columns.end + 1).min(self.width) {
            let cell = self.rows.row(row - 1)[x];
            if cell == last {
                continue;
            }
            last = cell;
            let Some(slot) = cell.seed_of() else { continue };
            let slot = self.components.find(slot);
            if self.components.object(slot).class != class {
                continue;
            }
            joined = match joined {
                Some(other) if other != slot => Some(self.unite(other, slot, event)),
                _ => Some(slot),
            };
        }
        joined
    }

    /// Makes two components one.
    fn unite(&mut self, one: SlotId, other: SlotId, event: &mut impl FnMut(Event<'_>)) -> SlotId {
        let (into, from) = self.components.unite(one, other);
        let settled = self.seams.unite(into, from);
        let from = self.components.object(from).id;
        let object = self.components.object_mut(into);
        object.contour = object.contour.plus(settled);
        event(Event::Merge { from, into: object.id });
        into
    }

    /// With row `next` in place: grows and measures the row that no longer waits for others, takes the perimeters of the
    /// one whose neighbourhood is known by that, and closes what has ended.
    fn advance<'f>(
        &mut self,
        intensity: impl FnMut(u32) -> Option<Pixels<'f>>,
        mut event: impl FnMut(Event<'_>),
    ) -> Result<(), MeasureError> {
        self.components.flatten();
        let measured = self.next - self.rules.distance.reach();
        if (0..self.height).contains(&measured) {
            grow_row(&mut self.rows, measured, self.width, self.rules.distance);
            self.measure(measured, intensity, &mut event)?;
        }
        let traced = measured - RADIUS as i32;
        if (0..self.height).contains(&traced) {
            self.trace(traced)?;
        }
        self.close(&mut event);
        self.next += 1;
        Ok(())
    }

    /// Adds the pixels of a row to their components.
    fn measure<'f>(
        &mut self,
        row: i32,
        mut intensity: impl FnMut(u32) -> Option<Pixels<'f>>,
        event: &mut impl FnMut(Event<'_>),
    ) -> Result<(), MeasureError> {
        let pixels = intensity(row as u32);
        if let Some(found) = pixels.map(|pixels| pixels.width()).filter(|&width| width != self.width) {
            return Err(MeasureError::IntensityRow { row: row as u32, found, expected: self.width as u32 });
        }
        let owners = &self.rows.row(row)[..self.width];
        let mut start = 0;
        while start < owners.len() {
            let Some(slot) = owners[start].owner() else {
                start += 1;
                continue;
            };
            let slot = self.components.root(slot);
            let owned = |cell: &&Cell| cell.owner().is_some_and(|owner| self.components.root(owner) == slot);
            let end = start + owners[start..].iter().take_while(owned).count();
            let object = self.components.object_mut(slot);
            object.moments.add_run(row as u16, start as u16, end as u16);
            if let Some(pixels) = pixels {
                pixels.add_to(&mut object.brightness, start..end);
            }
            event(Event::Run { row: row as u32, columns: start..end, id: object.id });
            start = end;
        }
        Ok(())
    }

    /// Adds what the pixels of a row contribute to perimeters.
    fn trace(&mut self, row: i32) -> Result<(), MeasureError> {
        let rows: [&[Cell]; 2 * RADIUS + 1] =
            core::array::from_fn(|dy| &self.rows.row(row - RADIUS as i32 + dy as i32)[..self.width]);
        let [_, above, middle, below, _] = rows;
        for x in 0..self.width {
            // Most pixels of an object lie inside, and most of those name one slot: no need to look it up.
            let cell = middle[x];
            let Some(owner) = cell.owner() else { continue };
            let owner = self.components.root(owner);
            let components = &self.components;
            let root_of = |cell: Cell| cell.owner().map(|slot| components.root(slot));
            let own = |cells: &[Cell], x: Option<usize>| {
                let beside = x.and_then(|x| cells.get(x)).copied().unwrap_or(Cell::NONE);
                beside == cell || root_of(beside) == Some(owner)
            };
            if own(middle, x.checked_sub(1)) && own(middle, Some(x + 1)) && own(above, Some(x)) && own(below, Some(x)) {
                continue;
            }
            let mut window = Window::default();
            let mut others = heapless::Vec::<(SlotId, Window), MAX_OTHERS>::new();
            for (dy, cells) in rows.iter().enumerate() {
                for dx in 0..=2 * RADIUS {
                    let cell = (x + dx).checked_sub(RADIUS).and_then(|x| cells.get(x));
                    let Some(slot) = cell.and_then(|&cell| root_of(cell)) else { continue };
                    if slot == owner {
                        window.insert(dy, dx);
                    } else if !Window::ignores(dy, dx) && components.may_unite(owner, slot, self.next) {
                        match others.iter_mut().find(|(other, _)| *other == slot) {
                            Some((_, foreign)) => foreign.insert(dy, dx),
                            None => {
                                let mut foreign = Window::default();
                                foreign.insert(dy, dx);
                                // A full list: the rest is taken to stay foreign (see the head of `measure`).
                                let _ = others.push((slot, foreign));
                            }
                        }
                    }
                }
            }
            let contour = self
                .seams
                .note(owner, window, &others)
                .map_err(|_| MeasureError::TooManySeams { row: row as u32, open: OPEN })?;
            let object = self.components.object_mut(owner);
            object.contour = object.contour.plus(contour);
        }
        Ok(())
    }

    /// Hands out the components that no row in memory names any more, and frees their slots.
    fn close(&mut self, event: &mut impl FnMut(Event<'_>)) {
        let oldest = self.next - self.linger() + 1;
        self.components.release_aliases_above(oldest);
        while let Some(slot) = self.components.first_ended_above(oldest) {
            let (height, width) = (self.height as u16, self.width as u16);
            let object = self.components.object_mut(slot);
            let bounds = object.moments.bounds;
            object.touches_border =
                bounds.top == 0 || bounds.left == 0 || bounds.bottom == height || bounds.right == width;
            if object.seed_area < self.rules.min_area {
                event(Event::Dropped { id: object.id });
            } else {
                event(Event::Closed(object));
            }
            self.seams.forget(slot);
            self.components.release(slot);
        }
    }
}
