//! The firmware's run, on the host: line for line what an emulated Cortex-M prints (contract C1).

use std::fmt::Write;

use microtome_firmware::{Line, frame, segment};

#[test]
fn the_host_prints_what_the_firmware_prints() {
    let plan = include_bytes!("../../models/zoo/nuclei/model.mtm");
    let mut arena = vec![0; 256 * 1024];
    let mut lines = String::new();
    let each = |object: &_| writeln!(lines, "{}", Line(object)).expect("a String takes everything");
    let rows = frame::PIXELS.chunks_exact(96);
    let summary = segment(plan, frame::size(), frame::levels(), rows, &mut arena, each).expect("the built-in frame");
    assert!(summary.objects > 1, "{summary}");
    assert_eq!(format!("{lines}{summary}\n"), include_str!("../../firmware/src/main.out"));
}
