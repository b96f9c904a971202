use std::collections::BTreeSet;

use microtome_core::measure::{Object, Task};

use super::*;
use crate::engine::Mask;
use crate::objects::find;
use crate::objects::shape::neighbours;
use crate::simulate::{Random, Settings, scene};
use crate::source::{Channels, Samples};

fn blank(height: usize, width: usize) -> Image {
    let samples = (0..height * width).map(|pixel| (pixel % 251) as u8).collect();
    Image::new(height, width, Channels::Grey, Samples::U8(samples)).unwrap()
}

fn components(classes: Vec<u8>, image: &Image) -> Found {
    let mask = Mask { height: image.height(), width: image.width(), classes };
    find(Task::Components { min_area: 1 }, &mask, image).unwrap()
}

/// Discs `(row, column, radius)`, all of class 1.
fn discs(discs: &[(f64, f64, f64)], image: &Image) -> Found {
    let width = image.width();
    let covered = |pixel: usize| {
        let (y, x) = ((pixel / width) as f64, (pixel % width) as f64);
        discs.iter().any(|&(row, column, radius)| (y - row).powi(2) + (x - column).powi(2) <= radius * radius)
    };
    components((0..image.height() * width).map(|pixel| covered(pixel).into()).collect(), image)
}

/// Labels are the pixels that were measured, and each object is one that core finds alone.
fn check(found: &Found, image: &Image) {
    for (object, label) in found.objects.iter().zip(1..) {
        let classes = found.labels.iter().map(|&l| if l == label { object.class() } else { 0 }).collect();
        let alone = components(classes, image);
        assert_eq!(alone.objects.len(), 1);
        let same = |a: &Object, b: &Object| {
            (a.area(), a.bounding_box(), a.centroid(), a.perimeter(), a.intensity(), a.touches_border(), a.class())
                == (
                    b.area(),
                    b.bounding_box(),
                    b.centroid(),
                    b.perimeter(),
                    b.intensity(),
                    b.touches_border(),
                    b.class(),
                )
        };
        assert!(same(&alone.objects[0], object), "label {label}");
    }
    let most = found.labels.iter().max().copied().unwrap_or(0);
    assert_eq!(usize::from(most), found.objects.len());
}

#[test]
fn overlapping_discs_are_counted() {
    let image = blank(90, 130);
    let mut random = Random::new(1, 0);
    let mut right = 0;
    const TRIALS: usize = 200;
    for _ in 0..TRIALS {
        let (a, b) = (random.between(8.0, 20.0), random.between(8.0, 20.0));
        let angle = random.between(0.0, core::f64::consts::TAU);
        // From touching to 0.4 smaller radii deep in each other.
        let apart = a + b - random.between(0.0, 0.4) * a.min(b);
        let (row, column) = (45.0 - apart / 2.0 * angle.sin(), 65.0 - apart / 2.0 * angle.cos());
        let found = discs(&[(row, column, a), (row + apart * angle.sin(), column + apart * angle.cos(), b)], &image);
        let found = split(found, &image, &Rules::default()).unwrap();
        check(&found, &image);
        right += usize::from(found.objects.len() == 2);
    }
    assert!(right * 100 >= TRIALS * 95, "{right} of {TRIALS}");
}

#[test]
fn three_in_a_row_and_in_a_ring() {
    let image = blank(80, 100);
    for centres in [
        [(40.0, 20.0, 12.0), (40.0, 41.0, 12.0), (40.0, 62.0, 12.0)],
        [(30.0, 30.0, 12.0), (30.0, 53.5, 12.0), (50.3, 41.7, 12.0)],
    ] {
        let found = split(discs(&centres, &image), &image, &Rules::default()).unwrap();
        check(&found, &image);
        assert_eq!(found.objects.len(), 3);
        for (row, column, radius) in centres {
            let label = found.labels[row as usize * image.width() + column as usize];
            let area = f64::from(found.objects[usize::from(label) - 1].area());
            assert!((area / (core::f64::consts::PI * radius * radius) - 1.0).abs() < 0.1, "{area}");
        }
    }
}

#[test]
fn whole_objects_stay_whole() {
    let image = blank(120, 160);
    let mut random = Random::new(2, 0);
    for _ in 0..100 {
        let (major, minor) = (random.between(10.0, 45.0), random.between(4.0, 10.0));
        let angle = random.between(0.0, core::f64::consts::PI);
        let inside = |pixel: usize| {
            let (y, x) = ((pixel / 160) as f64 - 60.0, (pixel % 160) as f64 - 80.0);
            let (u, v) = (x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin());
            (u / major).powi(2) + (v / minor).powi(2) <= 1.0
        };
        let found = components((0..120 * 160).map(|pixel| inside(pixel).into()).collect(), &image);
        assert_eq!(split(found.clone(), &image, &Rules::default()).unwrap(), found, "{major} {minor} {angle}");
    }
}

#[test]
fn classes_and_neighbours_survive() {
    // A pair of class 2 between others; pieces take the pair's place.
    let image = blank(60, 120);
    let mut classes = vec![0; 60 * 120];
    let pair = discs(&[(30.0, 40.0, 12.0), (30.0, 62.0, 12.0)], &image);
    classes.iter_mut().zip(&pair.labels).for_each(|(class, &label)| *class = 2 * label as u8);
    for (start, class) in [(3 * 120 + 5, 1), (50 * 120 + 100, 3)] {
        classes[start..start + 6].fill(class);
    }
    let found = split(components(classes, &image), &image, &Rules::default()).unwrap();
    check(&found, &image);
    assert_eq!(found.objects.iter().map(Object::class).collect::<Vec<_>>(), [1, 2, 2, 3]);
    assert_eq!(found.objects.iter().map(Object::area).sum::<u32>(), pair.objects[0].area() + 12);
}

#[test]
fn large_objects_are_left_alone() {
    let image = blank(60, 120);
    let found = discs(&[(30.0, 40.0, 12.0), (30.0, 62.0, 12.0)], &image);
    let rules = Rules { most_pixels: 25 * 40, ..Rules::default() };
    assert_eq!(split(found.clone(), &image, &rules).unwrap(), found);
}

#[test]
fn simulated_frames_are_counted_better() {
    let (mut before, mut after, mut truth, mut nuclei) = (0, 0, 0, 0);
    for number in 0..12 {
        let scene = scene(Settings { seed: 9, height: 240, width: 320 }, number).unwrap();
        let found = components(scene.labels.iter().map(|&label| u8::from(label != 0)).collect(), &scene.image);
        before += found.objects.len().abs_diff(scene.nuclei);
        let found = split(found, &scene.image, &Rules::default()).unwrap();
        check(&found, &scene.image);
        after += found.objects.len().abs_diff(scene.nuclei);
        nuclei += scene.nuclei;
        // Nuclei that touch nothing must not fall apart.
        let classes = alone(&scene.labels, 320).iter().map(|&label| u8::from(label != 0)).collect();
        let lone = components(classes, &scene.image);
        truth += split(lone.clone(), &scene.image, &Rules::default()).unwrap().objects.len() - lone.objects.len();
    }
    assert!(after * 3 < before, "{before} wrong of {nuclei}, {after} after splitting");
    assert_eq!(truth, 0, "fell apart");
}

/// `labels` without those that touch another.
fn alone(labels: &[u16], width: usize) -> Vec<u16> {
    let mut touching = BTreeSet::new();
    for (pixel, &label) in labels.iter().enumerate().filter(|(_, label)| **label != 0) {
        for neighbour in neighbours(pixel, width, labels.len()) {
            if labels[neighbour] != 0 && labels[neighbour] != label {
                touching.insert(label);
            }
        }
    }
    labels.iter().map(|&label| if touching.contains(&label) { 0 } else { label }).collect()
}
