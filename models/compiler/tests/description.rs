//! The description beside a model becomes the plan's preprocessing, classes and mask.

mod common;

use microtome_compiler::{Compiler, Description, Options, measure};
use microtome_core::Plan;
use microtome_core::plan::{Normalization, Role, Task};

const TEXT: &str = r#"
name = "cells"

[input]
channels = 1
normalization = "percentile"
low = 1.0
high = 99.8
of = "frame"
gain = [1.0]
offset = [0.0]

[output]
classes = ["background", "interior", "border"]
task = "interior-border"
object = 1
border = 2
threshold = 0.6
min_area = 12
grow = 2.5
"#;

#[test]
fn interior_and_border() {
    let model = common::load("unet_ts17");
    let description = Description::parse(TEXT).unwrap();
    let images = common::images(1, 32, 48, 3);
    let compiled = Compiler::new(&model, &description, Options::default()).calibrate(images.clone()).compile().unwrap();
    let plan = Plan::parse(&compiled.plan).unwrap();
    assert_eq!(plan.classes().collect::<Vec<_>>(), ["background", "interior", "border"]);
    assert_eq!(plan.post().task, Task::InteriorBorder { object: 1, border: 2 });
    assert_eq!((plan.post().min_area, plan.post().grow, plan.post().threshold), (12, 2.5, 0.6));
    assert_eq!(plan.input().normalization, Normalization::Percentile { low: 1.0, high: 99.8, previous: false });
    let outputs: Vec<(String, Role)> = plan.outputs().map(|o| (o.name.to_owned(), o.role)).collect();
    assert_eq!(outputs.len(), 2);
    assert_eq!(outputs[1], ("mask".to_owned(), Role::Mask));
    assert!(plan.provenance().contains(model.sha256()));

    // The mask is what the float logits say, but for pixels on the edge of a decision.
    let (mut agree, mut all) = (0, 0);
    for image in &images {
        let mask = &measure::run(&plan, std::slice::from_ref(image)).unwrap()[1];
        let logits = &model.run_float(std::slice::from_ref(image)).unwrap()[0].data;
        let pixels = mask.len();
        for (pixel, &class) in mask.iter().enumerate() {
            let exp: Vec<f32> = (0..3).map(|c| logits[c * pixels + pixel].exp()).collect();
            let p: Vec<f32> = exp.iter().map(|e| e / exp.iter().sum::<f32>()).collect();
            let expected = if p[1] > 0.6 {
                1
            } else if p[0] >= 0.5 {
                0
            } else {
                2
            };
            agree += usize::from(class == expected);
            all += 1;
        }
    }
    assert!(agree * 100 > all * 97, "{agree} of {all} pixels agree");
}

#[test]
fn heads_are_handed_out_as_they_are() {
    let model = common::load("exports/stardist-ts17");
    let text = "[output]\ntask = \"star-convex\"\nthreshold = 0.45\nmin_area = 9";
    let description = Description::parse(text).unwrap();
    let images = common::images(1, 32, 48, 3);
    let compiled = Compiler::new(&model, &description, Options::default()).calibrate(images).compile().unwrap();
    let plan = Plan::parse(&compiled.plan).unwrap();
    assert_eq!((plan.post().task, plan.post().threshold, plan.post().min_area), (Task::None, 0.45, 9));
    assert!(plan.outputs().all(|output| output.role == Role::Raw));
    assert_eq!(plan.outputs().count(), 2);
    assert!(plan.provenance().lines().any(|line| line == "objects=star-convex overlap=0.4"));

    let flows = Description::parse("[output]\ntask = \"flows\"").unwrap();
    assert_eq!(
        (flows.output.least_area(), flows.output.method().unwrap().as_str()),
        (15, "flows steps=200 flow_error=0.4")
    );
    let error = Compiler::new(&model, &flows, Options::default()).check().unwrap_err().to_string();
    assert!(error.contains("channels; task flows needs one of 3"), "{error}");
}

#[test]
fn mistakes_are_named() {
    for (text, word) in [
        ("[input]\nchanels = 1", "chanels"),
        ("[output]\nthreshold = 2.0", "threshold"),
        ("[output]\ntask = \"magic\"", "magic"),
        ("[output]\noverlap = 1.5", "overlap is 1.5, expected a part from 0 to 1"),
        ("[output]\nsteps = 0", "steps is 0, expected 1 to 10000"),
        ("[output]\nflow_error = -1.0", "flow_error is -1, expected 0 or more"),
        ("[input]\ngain = [1.0, 1.0, 1.0, 1.0]", "gain"),
        ("[input", "expected"),
    ] {
        let message = Description::parse(text).unwrap_err().to_string();
        assert!(message.contains(word) && !message.contains('\n'), "{message}");
    }
}
