//! ONNX Runtime's answers: the .npz files under `fixtures/onnxruntime`, which its README describes, as cases.

use std::collections::HashMap;
use std::fs::File;
use std::path::Path;

use ndarray::{ArrayD, Axis};
use ndarray_npy::NpzReader;

use crate::graph::Op;
use crate::oracle::{
    Clamp, Conv, ConvTranspose, Coordinates, Mode, Nearest, PadMode, Padding, Pool, Quant, Resize, Tensor, Window,
};

/// One operator, what it was given, and what ONNX Runtime gave.
pub struct Case {
    /// The operator.
    pub op: Op,
    /// Its inputs.
    pub inputs: Vec<Tensor>,
    /// What came out.
    pub expected: Tensor,
}

/// The operators of which there are fixtures: the names of the files.
pub const OPERATORS: [&str; 14] = [
    "qlinear_conv",
    "conv_transpose",
    "max_pool",
    "qlinear_average_pool",
    "qlinear_global_average_pool",
    "resize_nearest",
    "resize_linear",
    "qlinear_concat",
    "qlinear_add",
    "qlinear_mul",
    "qlinear_sigmoid",
    "qlinear_leaky_relu",
    "pad",
    "arg_max",
];

/// All cases of an operator.
pub fn cases(operator: &str) -> Vec<Case> {
    let file = NpzFile::read(operator);
    let count = file.ints["y_shape"].shape()[0];
    (0..count).map(|index| Row { file: &file, index }.case(operator)).collect()
}

/// A file's arrays, by the type of their values.
#[derive(Default)]
struct NpzFile {
    ints: HashMap<String, ArrayD<i32>>,
    reals: HashMap<String, ArrayD<f32>>,
    bytes: HashMap<String, ArrayD<i8>>,
}

impl NpzFile {
    fn read(operator: &str) -> NpzFile {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fixtures/onnxruntime/{operator}.npz"));
        let context = |what: &dyn std::fmt::Display| format!("{}: {what}", path.display());
        let file = File::open(&path).unwrap_or_else(|error| panic!("{}", context(&error)));
        let mut npz = NpzReader::new(file).unwrap_or_else(|error| panic!("{}", context(&error)));
        let mut arrays = NpzFile::default();
        for name in npz.names().unwrap_or_else(|error| panic!("{}", context(&error))) {
            if let Ok(array) = npz.by_name(&name) {
                arrays.ints.insert(name, array);
            } else if let Ok(array) = npz.by_name(&name) {
                arrays.reals.insert(name, array);
            } else {
                let array = npz.by_name(&name).unwrap_or_else(|error| panic!("{}", context(&error)));
                arrays.bytes.insert(name, array);
            }
        }
        arrays
    }
}

/// One case's part of every array.
struct Row<'a> {
    file: &'a NpzFile,
    index: usize,
}

impl Row<'_> {
    /// The case's values of a column of whole numbers that are never negative.
    fn counts<const N: usize>(&self, name: &str) -> [usize; N] {
        let values = self.file.ints[name].index_axis(Axis(0), self.index);
        let values: Vec<usize> = values.iter().map(|&value| value.try_into().expect(name)).collect();
        values.try_into().expect(name)
    }

    fn count(&self, name: &str) -> usize {
        self.counts::<1>(name)[0]
    }

    fn real(&self, name: &str) -> f32 {
        self.file.reals[name][[self.index]]
    }

    /// The case's part of a joined array.
    fn joined<T: Copy>(&self, name: &str, arrays: &HashMap<String, ArrayD<T>>) -> Vec<T> {
        let at = &self.file.ints[&format!("{name}_at")];
        let range = at[[self.index]] as usize..at[[self.index + 1]] as usize;
        arrays[name].as_slice().expect("a joined array lies in order")[range].to_vec()
    }

    /// Quantization `index`; the last is the output's.
    fn quant(&self, index: usize) -> Quant {
        let zero_point = self.file.ints["zero_points"][[self.index, index]];
        Quant {
            scale: self.file.reals["scales"][[self.index, index]],
            zero_point: zero_point.try_into().expect("int8"),
        }
    }

    fn tensor(&self, name: &str, quant: Quant) -> Tensor {
        let [rows, width, channels] = self.counts(&format!("{name}_shape"));
        let data = self.joined(name, &self.file.bytes);
        assert_eq!(data.len(), rows * width * channels, "{name}");
        Tensor { rows, width, channels, quant, data }
    }

    fn window(&self) -> Window {
        let padding = match self.file.ints.get("auto_pad").map(|column| column[[self.index]]) {
            Some(1) => Padding::SameUpper,
            Some(2) => Padding::SameLower,
            _ => Padding::Explicit(self.counts("pads")),
        };
        let ceil = self.file.ints.contains_key("ceil") && self.count("ceil") == 1;
        Window {
            kernel: self.counts("kernel"),
            stride: self.counts("stride"),
            dilation: self.counts("dilation"),
            padding,
            ceil,
        }
    }

    fn conv(&self) -> Conv {
        Conv {
            window: self.window(),
            group: self.count("group"),
            weights: self.joined("weights", &self.file.bytes),
            weight_scales: self.joined("weight_scales", &self.file.reals),
            bias: self.joined("bias", &self.file.ints),
            clamp: Clamp::FULL,
        }
    }

    fn resize(&self, mode: Mode) -> Resize {
        let [a, b, c, d] = {
            let ratios = self.file.ints["ratios"].index_axis(Axis(0), self.index);
            let ratios: Vec<u32> = ratios.iter().map(|&value| value as u32).collect();
            <[u32; 4]>::try_from(ratios).expect("ratios")
        };
        let coordinates = match self.count("coordinates") {
            0 => Coordinates::Asymmetric,
            1 => Coordinates::HalfPixel,
            2 => Coordinates::PytorchHalfPixel,
            _ => Coordinates::AlignCorners,
        };
        Resize { ratios: [[a, b], [c, d]], coordinates, mode }
    }

    /// Three inputs side by side.
    fn parts(&self) -> Vec<Tensor> {
        let [rows, width, _] = self.counts("x_shape");
        let mut rest = self.joined("x", &self.file.bytes);
        let channels: [usize; 3] = self.counts("channels");
        let part = |(index, &channels): (usize, &usize)| {
            let after = rest.split_off(rows * width * channels);
            let data = std::mem::replace(&mut rest, after);
            Tensor { rows, width, channels, quant: self.quant(index), data }
        };
        channels.iter().enumerate().map(part).collect()
    }

    fn case(&self, operator: &str) -> Case {
        let input = || vec![self.tensor("x", self.quant(0))];
        let pair = || vec![self.tensor("a", self.quant(0)), self.tensor("b", self.quant(1))];
        let table = |function: &dyn Fn(f32) -> f32| {
            Op::Table(crate::oracle::table_of(self.quant(0), self.quant(1), function).to_vec())
        };
        let (op, inputs) = match operator {
            "qlinear_conv" => (Op::Conv(self.conv()), input()),
            "conv_transpose" => {
                let op = ConvTranspose { conv: self.conv(), output_padding: self.counts("output_padding") };
                (Op::ConvTranspose(op), input())
            }
            "max_pool" => (Op::MaxPool(self.window()), input()),
            "qlinear_average_pool" => {
                let count_include_pad = self.count("count_include_pad") == 1;
                (Op::AveragePool(Pool { window: self.window(), count_include_pad }), input())
            }
            "qlinear_global_average_pool" => (Op::GlobalAveragePool, input()),
            "resize_nearest" => {
                let nearest = match self.count("nearest") {
                    0 => Nearest::Floor,
                    1 => Nearest::Ceil,
                    2 => Nearest::RoundPreferFloor,
                    _ => Nearest::RoundPreferCeil,
                };
                (Op::Resize(self.resize(Mode::Nearest(nearest))), input())
            }
            "resize_linear" => (Op::Resize(self.resize(Mode::Linear)), input()),
            "qlinear_concat" => (Op::Concat, self.parts()),
            "qlinear_add" => (Op::Add { sign: 1.0, clamp: Clamp::FULL }, pair()),
            "qlinear_mul" => (Op::Mul { clamp: Clamp::FULL }, pair()),
            "qlinear_sigmoid" => (table(&|x| 1.0 / (1.0 + (-x).exp())), input()),
            "qlinear_leaky_relu" => {
                let alpha = self.real("alpha");
                (table(&|x| if x < 0.0 { alpha * x } else { x }), input())
            }
            "pad" => {
                let mode = match self.count("mode") {
                    0 => PadMode::Constant(self.file.ints["value"][[self.index]].try_into().expect("int8")),
                    1 => PadMode::Reflect,
                    _ => PadMode::Edge,
                };
                (Op::Pad { pads: self.counts("pads"), mode }, input())
            }
            "arg_max" => (Op::ArgMax, input()),
            _ => panic!("no fixtures of {operator}"),
        };
        let out = self.quant(self.file.ints["zero_points"].shape()[1] - 1);
        Case { op, inputs, expected: self.tensor("y", out) }
    }
}
