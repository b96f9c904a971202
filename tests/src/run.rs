//! Running plans with core: a frame in, row by row, and whole outputs back.

use microtome_core::{Compute, Frame, Kernel, OutputRow, Plan, Row, Session, SessionError, Setup};

use crate::emit::{Schedule, plan};
use crate::graph::Graph;
use crate::oracle::Tensor;

/// The frame of core for a frame of a test.
pub fn frame_of(frame: &Tensor) -> Frame {
    Frame::grey(frame.rows as u32, frame.width as u32)
}

/// Collects rows that are handed out, and holds them to their order.
pub struct Sink {
    outputs: Vec<Vec<i8>>,
    rows: Vec<u32>,
}

impl Sink {
    /// For a plan of so many outputs.
    pub fn new(outputs: usize) -> Sink {
        Sink { outputs: vec![Vec::new(); outputs], rows: vec![0; outputs] }
    }

    /// Takes a row.
    pub fn take(&mut self, row: OutputRow) {
        assert_eq!(row.y, self.rows[row.output], "rows of output {} come in order", row.output);
        assert_eq!(row.data.len() % row.channels, 0, "a row of output {} has whole pixels", row.output);
        self.rows[row.output] += 1;
        self.outputs[row.output].extend_from_slice(row.data);
    }
}

/// Pushes a frame and finishes it; returns what came out, output by output.
pub fn through<C: Compute>(session: &mut Session<C>, frame: &Tensor) -> Vec<Vec<i8>> {
    let mut sink = Sink::new(session.plan().outputs().count());
    for y in 0..frame.rows {
        session.push(Row::I8(frame.row(y)), |row| sink.take(row)).expect("a whole row of the frame");
    }
    session.finish(|row| sink.take(row)).expect("all rows were pushed");
    for (index, rows) in sink.rows.iter().enumerate() {
        let size = session.output_size(index).expect("the plan has this output");
        assert_eq!(*rows, size.rows, "rows of output {index}");
        let channels = session.plan().tensor(session.plan().outputs().nth(index).expect("it exists").tensor);
        let channels = channels.expect("an output's tensor exists").channels;
        let values = size.rows as usize * size.width as usize * usize::from(channels);
        assert_eq!(sink.outputs[index].len(), values, "values of output {index}");
    }
    sink.outputs
}

/// Bytes of the arena of a session that is set up like this.
///
/// # Errors
/// As core's.
pub fn arena_len<C: Compute>(plan: &Plan, frame: Frame, setup: &Setup<C>) -> Result<usize, SessionError> {
    let len = plan.arena_len_in(frame, setup, &mut vec![0; plan.scratch_len()])?;
    len.total().ok_or(SessionError::TooLarge)
}

/// Opens the plan of `graph` in an arena of exactly the size it asks for, and runs one frame with this kernel.
pub fn run_with(graph: &Graph, schedule: &Schedule, frame: &Tensor, kernel: Kernel) -> Vec<Vec<i8>> {
    let bytes = plan(graph, schedule);
    let plan = Plan::parse(&bytes).unwrap_or_else(|error| panic!("{error}; {graph:?}"));
    let setup = Setup::alone(kernel);
    let len = arena_len(&plan, frame_of(frame), &setup).unwrap_or_else(|error| panic!("{error}; {graph:?}"));
    // What lies in an arena before must not matter.
    let mut arena = vec![0x5a; len];
    let mut session = Session::open(&plan, frame_of(frame), &mut arena, setup)
        .unwrap_or_else(|error| panic!("{error}; {schedule:?}; {graph:?}"));
    through(&mut session, frame)
}

/// The same with rings as short as they can be and one row at a time, by every kernel that this machine has; they must
/// agree.
pub fn run(graph: &Graph, frame: &Tensor) -> Vec<Vec<i8>> {
    let schedule = Schedule::tight(graph, 1, frame_of(frame));
    let definition = run_with(graph, &schedule, frame, Kernel::Scalar);
    for &kernel in &*Kernel::available() {
        let equal = run_with(graph, &schedule, frame, kernel) == definition;
        assert!(equal, "kernel {} disagrees with the scalar one: {graph:?}", kernel.name());
    }
    definition
}
