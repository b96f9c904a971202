//! Frames that fail, in every way that a source, an arena or a specimen can bring about.

use microtome_app::frames::{Scene, Synthetic};
use microtome_app::{Lines, RowSource, Served, SourceError, Watchdog, Workspace, serve};
use microtome_core::{Frame, Kernel, Layout, Plan};

use super::{ARENA, Case, Kit, MICRO, Rows, Seen, Spoil, run};

const GOOD: Frame = Frame { height: 40, width: 96, layout: Layout::Grey };

/// All of them.
pub const ALL: [Case; 9] = [
    ("a good frame", good),
    ("the source ends early", ends_early),
    ("the source times out", times_out),
    ("the source overruns, in its last row", overruns),
    ("a row too short", short_row),
    ("a row too long", long_row),
    ("a source that cannot begin", cannot_begin),
    ("more objects than there is room for", too_many_objects),
    ("an arena too small, and a frame too wide", too_large),
];

/// The end of a good frame: what it must be whatever came before it.
const END: &str = "objects=2 area=849 mask=76638aad";

fn good(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let mut source = Rows::new(&[GOOD, GOOD], 0, Spoil::Nothing);
    let (served, seen) = run(kit, watchdog, ARENA, &mut source);
    assert_eq!(served, Served { frames: 2, faults: 0 });
    assert_eq!(seen.end.text().strip_prefix("end n=1 "), Some(END));
    assert_eq!((seen.fault.text(), source.abandoned), ("", 0));
}

/// The first frame fails with `fault`; the second is as good as ever.
fn spoilt(kit: &mut Kit, watchdog: &mut dyn Watchdog, at: u32, spoil: Spoil, fault: &str) {
    let mut source = Rows::new(&[GOOD, GOOD], at, spoil);
    let (served, seen) = run(kit, watchdog, ARENA, &mut source);
    assert_eq!(served, Served { frames: 1, faults: 1 });
    assert_eq!(seen.fault.text(), fault);
    assert_eq!(seen.end.text().strip_prefix("end n=1 "), Some(END));
    assert_eq!(source.abandoned, 1);
}

fn ends_early(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let fault = "fault n=0 at=source what=\"source: row 17: the rows ended early\"";
    spoilt(kit, watchdog, 17, Spoil::Error(SourceError::Ended), fault);
}

fn times_out(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let fault = "fault n=0 at=source what=\"source: row 0: the row did not come in time\"";
    spoilt(kit, watchdog, 0, Spoil::Error(SourceError::TimedOut), fault);
}

fn overruns(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let fault = "fault n=0 at=source what=\"source: row 39: a row was overwritten before it was taken\"";
    spoilt(kit, watchdog, 39, Spoil::Error(SourceError::Overrun), fault);
}

fn short_row(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let fault = "fault n=0 at=row what=\"row 21: session: the row has 95 values, expected 96\"";
    spoilt(kit, watchdog, 21, Spoil::Length(95), fault);
    let fault = "fault n=0 at=row what=\"row 21: session: the row has 0 values, expected 96\"";
    spoilt(kit, watchdog, 21, Spoil::Length(0), fault);
}

fn long_row(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let fault = "fault n=0 at=row what=\"row 38: session: the row has 97 values, expected 96\"";
    spoilt(kit, watchdog, 38, Spoil::Length(97), fault);
}

/// Begins twice with an error, and then as the source within.
struct Late<S>(u32, S);

impl<S: RowSource> RowSource for Late<S> {
    fn begin(&mut self) -> Result<Option<Frame>, SourceError> {
        match self.0.checked_sub(1) {
            Some(left) => {
                self.0 = left;
                Err(SourceError::Device("the sensor does not answer"))
            }
            None => self.1.begin(),
        }
    }

    fn again(&mut self) -> Result<(), SourceError> {
        self.1.again()
    }

    fn row(&mut self) -> Result<&[u8], SourceError> {
        self.1.row()
    }
}

fn cannot_begin(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    let (served, seen) = run(kit, watchdog, ARENA, &mut Late(2, Rows::new(&[GOOD], 0, Spoil::Nothing)));
    assert_eq!(served, Served { frames: 1, faults: 2 });
    assert_eq!(seen.fault.text(), "fault n=1 at=source what=\"source: the sensor does not answer\"");
    assert_eq!(seen.end.text().strip_prefix("end n=2 "), Some(END));
}

fn too_many_objects(kit: &mut Kit, mut watchdog: &mut dyn Watchdog) {
    let plan = Plan::parse(MICRO).expect("the zoo's plan");
    let mut workspace = Workspace::<96, 3>::EMPTY;
    let mut lines = Lines(Seen::default());
    let mut source = Synthetic::<96>::new(Scene::Squares, 48, 64);
    let served =
        serve(&plan, Kernel::Scalar, kit.arena.as_mut_slice(), &mut workspace, &mut source, &mut watchdog, &mut lines);
    assert_eq!(served, Ok(Served { frames: 0, faults: 1 }));
    let fault = lines.0.fault.text();
    assert!(fault.starts_with("fault n=0 at=measure ") && fault.contains("more than 3 objects are open"), "{fault}");
}

fn too_large(kit: &mut Kit, watchdog: &mut dyn Watchdog) {
    static WIDE: [Frame; 2] = [Frame { width: 97, ..GOOD }, GOOD];
    let (served, seen) = run(kit, watchdog, ARENA, &mut Rows::new(&WIDE, 0, Spoil::Nothing));
    assert_eq!(served, Served { frames: 1, faults: 1 });
    assert!(seen.fault.text().starts_with("fault n=0 at=measure what=\"measure: the frame is 40 rows of 97 px"));
    for arena in [0, 1000, ARENA / 2] {
        let (served, seen) = run(kit, watchdog, arena, &mut Rows::new(&[GOOD, GOOD], 0, Spoil::Nothing));
        assert_eq!(served, Served { frames: 0, faults: 2 });
        let fault = seen.fault.text().strip_prefix("fault n=1 at=session what=\"session: the arena has ");
        let found = fault.and_then(|rest| rest.split(' ').next()?.parse().ok());
        assert_eq!(found, Some(arena), "{}", seen.fault.text());
    }
}
