//! Against StarDist's own results, and back to the labels whose stars they are.

use super::*;
use crate::heads::tests::{self, Reference};
use crate::simulate::{Settings, scene};

/// What a network is taught of labels: for every second pixel, how deep it lies in its object, and the distances along 32 rays.
///
/// Rays go in steps of 1 px to the first pixel of another label, and back to halfway (`stardist.geometry.star_dist`).
fn taught(labels: &[u32], [rows, width]: [usize; 2], stride: usize) -> [Field; 2] {
    const RAYS: usize = 32;
    let (down, across) = (rows.div_ceil(stride), width.div_ceil(stride));
    let mut distances = vec![0.0; RAYS * down * across];
    let mut depth = vec![0.0_f32; down * across];
    let at = |y: f64, x: f64| {
        let (y, x) = (y.round_ties_even(), x.round_ties_even());
        let inside = y >= 0.0 && x >= 0.0 && y < rows as f64 && x < width as f64;
        inside.then(|| labels[y as usize * width + x as usize])
    };
    for place in 0..down * across {
        let (y, x) = ((place / across * stride) as f64, (place % across * stride) as f64);
        let label = at(y, x);
        if label == Some(0) {
            continue;
        }
        for ray in 0..RAYS {
            let (sine, cosine) = (core::f64::consts::TAU * ray as f64 / RAYS as f64).sin_cos();
            let steps = (1..).find(|&steps| at(y + f64::from(steps) * sine, x + f64::from(steps) * cosine) != label);
            let back = 1.0 - 0.5 / sine.abs().max(cosine.abs());
            distances[ray * down * across + place] = (f64::from(steps.unwrap()) - back) as f32;
        }
        let shortest = (0..RAYS).map(|ray| distances[ray * down * across + place]).fold(f32::INFINITY, f32::min);
        depth[place] = (0.4 + 0.05 * shortest).min(1.0);
    }
    let field = |channels, values| Field { channels, rows: down, width: across, values };
    [field(1, depth), field(RAYS, distances)]
}

#[test]
fn cells_are_those_that_stardist_finds() {
    for name in ["stars-cells", "stars-random"] {
        let Reference { fields, numbers, labels, frame } = tests::reference(name, &["probability", "distances"]);
        let found = super::labels(&fields, frame, 0.5, numbers["overlap"][0]).unwrap();
        assert_eq!(found.count, *labels.iter().max().unwrap() as usize, "{name}");
        tests::same_objects(&found.labels, &labels, 1.0);
    }
}

#[test]
fn both_heads_in_one_output_are_the_same() {
    let Reference { fields, frame, .. } = tests::reference("stars-cells", &["probability", "distances"]);
    let apart = super::labels(&fields, frame, 0.5, 0.4).unwrap();
    let [probability, distances] = &fields[..] else { panic!("two fields") };
    let values = [&probability.values[..], &distances.values].concat();
    let both = Field { channels: 33, values, ..*probability };
    assert_eq!(super::labels(&[both], frame, 0.5, 0.4).unwrap(), apart);
    let turned = [distances.clone(), probability.clone()];
    assert_eq!(super::labels(&turned, frame, 0.5, 0.4).unwrap(), apart);
}

#[test]
fn touching_nuclei_come_back() {
    let frame = [240, 320];
    for (stride, least) in [(1, 0.90), (2, 0.88), (4, 0.80)] {
        let mut all = tests::Recovered::default();
        for number in 0..4 {
            let scene = scene(Settings { seed: 5, height: frame[0], width: frame[1] }, number).unwrap();
            let truth: Vec<u32> = scene.labels.iter().map(|&label| label.into()).collect();
            let found = super::labels(&taught(&truth, frame, stride), frame, 0.5, 0.4).unwrap();
            all.add(&found.labels, &truth);
        }
        println!("a place every {stride} px: {all:?}");
        assert!(all.share_at_0_5() > 0.95 && all.mean_iou() > least, "{stride}: {all:?}");
    }
}

#[test]
fn other_outputs_are_refused() {
    let field = |channels: usize, rows: usize, width: usize| Field {
        channels,
        rows,
        width,
        values: vec![0.5; channels * rows * width],
    };
    let refusal = |fields: &[Field]| super::labels(fields, [40, 60], 0.4, 0.4).unwrap_err();
    let expected = "star-convex needs a probability, of one channel, and the distances along at least 3 rays";
    assert_eq!(refusal(&[]), format!("the model has no output; {expected}"));
    assert_eq!(refusal(&[field(1, 20, 30)]), format!("the model has one output, of 1 channels; {expected}"));
    assert_eq!(
        refusal(&[field(2, 20, 30), field(32, 20, 30)]),
        format!("the model has outputs of 2, 32 channels; {expected}")
    );
    assert_eq!(
        refusal(&[field(1, 20, 30), field(32, 20, 31)]),
        "the probability is 30x20 and the distances are 31x20; expected the same sides"
    );
    assert_eq!(
        refusal(&[field(1, 21, 30), field(32, 21, 30)]),
        "an output of 30x21 for a frame of 60x40; expected the frame's sides, divided by a whole number"
    );
    let mut logits = field(1, 20, 30);
    logits.values[77] = -3.0;
    assert_eq!(refusal(&[logits, field(32, 20, 30)]), "a probability of -3; expected 0 to 1, as a Sigmoid gives");
}

#[test]
fn distances_that_are_none_break_nothing() {
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -1.0, 0.0, 1e30];
    let rays = Field { channels: 6, rows: 20, width: 30, values: values.iter().flat_map(|&v| [v; 600]).collect() };
    let probability = Field { channels: 1, rows: 20, width: 30, values: vec![0.9; 600] };
    let found = super::labels(&[probability, rays], [40, 60], 0.5, 0.4).unwrap();
    assert!(found.count > 0 && found.labels.iter().all(|&label| label as usize <= found.count));
}
