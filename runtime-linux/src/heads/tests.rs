//! What the tests of both methods hold results to.

use std::collections::HashMap;

use super::*;

/// What a package made of outputs: see `tests/fixtures/heads/generate.py`.
pub struct Reference {
    pub fields: Vec<Field>,
    pub numbers: HashMap<String, Vec<f32>>,
    pub labels: Vec<u32>,
    pub frame: [usize; 2],
}

pub fn reference(name: &str, outputs: &[&str]) -> Reference {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/heads");
    let all = crate::tensor::read(&std::path::Path::new(folder).join(format!("{name}.npz"))).unwrap();
    let mut all: HashMap<String, _> = all.into_iter().map(|named| (named.name, named.values)).collect();
    let field = |values: ndarray::ArrayD<f32>| {
        let [1, channels, rows, width] = *values.shape() else { panic!("one frame") };
        Field { channels, rows, width, values: values.into_iter().collect() }
    };
    let fields = outputs.iter().map(|&output| field(all.remove(output).unwrap())).collect();
    let labels = all.remove("labels").unwrap();
    let frame = [labels.shape()[0], labels.shape()[1]];
    let numbers = all.into_iter().map(|(name, values)| (name, values.into_iter().collect())).collect();
    Reference { fields, numbers, labels: labels.iter().map(|&label| label as u32).collect(), frame }
}

/// Holds two label images to the same objects under whatever labels, in at least this share of the pixels of either.
pub fn same_objects(found: &[u32], expected: &[u32], share: f64) {
    let mut partners: HashMap<(u32, u32), usize> = HashMap::new();
    found.iter().zip(expected).for_each(|(&f, &e)| *partners.entry((f, e)).or_default() += 1);
    let mut best: HashMap<u32, (usize, u32)> = HashMap::new();
    for (&(f, e), &pixels) in &partners {
        let best = best.entry(f).or_default();
        *best = (*best).max((pixels, e));
    }
    let same = found.iter().zip(expected).filter(|(f, e)| best[f].1 == **e).count();
    assert!(same as f64 >= share * found.len() as f64, "{same} of {} pixels", found.len());
    let mut taken: Vec<u32> = best.values().map(|best| best.1).collect();
    taken.sort_unstable();
    let mut labels = expected.to_vec();
    labels.sort_unstable();
    labels.dedup();
    assert_eq!(taken, labels, "each object has one partner");
}

/// How well objects came back.
#[derive(Debug, Default)]
pub struct Recovered {
    objects: usize,
    found: usize,
    iou: f64,
    at_0_5: usize,
    at_0_7: usize,
}

impl Recovered {
    /// Compares each true object with the found one that shares most with it.
    pub fn add(&mut self, found: &[u32], truth: &[u32]) {
        let areas = |labels: &[u32]| {
            let mut areas: HashMap<u32, usize> = HashMap::new();
            labels.iter().filter(|label| **label != 0).for_each(|&label| *areas.entry(label).or_default() += 1);
            areas
        };
        let (of_found, of_truth) = (areas(found), areas(truth));
        let mut shared: HashMap<(u32, u32), usize> = HashMap::new();
        for (&f, &t) in found.iter().zip(truth).filter(|(f, t)| **f != 0 && **t != 0) {
            *shared.entry((t, f)).or_default() += 1;
        }
        for (&label, &area) in &of_truth {
            let iou = |(&(t, f), &both): (&(u32, u32), &usize)| {
                (t == label).then(|| both as f64 / (area + of_found[&f] - both) as f64)
            };
            let best = shared.iter().filter_map(iou).fold(0.0, f64::max);
            self.iou += best;
            self.at_0_5 += usize::from(best > 0.5);
            self.at_0_7 += usize::from(best > 0.7);
        }
        self.objects += of_truth.len();
        self.found += of_found.len();
    }

    pub fn mean_iou(&self) -> f64 {
        self.iou / self.objects as f64
    }

    pub fn share_at_0_5(&self) -> f64 {
        self.at_0_5 as f64 / self.objects as f64
    }
}

#[test]
fn methods_read_back() {
    for method in [Method::StarConvex { overlap: 0.4 }, Method::Flows { steps: 200, flow_error: 0.4 }] {
        assert_eq!(method.to_string().parse(), Ok(method));
    }
    for text in ["", "magic", "star-convex", "flows steps=few flow_error=0.4", "star-convex overlap=inf"] {
        assert!(text.parse::<Method>().unwrap_err().contains("expected star-convex or flows"), "{text}");
    }
}

#[test]
fn strides_are_whole() {
    let stride = |rows, width| Field { channels: 1, rows, width, values: Vec::new() }.stride([97, 40]);
    assert_eq!(stride(97, 40), Ok([1, 1]));
    assert_eq!(stride(49, 20), Ok([2, 2]));
    assert_eq!(stride(25, 40), Ok([4, 1]));
    assert_eq!(
        stride(48, 20).unwrap_err(),
        "an output of 20x48 for a frame of 40x97; expected the frame's sides, divided by a whole number"
    );
    assert!(stride(0, 20).is_err() && stride(98, 40).is_err());
}
