//! Rounding a convolution's weights so that their errors cancel in what they multiply.
//!
//! To the nearest, each weight is as close as can be, but inputs that rise and fall together add up the errors of all
//! their weights. Here weights are rounded one after another, and those that are left make up for what was rounded off,
//! as far as the inputs seen in calibration go together (GPTQ: Frantar et al., *Accurate Post-Training Quantization for
//! Generative Pre-trained Transformers*, 2022, after Hassibi's *Optimal Brain Surgeon*). The inputs' means do not count:
//! what they shift, the bias takes back.
//!
//! The inputs under a window are taken by channels in blocks, each for itself, so that a covariance stays small.

use std::rc::Rc;

use microtome_core::shape::Axis;
use ndarray::linalg::general_mat_mul;
use ndarray::{Array1, Array2, ArrayView1, Axis as Along};

use crate::graph::{Conv, Graph, Integers, Op, Quant, ValueId};
use crate::lower::weight_scale;
use crate::model::Tensor;

/// Most inputs under a window in a block.
const BLOCK: usize = 576;

/// Windows that a covariance is taken over, from all samples together.
const WINDOWS: usize = 3072;

/// Share of the mean variance that is added to each, so that what was seen by chance does not count.
const DAMPING: f64 = 0.01;

/// How the inputs of a graph's convolutions go together.
pub(crate) struct Covariances {
    /// By node; none for operators that are not [rounded](is_rounded).
    nodes: Vec<Vec<Block>>,
    /// Windows of one sample.
    windows: usize,
}

/// Inputs under a window, of some channels.
struct Block {
    channels: std::ops::Range<usize>,
    products: Array2<f32>,
    sums: Array1<f32>,
    count: usize,
}

/// Whether the weights of a convolution are rounded here.
fn is_rounded(conv: &Conv) -> bool {
    conv.integers.is_none() && conv.group == 1 && conv.output_padding.is_none()
}

fn taps(conv: &Conv) -> usize {
    conv.window.kernel.iter().map(|&side| usize::from(side)).product()
}

impl Covariances {
    /// Nothing seen yet; `samples` will be.
    pub fn new(graph: &Graph, samples: usize) -> Covariances {
        let blocks = |conv: &Conv| {
            let taps = taps(conv);
            let inputs = conv.weights.len() / conv.bias.len().max(1) / taps;
            let step = (BLOCK / taps).max(1);
            let block = |start: usize| {
                let channels = start..(start + step).min(inputs);
                let len = channels.len() * taps;
                Block { channels, products: Array2::zeros((len, len)), sums: Array1::zeros(len), count: 0 }
            };
            (0..inputs).step_by(step).map(block).collect()
        };
        let of = |op: &Op| match op {
            Op::Conv(conv) if is_rounded(conv) => blocks(conv),
            _ => Vec::new(),
        };
        Covariances {
            nodes: graph.nodes.iter().map(|node| of(&node.op)).collect(),
            windows: WINDOWS.div_ceil(samples.max(1)),
        }
    }

    /// Adds what a sample's values are.
    pub fn add<'t>(&mut self, graph: &Graph, value: impl Fn(ValueId) -> Option<&'t Tensor>) {
        for (node, blocks) in graph.nodes.iter().zip(&mut self.nodes) {
            let Op::Conv(conv) = &node.op else { continue };
            let id = node.inputs[0];
            let Some(tensor) = value(id).filter(|_| !blocks.is_empty()) else { continue };
            let Some(under) = Under::new(conv, tensor, &graph.values[id].unit) else { continue };
            for block in blocks {
                let inputs = under.inputs(&block.channels, self.windows);
                general_mat_mul(1.0, &inputs.t(), &inputs, 1.0, &mut block.products);
                block.sums += &inputs.sum_axis(Along(0));
                block.count += inputs.nrows();
            }
        }
    }

    /// `graph` with its weights rounded; None where there are none to be rounded. `quants` are its values'.
    pub fn round(&self, graph: &Graph, quants: &[Quant]) -> Option<Rc<Graph>> {
        let mut rounded = graph.clone();
        let mut any = false;
        for (node, blocks) in rounded.nodes.iter_mut().zip(&self.nodes) {
            let input = quants[node.inputs[0]];
            if let Op::Conv(conv) = &mut node.op
                && !blocks.is_empty()
                && blocks.iter().all(|block| block.count > 0)
            {
                conv.integers = Some(integers(conv, blocks, input));
                any = true;
            }
        }
        any.then(|| Rc::new(rounded))
    }
}

/// What lies under the windows of a convolution.
struct Under<'a> {
    tensor: &'a Tensor,
    /// What 1 stands for in each channel; empty where it stands for 1.
    unit: &'a [f32],
    axes: [Axis; 2],
}

impl<'a> Under<'a> {
    fn new(conv: &Conv, tensor: &'a Tensor, unit: &'a [f32]) -> Option<Under<'a>> {
        let [1, _, rows, width] = tensor.shape[..] else { return None };
        let axis = |axis: usize, side: usize| conv.window.axis(axis, u32::try_from(side).ok()?);
        Some(Under { tensor, unit, axes: [axis(0, rows)?, axis(1, width)?] })
    }

    /// The inputs of these channels under at most `windows` windows, which are spread over the image.
    fn inputs(&self, channels: &std::ops::Range<usize>, windows: usize) -> Array2<f32> {
        let [rows, columns] = &self.axes;
        let all = rows.output as usize * columns.output as usize;
        let count = windows.min(all);
        let taps = (rows.kernel * columns.kernel) as usize;
        let mut inputs = Array2::zeros((count, channels.len() * taps));
        let (height, width) = (rows.input as usize, columns.input as usize);
        for (window, mut line) in inputs.rows_mut().into_iter().enumerate() {
            let at = window * all / count;
            let (y, x) = (at / columns.output as usize, at % columns.output as usize);
            for (c, values) in channels.clone().zip(line.exact_chunks_mut(taps)) {
                let unit = self.unit.get(c).copied().unwrap_or(1.0);
                for (tap, value) in values.into_iter().enumerate() {
                    let (ky, kx) = (tap / columns.kernel as usize, tap % columns.kernel as usize);
                    if let (Some(y), Some(x)) = (position(rows, y, ky), position(columns, x, kx)) {
                        *value = self.tensor.data[(c * height + y) * width + x] / unit;
                    }
                }
            }
        }
        inputs
    }
}

/// Where a tap lies on the input; `None` in the padding.
fn position(axis: &Axis, output: usize, tap: usize) -> Option<usize> {
    let at = (output * axis.stride as usize + tap * axis.dilation as usize).checked_sub(axis.before as usize)?;
    (at < axis.input as usize).then_some(at)
}

/// The weights of a convolution, rounded block by block.
fn integers(conv: &Conv, blocks: &[Block], input: Quant) -> Integers {
    let outputs = conv.bias.len();
    let per_output = conv.weights.len() / outputs;
    let scale = |(weights, bias): (&[f32], &f32)| weight_scale(weights, f64::from(*bias), input);
    let scales: Vec<f32> = conv.weights.chunks_exact(per_output).zip(&conv.bias).map(scale).collect();
    let mut weights = vec![0i8; conv.weights.len()];
    let taps = taps(conv);
    for block in blocks {
        let span = block.channels.start * taps..block.channels.end * taps;
        let feedback = Feedback::of(block, input);
        for (output, &scale) in scales.iter().enumerate() {
            let span = output * per_output + span.start..output * per_output + span.end;
            feedback.round(&conv.weights[span.clone()], scale, &mut weights[span]);
        }
    }
    Integers { weights, scales, bias: None }
}

/// How what is rounded off a weight is made up for by those that are rounded after it.
struct Feedback {
    /// The order in which weights are rounded: those whose inputs vary most first.
    order: Vec<usize>,
    /// `U` of the covariance's inverse, `UᵀU`: upper triangular, in that order.
    factor: Array2<f32>,
}

impl Feedback {
    fn of(block: &Block, input: Quant) -> Feedback {
        let n = block.sums.len();
        let count = block.count as f64;
        let covariance = |i: usize, j: usize| {
            let mean = f64::from(block.sums[i]) / count * (f64::from(block.sums[j]) / count);
            f64::from(block.products[[i, j]]) / count - mean
        };
        let mut order: Vec<usize> = (0..n).collect();
        let variances: Vec<f64> = (0..n).map(|i| covariance(i, i).max(0.0)).collect();
        order.sort_by(|&a, &b| variances[b].total_cmp(&variances[a]));
        // Rounding the inputs makes each of them vary by itself.
        let rounding = f64::from(input.scale).powi(2) / 12.0;
        let damping = (DAMPING * variances.iter().sum::<f64>() / n as f64).max(rounding);
        let mut matrix = Array2::from_shape_fn((n, n), |(i, j)| covariance(order[i], order[j]));
        matrix.diag_mut().mapv_inplace(|v| v + damping);
        factorize(&mut matrix);
        invert(&mut matrix);
        Feedback { order, factor: matrix.mapv(|v| v as f32) }
    }

    /// Rounds the weights of one output.
    fn round(&self, weights: &[f32], scale: f32, out: &mut [i8]) {
        let mut left: Vec<f32> = self.order.iter().map(|&i| weights[i] / scale).collect();
        for (index, &place) in self.order.iter().enumerate() {
            let rounded = left[index].round_ties_even().clamp(-127.0, 127.0);
            out[place] = rounded as i8;
            let row: ArrayView1<f32> = self.factor.row(index);
            let error = (left[index] - rounded) / row[index];
            for (left, factor) in left[index + 1..].iter_mut().zip(row.iter().skip(index + 1)) {
                *left -= error * factor;
            }
        }
    }
}

/// A positive definite matrix becomes `R` of `R·Rᵀ`, upper triangular; below it remains what was there.
fn factorize(matrix: &mut Array2<f64>) {
    let n = matrix.nrows();
    for j in (0..n).rev() {
        let (mut above, mut below) = matrix.view_mut().split_at(Along(0), j);
        let mut line = below.row_mut(0);
        let tail = line.slice(ndarray::s![j + 1..]).to_owned();
        let pivot = (line[j] - tail.dot(&tail)).max(f64::MIN_POSITIVE).sqrt();
        line[j] = pivot;
        for mut row in above.rows_mut() {
            row[j] = (row[j] - row.slice(ndarray::s![j + 1..]).dot(&tail)) / pivot;
        }
    }
}

/// An upper triangular matrix becomes its inverse.
fn invert(matrix: &mut Array2<f64>) {
    let n = matrix.nrows();
    for i in (0..n).rev() {
        let (mut above, below) = matrix.view_mut().split_at(Along(0), i + 1);
        let mut line = above.row_mut(i);
        let factors = line.slice(ndarray::s![i + 1..]).to_owned();
        let pivot = line[i];
        let mut sum = Array1::<f64>::zeros(n);
        for ((factor, row), k) in factors.iter().zip(below.rows()).zip(i + 1..) {
            sum.slice_mut(ndarray::s![k..]).scaled_add(*factor, &row.slice(ndarray::s![k..]));
        }
        line[i] = 1.0 / pivot;
        for j in i + 1..n {
            line[j] = -sum[j] / pivot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix() -> Array2<f64> {
        let columns = Array2::from_shape_fn((7, 5), |(i, j)| ((3 * i + 5 * j * j + i * j) % 11) as f64 - 5.0);
        let mut square = columns.t().dot(&columns);
        square.diag_mut().mapv_inplace(|v| v + 0.5);
        square
    }

    fn upper(mut matrix: Array2<f64>) -> Array2<f64> {
        matrix.indexed_iter_mut().filter(|((i, j), _)| i > j).for_each(|(_, v)| *v = 0.0);
        matrix
    }

    #[test]
    fn a_covariance_is_factorized_and_inverted() {
        let whole = matrix();
        let mut made = whole.clone();
        factorize(&mut made);
        let r = upper(made.clone());
        assert!((r.dot(&r.t()) - &whole).iter().all(|v| v.abs() < 1e-9));
        invert(&mut made);
        let u = upper(made);
        let unit = u.t().dot(&u).dot(&whole);
        assert!((unit - Array2::<f64>::eye(5)).iter().all(|v| v.abs() < 1e-9));
    }

    #[test]
    fn errors_cancel_in_inputs_that_go_together() {
        // Eight inputs that are nearly one.
        let n = 8;
        let inputs =
            Array2::from_shape_fn((64, n), |(i, j)| (i as f32 * 0.7).sin() + 0.05 * ((i * n + j) as f32).cos());
        let block =
            Block { channels: 0..n, products: inputs.t().dot(&inputs), sums: inputs.sum_axis(Along(0)), count: 64 };
        let weights = [12.4, 7.4, -3.6, 9.4, 0.4, 2.4, 5.4, -8.6];
        let feedback = Feedback::of(&block, Quant { scale: 1e-3, zero_point: 0 });
        let mut rounded = [0; 8];
        feedback.round(&weights, 1.0, &mut rounded);
        let off = |rounded: &[i8]| weights.iter().zip(rounded).map(|(w, &q)| w - f32::from(q)).sum::<f32>().abs();
        let nearest = weights.map(|w| w.round_ties_even() as i8);
        assert!(off(&nearest) > 3.0 && off(&rounded) < 0.5, "{rounded:?}");
    }
}
