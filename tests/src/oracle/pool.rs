//! MaxPool, AveragePool and GlobalAveragePool.

use super::{Clamp, Quant, Tensor, Window, saturate, saturate_shifted};

/// An average pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// How it slides.
    pub window: Window,
    /// Whether padding counts as zeros rather than not at all.
    pub count_include_pad: bool,
}

/// The places under a window, `(row, column)`; those off the tensor too.
fn places(window: &Window, input: &Tensor, y: usize, x: usize) -> Vec<(i64, i64)> {
    let mut places = Vec::new();
    for ky in 0..window.kernel[0] {
        for kx in 0..window.kernel[1] {
            places.push((window.under(0, input.rows, y, ky), window.under(1, input.width, x, kx)));
        }
    }
    places
}

/// ONNX's MaxPool: the largest integer on the tensor.
pub fn max_pool(input: &Tensor, window: &Window) -> Tensor {
    let shape = [window.outputs(0, input.rows), window.outputs(1, input.width), input.channels];
    Tensor::from_fn(shape, input.quant, |y, x, c| {
        let on = places(window, input, y, x).into_iter().filter(|&(row, column)| input.has(row, column));
        on.map(|(row, column)| input.at(row as usize, column as usize, c)).max().unwrap_or(i8::MIN)
    })
}

/// The mean of `sum` over `count` places, in steps of the output.
fn mean(sum: i64, count: usize, input: Quant, out: Quant) -> f32 {
    let sum = i32::try_from(sum).expect("the case overflows a 32-bit accumulator");
    let factor = (input.scale / out.scale) / count as f32;
    sum as f32 * factor
}

/// ONNX's AveragePool: the mean of the places on the tensor or, with `count_include_pad`, on it and its padding.
pub fn average_pool(input: &Tensor, op: &Pool, out: Quant) -> Tensor {
    let window = &op.window;
    let shape = [window.outputs(0, input.rows), window.outputs(1, input.width), input.channels];
    let ends = [
        input.rows as i64 + window.pads(0, input.rows)[1] as i64,
        input.width as i64 + window.pads(1, input.width)[1] as i64,
    ];
    Tensor::from_fn(shape, out, |y, x, c| {
        let places = places(window, input, y, x);
        // Where `ceil` lets a window overhang the padding too, what overhangs counts as nothing.
        let counts = |&&(row, column): &&(i64, i64)| {
            if op.count_include_pad { row < ends[0] && column < ends[1] } else { input.has(row, column) }
        };
        let sum = places.iter().map(|&(row, column)| input.steps(row, column, c)).sum();
        match places.iter().filter(counts).count() {
            0 => out.zero_point,
            count => saturate_shifted(mean(sum, count, input.quant, out), out.zero_point, Clamp::FULL),
        }
    })
}

/// ONNX's GlobalAveragePool.
pub fn global_average_pool(input: &Tensor, out: Quant) -> Tensor {
    Tensor::from_fn([1, 1, input.channels], out, |_, _, c| {
        let mut sum = 0;
        for y in 0..input.rows {
            for x in 0..input.width {
                sum += input.steps(y as i64, x as i64, c);
            }
        }
        saturate(mean(sum, input.rows * input.width, input.quant, out), out.zero_point, Clamp::FULL)
    })
}
