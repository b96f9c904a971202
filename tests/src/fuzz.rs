//! Whatever the bytes: what the bounded mutation suite (`tests/fuzz.rs`) and the cargo-fuzz targets (`fuzz/`) share.
//!
//! Nothing here may panic, for any input; that is all it checks (contract C3).

use std::sync::LazyLock;

use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::{Frame, Kernel, Plan, Row, Session, Setup};

use crate::cases;
use crate::draw::Draw;
use crate::emit::{Schedule, plan};
use crate::graph::Graph;
use crate::networks::unet;
use crate::run::frame_of;

/// Largest arena that is worth a try: a plan may ask for gigabytes, which is no fault of it.
const LARGEST_ARENA: usize = 1 << 16;

/// Sides of the frames that are tried.
const FRAMES: [[u32; 2]; 3] = [[1, 1], [5, 7], [12, 16]];

/// How far bytes came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Plans that parsed.
    pub plans: usize,
    /// Sessions that opened.
    pub sessions: usize,
    /// Rows that came out.
    pub rows: usize,
}

/// Parses bytes and, if they are a plan, reads all of it and runs frames through it.
pub fn exercise(bytes: &[u8]) -> Reached {
    let mut reached = Reached::default();
    let Ok(plan) = Plan::parse(bytes).map_err(|error| error.to_string()) else { return reached };
    reached.plans += 1;
    // Accessors cannot fail on what was parsed.
    let described = format!("{:?} {:?}", plan.input(), plan.post());
    let operators = plan.operators().filter(|operator| operator.strip > 0).count();
    assert_eq!((operators + 1, described.is_empty()), (plan.tensors().count(), false));
    for [height, width] in FRAMES {
        for frame in [Frame::grey(height, width), Frame::rgb(height, width)] {
            run(&plan, frame, &mut reached);
        }
    }
    reached
}

fn run(plan: &Plan, frame: Frame, reached: &mut Reached) {
    let mut scratch = vec![0; plan.scratch_len()];
    let Ok(len) = plan.arena_len_in(frame, &Setup::default(), &mut scratch) else { return };
    let len = len.total().expect("an arena that was measured has a size");
    if len > LARGEST_ARENA {
        return;
    }
    let mut arena = vec![0xa5; len];
    let Ok(mut session) = Session::new(plan, frame, &mut arena).map_err(|error| error.to_string()) else { return };
    reached.sessions += 1;
    let mut rows = 0;
    let values = frame.width as usize * frame.layout.channels();
    let channels = plan.tensor(0).map_or(0, |tensor| usize::from(tensor.channels));
    let bytes: Vec<u8> = (0..values).map(|index| (index * 83) as u8).collect();
    let wide: Vec<u16> = (0..values).map(|index| (index * 20_011) as u16).collect();
    let raw: Vec<i8> = (0..frame.width as usize * channels).map(|index| (index * 59) as i8).collect();
    for y in 0..frame.height {
        let row = [Row::U8(&bytes), Row::U16(&wide), Row::I8(&raw)][y as usize % 3];
        if session.push(row, |_| rows += 1).is_err() {
            // A network of other than camera channels.
            session.push(Row::I8(&raw), |_| rows += 1).expect("a row of the network's own values");
        }
    }
    session.finish(|_| rows += 1).expect("all rows were pushed");
    reached.rows += rows;
}

/// The bytes, with length and checksum made right, so that what is behind them is put to the test.
pub fn repaired(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let len = bytes.len() as u32;
    if bytes.len() >= 16 {
        bytes[8..12].copy_from_slice(&len.to_le_bytes());
        let checksum = crc32fast::hash(&bytes[16..]);
        bytes[12..16].copy_from_slice(&checksum.to_le_bytes());
    }
    bytes
}

/// The cargo-fuzz target: the bytes as they are, and behind a repaired header.
pub fn target(bytes: &[u8]) {
    exercise(bytes);
    exercise(&repaired(bytes));
}

/// A mutation of a valid plan, its header made right again: the cargo-fuzz target, and the bounded suite.
pub fn mutated(seed: u64) -> Reached {
    static CORPUS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(corpus);
    let mut draw = Draw::new("mutations", seed);
    let mut bytes = CORPUS[draw.from(0, CORPUS.len() - 1)].clone();
    mutate(&mut draw, &mut bytes);
    exercise(&repaired(&bytes))
}

/// Valid plans to start from: each operator alone, and networks.
pub fn corpus() -> Vec<Vec<u8>> {
    let mut plans = Vec::new();
    for (name, draw_case) in cases::OPERATORS {
        for seed in 0..2 {
            let case = draw_case(&mut Draw::new(name, seed));
            let inputs: Vec<_> = case.inputs.iter().collect();
            let (graph, frame) = Graph::of(case.op, &inputs, case.channels, case.quant);
            plans.push(plan(&graph, &Schedule::tight(&graph, 1, frame_of(&frame))));
        }
    }
    for seed in 0..20 {
        let graph = unet(&mut Draw::new("corpus", seed));
        plans.push(plan(&graph, &Schedule::tight(&graph, 2, Frame::grey(24, 24))));
    }
    let packed: Vec<_> = plans.iter().step_by(5).map(|bytes| packed_here(bytes)).collect();
    plans.extend(packed);
    plans
}

/// A plan with its weights packed for the kernel that runs here.
fn packed_here(bytes: &[u8]) -> Vec<u8> {
    let plan = Plan::parse(bytes).expect("the corpus holds valid plans");
    let packing = Packing::named(Kernel::best().name()).expect("a kernel of this machine");
    let mut packed = vec![0; packed_len(&plan, packing)];
    pack(&plan, packing, &mut packed).expect("it is small");
    packed
}

/// Numbers at which programs break.
const EDGES: [u32; 12] = [0, 1, 2, 7, 127, 128, 255, 256, 32_768, 65_535, 0x7fff_ffff, u32::MAX];

/// Changes a few bytes: bits, numbers of one, two and four bytes, stretches, the end.
fn mutate(draw: &mut Draw, bytes: &mut Vec<u8>) {
    // Half of the changes go to the records, which are few bytes and all the structure.
    let head = bytes.len().min(1024) - 1;
    for _ in 0..draw.from(1, 4) {
        let last = if draw.once_in(2) { bytes.len() - 1 } else { head.min(bytes.len() - 1) };
        let at = draw.from(0, last);
        match draw.from(0, 6) {
            0 | 1 => bytes[at] ^= 1 << draw.from(0, 7),
            2 => bytes[at] = draw.byte(),
            3 | 4 => {
                let width = draw.of(&[1, 2, 4]).min(bytes.len() - at);
                let value = draw.of(&EDGES).to_le_bytes();
                bytes[at..at + width].copy_from_slice(&value[..width]);
            }
            5 => {
                let (from, len) = (draw.from(0, last), draw.from(1, 16));
                let len = len.min(bytes.len() - at.max(from));
                bytes.copy_within(from..from + len, at);
            }
            _ => bytes.truncate(at.max(1)),
        }
    }
}
