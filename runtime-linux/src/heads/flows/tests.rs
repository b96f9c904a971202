//! Against Cellpose's own results, and back to the labels whose flows they are.

use super::judge::taught;
use super::*;
use crate::heads::tests::{self, Reference};
use crate::simulate::{Settings, scene};

const RULES: Rules = Rules { threshold: 0.5, steps: 200, flow_error: 0.4 };

/// What a network is taught of labels.
fn field(labels: &[u32], [rows, width]: [usize; 2]) -> Field {
    let count = labels.iter().copied().max().unwrap_or(0) as usize;
    let [down, right] = taught(labels, count, [rows, width]);
    let logits = labels.iter().map(|&label| if label == 0 { -5.0 } else { 5.0 }).collect();
    Field { channels: 3, rows, width, values: [down, right, logits].concat() }
}

#[test]
fn cells_are_those_that_cellpose_finds() {
    let Reference { fields, labels, frame, .. } = tests::reference("flows", &["flows"]);
    let mut found = super::labels(&fields, frame, &RULES).unwrap();
    let mut areas = vec![0; found.count + 1];
    found.labels.iter().for_each(|&label| areas[label as usize] += 1);
    // The description's least area, which objects are held to later.
    found.labels.iter_mut().filter(|label| areas[**label as usize] < 15).for_each(|label| *label = 0);
    tests::same_objects(&found.labels, &labels, 0.995);
    // Two cells were given flows that no shape has.
    let all = super::labels(&fields, frame, &Rules { flow_error: 0.0, ..RULES }).unwrap();
    let pixels = |labels: &[u32]| labels.iter().filter(|label| **label != 0).count();
    assert!(pixels(&all.labels) > pixels(&found.labels) + 100);
}

#[test]
fn touching_nuclei_come_back() {
    let frame = [240, 320];
    let mut all = tests::Recovered::default();
    for number in 0..4 {
        let scene = scene(Settings { seed: 5, height: frame[0], width: frame[1] }, number).unwrap();
        let truth: Vec<u32> = scene.labels.iter().map(|&label| label.into()).collect();
        let found = super::labels(&[field(&truth, frame)], frame, &RULES).unwrap();
        all.add(&found.labels, &truth);
    }
    println!("{all:?}");
    assert!(all.share_at_0_5() > 0.98 && all.mean_iou() > 0.95, "{all:?}");
}

#[test]
fn holes_are_filled() {
    let picture = ["11111", "10021", "10001", "11111", "00300"];
    let mut labels: Vec<u32> = picture.concat().bytes().map(|b| u32::from(b - b'0')).collect();
    fill(&mut labels, 3, 5);
    assert_eq!(labels[..20], [1; 20]);
    assert_eq!(labels[20..], [0, 0, 3, 0, 0]);
}

#[test]
fn other_outputs_are_refused() {
    let field = |channels: usize, rows: usize, width: usize| Field {
        channels,
        rows,
        width,
        values: vec![1.0; channels * rows * width],
    };
    let refusal = |fields: &[Field]| super::labels(fields, [40, 60], &RULES).unwrap_err();
    assert_eq!(
        refusal(&[field(2, 40, 60)]),
        "the model has one output, of 2 channels; flows need one of 3: down, to the right, and the probability"
    );
    assert_eq!(refusal(&[field(3, 20, 30)]), "the flows are 30x20 for a frame of 60x40; expected the frame's sides");
}
