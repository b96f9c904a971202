//! diffusers' denoising networks, tiny, in float as ONNX Runtime runs them, and with their weights in 16 bits. Written by
//! models/family/diffusion.py.

mod common;

use microtome_compiler::{Model, Tensor, halved};

/// The waves of models/family/make.py, `channels × rows × width`.
fn waves(channels: usize, rows: usize, width: usize) -> Vec<f32> {
    let value = |c: usize, y: usize, x: usize| {
        (0.5 + 0.5 * (0.11 * x as f64 + 0.9 * c as f64).sin() * (0.07 * y as f64).cos()) as f32
    };
    let plane = |c| (0..rows).flat_map(move |y| (0..width).map(move |x| value(c, y, x)));
    (0..channels).flat_map(plane).collect()
}

/// Sample, timestep (an integer in the file) and hidden states, as diffusion.py has them.
fn inputs(channels: usize, time: f32) -> Vec<Tensor> {
    vec![
        Tensor::new(vec![1, channels, 16, 16], waves(channels, 16, 16)).unwrap(),
        Tensor::new(vec![1], vec![time]).unwrap(),
        Tensor::new(vec![1, 3, 8], waves(1, 3, 8)).unwrap(),
    ]
}

fn largest(values: &[f32]) -> f32 {
    values.iter().fold(0f32, |most, v| most.max(v.abs()))
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).fold(0f32, |most, (a, b)| most.max((a - b).abs()))
}

/// Holds the float run to ONNX Runtime's, and the run with halved weights to the float run.
fn holds(name: &str, channels: usize) {
    let model = common::load(&format!("family/{name}"));
    let bytes = std::fs::read(common::path(&format!("family/{name}.answer.bin"))).unwrap();
    let expected: Vec<f32> = bytes.as_chunks().0.iter().map(|value| f32::from_le_bytes(*value)).collect();
    let given = |time| inputs(channels, time).into_iter().take(model.inputs().len()).collect::<Vec<_>>();
    let found = model.run_float(&given(321.0)).unwrap().remove(0).data;
    let range = largest(&expected);
    let error = distance(&found, &expected);
    println!("{name}: answers up to {range}, off by {error} at most");
    assert!(error <= 1e-4 * range, "{name}: off by {error}");
    // The timestep counts.
    let other = model.run_float(&given(20.0)).unwrap().remove(0).data;
    assert!(distance(&other, &expected) > 0.05 * range);

    let bytes = halved(&model).unwrap().to_onnx("").unwrap();
    let half = Model::parse(&bytes, None).unwrap();
    let error = distance(&half.run_float(&given(321.0)).unwrap().remove(0).data, &expected);
    println!("{name}: halved, {} bytes, off by {error} at most", bytes.len());
    assert!(error > 0.0 && error <= 5e-3 * range, "{name}: halved, off by {error}");
    let whole = model.to_onnx("").unwrap().len();
    assert!(bytes.len() + 15_000 < whole, "{name}: {} bytes halved, {whole} whole", bytes.len());
}

#[test]
fn unet_2d_condition_model() {
    holds("condition", 4);
}

#[test]
fn unet_2d_model() {
    holds("ddpm", 3);
}
