//! Plans that were spoilt, and updates that the power failed in.

use microtome_app::frames::{SIDE, Scene, Synthetic};
use microtome_app::store::{Emulated, EmulatedError, Slot, SlotError, Store, UpdateError, header};
use microtome_app::{Lines, Watchdog, serve};
use microtome_core::{Kernel, Plan, PlanError};

use super::{Case, FLASH, Kit, MICRO, Seen};

/// Flash as an STM32G4 has it: 8 bytes at once, blocks of 2 KiB.
type Flash<'m> = Emulated<'m, 8, 2048>;

/// All of them.
pub const ALL: [Case; 5] = [
    ("plans spoilt at random bytes are refused, or run to their end", spoilt_plans),
    ("a slot with one wrong bit", spoilt_slots),
    ("no plan at all", nothing),
    ("updates go back and forth between the slots", back_and_forth),
    ("the power fails in an update", power_fails),
];

/// Numbers that look like chance (xorshift32, G. Marsaglia, 2003).
struct Random(u32);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0 as usize % limit
    }
}

/// The same plan, changed in up to four bytes and given a checksum that fits, so that every later check has its turn.
fn spoilt_plans(kit: &mut Kit, mut watchdog: &mut dyn Watchdog) {
    let (mut refused, mut ran) = (0, 0);
    for seed in 1..=300 {
        let mut random = Random(seed);
        let plan = &mut kit.plan[..MICRO.len()];
        plan.copy_from_slice(MICRO);
        for _ in 0..=random.below(4) {
            // Mostly in the records, which come first; the weights are the greater part of a plan.
            let limit = if random.below(4) == 0 { MICRO.len() } else { 1500 };
            plan[16 + random.below(limit - 16)] = random.below(256) as u8;
        }
        if Plan::parse(plan).is_ok() {
            // Chance wrote what was there.
            assert_eq!(plan, MICRO);
        }
        let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&plan[16..]);
        plan[12..16].copy_from_slice(&checksum.to_le_bytes());
        let Ok(plan) = Plan::parse(plan) else {
            refused += 1;
            continue;
        };
        // Whatever it computes now, or whether it suits the frame at all: it is not to hang, or to break.
        let (arena, workspace) = (&mut kit.arena, &mut kit.workspace);
        let mut source = Synthetic::<SIDE>::new(Scene::Nuclei, 8, 16);
        let lines = &mut Lines(Seen::default());
        let served = serve(&plan, Kernel::Scalar, arena.as_mut_slice(), workspace, &mut source, &mut watchdog, lines);
        ran += served.expect("these lines are taken").frames;
    }
    assert!(refused > 30 && ran > 30, "{refused} plans refused, {ran} ran");
}

/// A flash with [`MICRO`] in slot A.
fn one_plan(flash: &mut [u8; FLASH]) {
    flash.fill(0xff);
    flash[..32].copy_from_slice(&header(7, MICRO));
    flash[32..32 + MICRO.len()].copy_from_slice(MICRO);
}

/// What is wrong with the slots, of which none is chosen.
fn errors(flash: &mut [u8; FLASH]) -> [Option<SlotError>; 2] {
    let store = Store::new(Flash::new(flash));
    assert!(store.newest().is_none());
    Slot::ALL.map(|slot| store.read(slot).err())
}

fn spoilt_slots(kit: &mut Kit, _: &mut dyn Watchdog) {
    one_plan(&mut kit.flash);
    assert_eq!(Store::new(Flash::new(&mut kit.flash)).newest().map(|found| found.sequence), Some(7));
    let mut random = Random(1);
    for _ in 0..100 {
        let (byte, bit) = (random.below(32 + MICRO.len()), random.below(8));
        kit.flash[byte] ^= 1 << bit;
        let expected = if byte < 32 { SlotError::Header } else { SlotError::Damaged };
        assert_eq!(errors(&mut kit.flash), [Some(expected), Some(SlotError::Empty)], "byte {byte}, bit {bit}");
        kit.flash[byte] ^= 1 << bit;
    }
}

fn nothing(kit: &mut Kit, _: &mut dyn Watchdog) {
    kit.flash.fill(0xff);
    assert_eq!(errors(&mut kit.flash), [Some(SlotError::Empty); 2]);
}

/// A plan that differs from [`MICRO`] in its provenance only: same bytes but the last of its text.
fn other_plan(plan: &mut [u8]) -> &[u8] {
    let plan = &mut plan[..MICRO.len()];
    plan.copy_from_slice(MICRO);
    let at = plan.len() - 1;
    plan[at] ^= 1;
    let checksum = crc::Crc::<u32>::new(&crc::CRC_32_ISO_HDLC).checksum(&plan[16..]);
    plan[12..16].copy_from_slice(&checksum.to_le_bytes());
    plan
}

fn update(flash: Flash<'_>, plan: &[u8]) -> Result<(), UpdateError<EmulatedError>> {
    let mut store = Store::new(flash);
    let mut update = store.update(plan.len())?;
    // In pieces that fit nothing, as a serial line brings them.
    plan.chunks(61).try_for_each(|piece| update.write(piece))?;
    update.finish()
}

fn back_and_forth(kit: &mut Kit, _: &mut dyn Watchdog) {
    let other = other_plan(&mut kit.plan);
    kit.flash.fill(0xff);
    for (sequence, plan) in (1..=6).zip([MICRO, other].into_iter().cycle()) {
        assert_eq!(update(Flash::new(&mut kit.flash), plan), Ok(()));
        let store = Store::new(Flash::new(&mut kit.flash));
        let found = store.newest().expect("a plan");
        assert_eq!((found.slot, found.sequence), (if sequence % 2 == 1 { Slot::A } else { Slot::B }, sequence));
    }
    let mut store = Store::new(Flash::new(&mut kit.flash));
    let room = FLASH / 2 - 32;
    assert_eq!(store.update(room + 1).err(), Some(UpdateError::TooLong { found: room + 1, room }));
    // Shorter than any header.
    let cut = &other[..100];
    let error = Plan::parse(cut).expect_err("a plan that was cut");
    assert!(matches!(error, PlanError::Length { found: 100, .. }), "{error}");
    assert_eq!(update(Flash::new(&mut kit.flash), cut), Err(UpdateError::Plan(error)));
    assert_eq!(Store::new(Flash::new(&mut kit.flash)).newest().map(|found| found.sequence), Some(6));
}

/// For every step that an update takes: it fails there, once, and what is found at the next start is right.
fn power_fails(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let other = other_plan(&mut kit.plan);
    let mut step = 0;
    loop {
        watchdog.feed();
        one_plan(&mut kit.flash);
        let updated = update(Flash::failing_after(&mut kit.flash, step), other);
        let found = Store::new(Flash::new(&mut kit.flash)).newest().map(|found| (found.slot, found.sequence));
        match updated {
            Err(error) => {
                assert_eq!(error, UpdateError::Flash(EmulatedError::Power), "step {step}");
                assert_eq!(found, Some((Slot::A, 7)), "step {step}");
                // Whatever is in the other slot now, the next update gets through.
                assert_eq!(update(Flash::new(&mut kit.flash), other), Ok(()), "after step {step}");
            }
            Ok(()) => {
                assert_eq!(found, Some((Slot::B, 8)));
                break;
            }
        }
        // Most steps write the middle of a plan, each like the one before.
        step += if (20..1400).contains(&step) { 37 } else { 1 };
    }
    assert!(step > 1400, "an update takes more than {step} steps");
}
