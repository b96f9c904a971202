//! Small exports by both PyTorch exporters, opsets 11 to 21: every run in float is what ONNX Runtime made of it. Written by
//! fixtures/exports/generate.py.

mod common;

#[test]
fn float_is_what_onnx_runtime_makes_of_it() {
    let runs = common::cases::hold("exports", 1e-3, |_| true, common::load);
    assert!(runs >= 100, "{runs} runs");
}
