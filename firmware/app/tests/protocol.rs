//! Lines, as the other side sees them.

use microtome_app::frames::{Scene, Synthetic};
use microtome_app::protocol::{LineError, verify};
use microtome_app::report::{Record, Report, Unsent};
use microtome_app::watchdog::Unwatched;
use microtome_app::{Fault, Lines, Served, Workspace, serve};
use microtome_core::{Kernel, Plan};

const MICRO: &[u8] = include_bytes!("../../../models/zoo/nuclei-micro/model.mtm");

fn served<R: Report>(report: &mut R) -> Result<Served, Fault> {
    let plan = Plan::parse(MICRO).expect("the zoo's plan");
    let (mut arena, mut workspace) = (vec![0; 32 << 10], Box::new(Workspace::<96, 32>::EMPTY));
    let mut source = Synthetic::<96>::new(Scene::Nuclei, 48, 96);
    serve(&plan, Kernel::Scalar, arena.as_mut_slice(), &mut workspace, &mut source, &mut Unwatched, report)
}

#[test]
fn a_frame_in_lines() {
    let mut lines = Lines(String::new());
    assert_eq!(served(&mut lines), Ok(Served { frames: 1, faults: 0 }));
    let text: Vec<&str> = lines.0.lines().map(|line| verify(line).expect("a checked line")).collect();
    let expected = [
        "frame n=0 width=96 height=48 low=8 high=137",
        "object n=0 id=1 class=1 area=410 row=15.44 column=73.27 top=4 left=63 bottom=28 right=85 perimeter=73.94 border=0",
        "object n=0 id=2 class=1 area=440 row=28.07 column=50.91 top=16 left=40 bottom=41 right=63 perimeter=77.36 border=0",
        "end n=0 objects=2 area=850 mask=426c935a",
    ];
    assert_eq!(text, expected);
}

#[test]
fn every_wrong_bit_is_noticed() {
    let mut lines = Lines(String::new());
    let fault = Fault::NoObjects;
    lines.record(&Record::Fault { number: 3, fault: &fault }).expect("a String takes everything");
    let line = lines.0.trim_end();
    assert_eq!(verify(line), Ok("fault n=3 at=plan what=\"plan: it makes no mask of objects\""));
    for at in 0..line.len() {
        for bit in 0..7 {
            let mut bytes = line.as_bytes().to_vec();
            bytes[at] ^= 1 << bit;
            let changed = String::from_utf8(bytes).expect("ASCII");
            // Hexadecimal digits have two cases.
            assert!(verify(&changed).is_err() || changed.eq_ignore_ascii_case(line), "{changed}");
        }
    }
    assert_eq!(verify(&line[..line.len() - 1]), Err(LineError::Unchecked));
    assert_eq!(verify(""), Err(LineError::Unchecked));
}

/// Takes so many records.
struct Cut(u32);

impl Report for Cut {
    fn record(&mut self, _: &Record<'_>) -> Result<(), Unsent> {
        self.0 = self.0.checked_sub(1).ok_or(Unsent)?;
        Ok(())
    }
}

#[test]
fn a_line_that_is_cut_ends_the_run() {
    for records in 0..4 {
        assert_eq!(served(&mut Cut(records)), Err(Fault::Unsent), "after {records} records");
    }
    assert_eq!(served(&mut Cut(4)), Ok(Served { frames: 1, faults: 0 }));
}
