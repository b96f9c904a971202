//! Cases written down, for machines on which the suites themselves cannot run: plans, frames, and every byte of what should
//! come out, by the oracle. `tests/guest` reads them.
//!
//! The file holds numbers of 32 bits, little-endian, and bytes behind their length: the kernel's name and the number of
//! cases, then of each what [`Corpus::push`] is told.

use microtome_core::{Frame, Kernel, Plan, Row, Session, Setup};

use crate::cases::{self, Case, OPERATORS};
use crate::draw::{Draw, for_seeds};
use crate::emit::{Schedule, plan};
use crate::graph::{Graph, Op};
use crate::oracle::{Conv, ConvTranspose, Padding, Window};
use crate::run::{arena_len, frame_of};

/// A file of cases in the making.
pub struct Corpus {
    kernel: String,
    count: u32,
    bytes: Vec<u8>,
}

/// What is pushed, and whether instructions are to be counted.
struct Entry<'a> {
    name: &'a str,
    timed: bool,
    camera: bool,
    frame: Frame,
    plan: &'a [u8],
    input: &'a [u8],
    expected: &'a [u8],
}

impl Corpus {
    /// Cases for a kernel of this name.
    pub fn new(kernel: &str) -> Corpus {
        Corpus { kernel: kernel.to_owned(), count: 0, bytes: Vec::new() }
    }

    /// The file.
    pub fn finish(self) -> Vec<u8> {
        let mut file = Vec::new();
        bytes(&mut file, self.kernel.as_bytes());
        number(&mut file, self.count);
        file.extend(self.bytes);
        file
    }

    fn push(&mut self, entry: &Entry) {
        let to = &mut self.bytes;
        bytes(to, entry.name.as_bytes());
        number(to, entry.timed.into());
        number(to, entry.camera.into());
        number(to, entry.frame.height);
        number(to, entry.frame.width);
        bytes(to, entry.plan);
        bytes(to, entry.input);
        bytes(to, entry.expected);
        self.count += 1;
    }

    /// An operator, in the smallest rings and a strip of `strip` rows at a time.
    pub fn case(&mut self, name: &str, case: &Case, strip: u16, timed: bool) {
        let inputs: Vec<_> = case.inputs.iter().collect();
        let expected = case.op.apply(&inputs, case.channels, case.quant);
        let (graph, frame) = Graph::of(case.op.clone(), &inputs, case.channels, case.quant);
        let schedule = Schedule::tight(&graph, strip, frame_of(&frame));
        let (input, expected) = (unsigned(&frame.data), unsigned(&expected.data));
        let plan = plan(&graph, &schedule);
        let frame = frame_of(&frame);
        self.push(&Entry { name, timed, camera: false, frame, plan: &plan, input: &input, expected: &expected });
    }

    /// A whole network, its instructions counted on a grey frame of noise; the scalar kernel says what is expected.
    pub fn network(&mut self, name: &str, plan: &[u8], height: u32, width: u32) {
        let mut draw = Draw::new(name, 0);
        let input: Vec<u8> = (0..height * width).map(|_| draw.byte()).collect();
        let parsed = Plan::parse(plan).expect("the zoo's plans are valid");
        let (frame, setup) = (Frame::grey(height, width), Setup::alone(Kernel::Scalar));
        let mut arena = vec![0; arena_len(&parsed, frame, &setup).expect("the frame fits")];
        let mut session = Session::open(&parsed, frame, &mut arena, setup).expect("there is room");
        let mut expected = Vec::new();
        session.run(Row::U8(&input), |out| expected.extend(unsigned(out.data))).expect("a whole frame");
        let input = &input;
        self.push(&Entry { name, timed: true, camera: true, frame, plan, input, expected: &expected });
    }
}

fn number(to: &mut Vec<u8>, number: u32) {
    to.extend(number.to_le_bytes());
}

fn bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    number(to, bytes.len().try_into().expect("cases are small"));
    to.extend(bytes);
}

fn unsigned(values: &[i8]) -> Vec<u8> {
    values.iter().map(|&value| value as u8).collect()
}

/// Channels around the widths of tiles and of registers.
const CHANNELS: [usize; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 15, 16, 17, 24, 32, 40];

/// Every operator `seeds` times, and what kernels do in many ways: convolutions.
pub fn conformance(kernel: &str, seeds: u64) -> Corpus {
    let mut corpus = Corpus::new(kernel);
    for (name, draw_case) in OPERATORS {
        for_seeds(name, seeds, |draw| corpus.case(name, &draw_case(draw), 1, false));
    }
    for_seeds("heaviest Conv", 2, |draw| corpus.case("heaviest Conv", &cases::heaviest_conv(draw), 1, false));
    for inputs in CHANNELS {
        for_seeds(&format!("{inputs} channels in"), 1, |draw| {
            for outputs in CHANNELS {
                let kernel = draw.of(&[1, 3, 3]);
                let sides = [draw.from(1, 4), draw.from(1, 20)];
                let strip = draw.from(1, 3) as u16;
                let case = conv(draw, window([kernel; 2], [1; 2], [1; 2]), sides, [inputs, outputs], 1);
                corpus.case("channels", &case, strip, false);
            }
        });
    }
    for_seeds("windows", 8 * seeds, |draw| {
        let any = draw.pair(1, 7);
        let kernel = draw.of(&[[1, 1], [3, 3], [5, 5], [1, 3], [3, 1], any]);
        let (stride, dilation) = (draw.pair(1, 3), if draw.once_in(2) { draw.pair(1, 3) } else { [1; 2] });
        let channels = [draw.of(&CHANNELS), draw.of(&CHANNELS)];
        let sides = [draw.from(1, 4), draw.from(1, 24)];
        let case = conv(draw, window(kernel, stride, dilation), sides, channels, 1);
        corpus.case("windows", &case, draw.from(1, 3) as u16, false);
    });
    for_seeds("depthwise", 8 * seeds, |draw| {
        let any = draw.pair(1, 7);
        let kernel = draw.of(&[[3, 3], [3, 3], [5, 5], any]);
        let stride = draw.of(&[[1, 1], [1, 1], [2, 2]]);
        let dilation = draw.of(&[[1, 1], [1, 1], [2, 2]]);
        let (channels, sides) = (draw.of(&CHANNELS), [draw.from(1, 4), draw.from(1, 20)]);
        let case = conv(draw, window(kernel, stride, dilation), sides, [channels; 2], channels);
        corpus.case("depthwise", &case, draw.from(1, 3) as u16, false);
    });
    for_seeds("transposed", 4 * seeds, |draw| {
        let (channels, sides) = ([draw.of(&CHANNELS), draw.of(&CHANNELS)], [draw.from(1, 3), draw.from(1, 20)]);
        corpus.case("transposed", &transposed(draw, sides, channels), draw.from(1, 3) as u16, false);
    });
    for_seeds("pooled by twos", seeds, |draw| {
        let (channels, width) = (draw.of(&CHANNELS), 2 * draw.from(1, 9));
        corpus.case("pooled by twos", &pooled(draw, [4, width], channels), 1, false);
    });
    corpus
}

/// A window of `kernel` rows and columns that keeps the size where the stride is 1.
fn window(kernel: [usize; 2], stride: [usize; 2], dilation: [usize; 2]) -> Window {
    let pads = [0, 1, 2, 3].map(|side| ((kernel[side % 2] - 1) * dilation[side % 2] + side / 2) / 2);
    Window { kernel, stride, dilation, padding: Padding::Explicit(pads), ceil: false }
}

/// 2x2 in steps of 2.
fn twos() -> Window {
    Window { kernel: [2; 2], stride: [2; 2], dilation: [1; 2], padding: Padding::Explicit([0; 4]), ceil: false }
}

/// A convolution of full-range values; a frame of nothing but −128, and weights of nothing but −128, now and then.
fn conv(draw: &mut Draw, window: Window, sides: [usize; 2], [inputs, outputs]: [usize; 2], group: usize) -> Case {
    let quant = draw.quant();
    let (mut conv, out) = cases::constants(draw, window, group, inputs, outputs, quant);
    let mut frame = draw.tensor(sides, inputs, quant);
    if draw.once_in(5) {
        frame.data.fill(i8::MIN);
    }
    if draw.once_in(5) {
        conv.weights.fill(i8::MIN);
    }
    Case { op: Op::Conv(conv), inputs: vec![frame], channels: outputs, quant: out }
}

/// An up-convolution.
fn transposed(draw: &mut Draw, sides: [usize; 2], [inputs, outputs]: [usize; 2]) -> Case {
    let quant = draw.quant();
    let (conv, out) = cases::constants(draw, twos(), 1, inputs, outputs, quant);
    let op = Op::ConvTranspose(ConvTranspose { conv, output_padding: [0; 2] });
    Case { op, inputs: vec![draw.tensor(sides, inputs, quant)], channels: outputs, quant: out }
}

fn pooled(draw: &mut Draw, sides: [usize; 2], channels: usize) -> Case {
    let quant = draw.quant();
    Case { op: Op::MaxPool(twos()), inputs: vec![draw.tensor(sides, channels, quant)], channels, quant }
}

/// The layers that CMSIS-NN was counted on, full range of outputs, a row at a time.
pub fn layers(kernel: &str) -> Corpus {
    let mut corpus = Corpus::new(kernel);
    let draw = &mut Draw::new("layers", 0);
    let mut add = |name: &str, case: Case| {
        let op = match case.op {
            Op::Conv(conv) => Op::Conv(Conv { clamp: crate::oracle::Clamp::FULL, ..conv }),
            Op::ConvTranspose(ConvTranspose { conv, output_padding }) => {
                let conv = Conv { clamp: crate::oracle::Clamp::FULL, ..conv };
                Op::ConvTranspose(ConvTranspose { conv, output_padding })
            }
            op => op,
        };
        corpus.case(name, &Case { op, ..case }, 1, true);
    };
    let three = window([3; 2], [1; 2], [1; 2]);
    for (side, inputs, outputs) in [(96, 8, 8), (48, 16, 16), (24, 32, 32), (96, 16, 8), (96, 1, 8)] {
        let name = format!("3x3 {side}² {inputs}→{outputs}");
        add(&name, conv(draw, three, [side; 2], [inputs, outputs], 1));
    }
    add("transposed 2x2 24² 32→16", transposed(draw, [24; 2], [32, 16]));
    add("1x1 48² 16→16", conv(draw, window([1; 2], [1; 2], [1; 2]), [48; 2], [16, 16], 1));
    add("depthwise 3x3 96² 8", conv(draw, three, [96; 2], [8, 8], 8));
    add("max-pool 2x2 96² 8", pooled(draw, [96; 2], 8));
    corpus
}
