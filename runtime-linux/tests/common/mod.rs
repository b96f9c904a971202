//! A plan small enough to check by eye, and the command to run it with.
#![allow(dead_code, reason = "every test file takes what it needs")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use microtome_core::plan::emit::{Spec, emit, emitted_len};
use microtome_core::plan::record::Edge;
use microtome_core::plan::{Alignment, Input, Normalization, Op, Operator, Order, Post, Role, Task, Tensor};

/// A plan of one Table: a pixel above a fifth of the frame's stretched range is class 1, and objects are its components.
pub fn threshold_plan() -> Vec<u8> {
    let table: Vec<i8> = (0..256).map(|value| i8::from(value > 51)).collect();
    let tensors = [
        Tensor { channels: 1, scale: 1.0 / 255.0, zero_point: -128, ring: 1 },
        Tensor { channels: 1, scale: 1.0, zero_point: 0, ring: 1 },
    ];
    let operators = [Operator { name: "threshold", inputs: &[Edge::new(0)], strip: 1, op: Op::Table(&table) }];
    let spec = Spec {
        tensors: &tensors,
        operators: &operators,
        outputs: &[microtome_core::plan::Output { tensor: 1, role: Role::Mask, name: "mask" }],
        input: Input {
            normalization: Normalization::Percentile { low: 1.0, high: 99.8, previous: false },
            order: Order::Rgb,
            gain: [1.0; 4],
            offset: [0.0; 4],
        },
        post: Post { task: Task::Components, min_area: 12, grow: 0.0, threshold: 0.2 },
        alignment: Alignment { multiple: [1; 2], remainder: [0; 2] },
        classes: "background\nnucleus",
        provenance: "",
    };
    let mut bytes = vec![0; emitted_len(&spec)];
    emit(&spec, &mut bytes).expect("the buffer is as long as the plan");
    bytes
}

/// The plan as a file in `dir`.
pub fn plan_in(dir: &Path) -> PathBuf {
    let path = dir.join("threshold.mtm");
    std::fs::write(&path, threshold_plan()).unwrap();
    path
}

/// Runs the command in `dir`.
pub fn microtome(dir: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_microtome")).args(arguments).current_dir(dir).output().unwrap()
}

/// Runs the command, which must end with `code`, and returns its standard output and error.
pub fn expect(code: i32, dir: &Path, arguments: &[&str]) -> (String, String) {
    let output = microtome(dir, arguments);
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let (out, err) = (text(output.stdout), text(output.stderr));
    assert_eq!(output.status.code(), Some(code), "microtome {arguments:?}\n{out}\n{err}");
    (out, err)
}
