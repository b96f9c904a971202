//! Operators that look at one place at a time: Concat, Add, Mul and tables.

use super::{Clamp, Quant, Tensor, saturate, saturate_shifted};

/// The integers that stand in `out` for what `-128..=127` stand for in `input`: ONNX Runtime's QLinearConcat.
pub fn requantization_table(input: Quant, out: Quant) -> [i8; 256] {
    table_of(input, out, |real| real)
}

/// The integers that stand in `out` for `function` of what `-128..=127` stand for in `input`.
pub fn table_of(input: Quant, out: Quant, function: impl Fn(f32) -> f32) -> [i8; 256] {
    std::array::from_fn(|index| {
        let steps = index as f32 - 128.0 - f32::from(input.zero_point);
        saturate(function(steps * input.scale) / out.scale, out.zero_point, Clamp::FULL)
    })
}

/// Every integer replaced by the table's; `tables` holds one table, or one per channel.
pub fn table(input: &Tensor, tables: &[i8], out: Quant) -> Tensor {
    Tensor::from_fn(input.shape(), out, |y, x, c| {
        let which = if tables.len() == 256 { 0 } else { c };
        tables[which * 256 + (i64::from(input.at(y, x, c)) + 128) as usize]
    })
}

/// ONNX's Concat along the channels, each input requantized to the output.
pub fn concat(inputs: &[&Tensor], out: Quant) -> Tensor {
    let channels = inputs.iter().map(|input| input.channels).sum();
    Tensor::from_fn([inputs[0].rows, inputs[0].width, channels], out, |y, x, c| {
        let (mut part, mut c) = (0, c);
        while c >= inputs[part].channels {
            c -= inputs[part].channels;
            part += 1;
        }
        let value = inputs[part].at(y, x, c);
        if inputs[part].quant == out {
            return value;
        }
        requantization_table(inputs[part].quant, out)[(i64::from(value) + 128) as usize]
    })
}

/// The steps of `b` that meet `(y, x, c)`: `b` may have one row, one pixel or one channel for all.
fn broadcast(b: &Tensor, y: usize, x: usize, c: usize) -> i64 {
    let pick = |at: usize, side: usize| if side == 1 { 0 } else { at };
    b.steps(pick(y, b.rows) as i64, pick(x, b.width) as i64, pick(c, b.channels))
}

/// ONNX's Add, or with `sign` -1 its Sub, of quantized values: `(s_a/s_out)(a - z_a) + (s_b/s_out)(b - z_b)`, each
/// product and the sum rounded to f32.
pub fn add(a: &Tensor, b: &Tensor, sign: f32, clamp: Clamp, out: Quant) -> Tensor {
    let (factor_a, factor_b) = (a.quant.scale / out.scale, sign * b.quant.scale / out.scale);
    Tensor::from_fn(a.shape(), out, |y, x, c| {
        let left = factor_a * a.steps(y as i64, x as i64, c) as f32;
        let right = factor_b * broadcast(b, y, x, c) as f32;
        saturate_shifted(left + right, out.zero_point, clamp)
    })
}

/// ONNX's Mul of quantized values: `(s_a s_b / s_out)` times the exact product of steps.
pub fn mul(a: &Tensor, b: &Tensor, clamp: Clamp, out: Quant) -> Tensor {
    let factor = (a.quant.scale * b.quant.scale) / out.scale;
    Tensor::from_fn(a.shape(), out, |y, x, c| {
        let product = a.steps(y as i64, x as i64, c) * broadcast(b, y, x, c);
        saturate(product as f32 * factor, out.zero_point, clamp)
    })
}
