//! Float against int8, for models of both PyTorch exporters.

mod common;

use microtome_compiler::islands::{divide, precise};
use microtome_compiler::quality::ENOUGH;
use microtome_compiler::{Compiler, Description, Options};
use microtome_core::Plan;

/// Compiles a fixture and checks every output's signal-to-noise ratio.
fn compile(name: &str, channels: usize, least: f64) {
    let model = common::load(name);
    let description = Description::default();
    let images = common::images(channels, 32, 48, 4);
    let compiled = Compiler::new(&model, &description, Options::default())
        .calibrate(images)
        .compile()
        .unwrap_or_else(|e| panic!("{name}: {e}"));
    println!("{name}\n{}", compiled.report);
    let plan = Plan::parse(&compiled.plan).unwrap();
    assert!(plan.outputs().count() >= model.outputs().len());
    for output in &compiled.report.outputs {
        let Some(sqnr) = output.sqnr else { continue };
        assert!(sqnr >= least, "{name}: output {} has {sqnr:.1} dB\n{}", output.name, compiled.report);
    }
    assert!(compiled.report.outputs.iter().any(|o| o.sqnr.is_some()), "{name}: nothing was measured");
}

#[test]
fn torchscript_unet() {
    compile("unet_ts11", 1, 25.0);
    compile("unet_ts17", 1, 25.0);
}

#[test]
fn dynamo_unet() {
    compile("unet_dynamo18", 1, 25.0);
}

#[test]
fn resize_to_the_size_of_a_skip() {
    compile("size_ts13", 1, 25.0);
    compile("size_dynamo21", 1, 25.0);
}

#[test]
fn resize_with_aligned_corners() {
    compile("align_ts16", 1, 25.0);
}

#[test]
fn transposed_convolution() {
    compile("transposed_dynamo20", 1, 25.0);
}

#[test]
fn depthwise_squeeze_and_excite() {
    compile("mobile_ts14", 3, 20.0);
    compile("mobile_dynamo18", 3, 20.0);
}

#[test]
fn pads_crops_and_pools() {
    compile("shapes_ts17", 1, 20.0);
    compile("shapes_dynamo18", 1, 20.0);
}

#[test]
fn uneven_channels_are_equalized() {
    let model = common::load("uneven_ts17");
    let description = Description::default();
    let compiler = Compiler::new(&model, &description, Options::default()).calibrate(common::images(3, 32, 48, 4));
    let report = compiler.compile().unwrap().report;
    println!("{report}");
    let tried = |what: &str| {
        let of = report.trials.iter().filter(|trial| trial.choice.starts_with(what));
        of.map(|trial| trial.sqnr).fold(f64::NEG_INFINITY, f64::max)
    };
    assert!(report.equalized);
    assert!(tried("channels") > tried("ranges") + 10.0);
    assert!(report.outputs[0].sqnr.unwrap() > 25.0);
}

#[test]
fn operators_that_int8_serves_badly_stay_in_float() {
    let model = common::load("deep_ts17");
    let description = Description::default();
    let images = common::images(1, 32, 48, 4);
    let compiled =
        Compiler::new(&model, &description, Options::default()).calibrate(images.iter().cloned()).compile().unwrap();
    let whole = compiled.quality.unwrap();
    assert!(!whole.is_at_least(&ENOUGH), "{whole}: it is no example of what it is to show");
    let samples: Vec<_> = images.into_iter().map(|image| vec![image]).collect();
    let divided = precise(&model, &samples, &ENOUGH, Some(whole), |_| {}).unwrap();
    println!("{}\n{whole}, then {}", divided.division, divided.quality);
    assert!(divided.quality.is_at_least(&ENOUGH), "{}", divided.quality);
    let kept = divided.division.left.iter().filter(|left| left.reason.contains("costs too much")).count();
    assert!(kept > 0 && !divided.division.islands.is_empty());
}

#[test]
fn islands_enlarge_to_sizes_that_come_from_elsewhere() {
    let model = common::load("sized_ts17");
    let division = divide(&model).unwrap();
    println!("{division}");
    assert!(division.left.iter().all(|left| left.operator != "Resize"), "{division}");
    let samples: Vec<_> = common::images(1, 64, 96, 4).into_iter().map(|image| vec![image]).collect();
    let divided = precise(&model, &samples, &ENOUGH, None, |_| {}).unwrap();
    assert!(divided.quality.is_at_least(&ENOUGH), "{}", divided.quality);
    let larger = common::images(1, 128, 160, 1).remove(0);
    assert_eq!(divided.model.run_float(&[larger]).unwrap()[0].shape, [1, 2, 128, 160]);
}
