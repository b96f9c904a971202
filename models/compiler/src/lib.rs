//! ONNX to int8 plans.
//!
//! ```text
//! model.onnx ─▶ import ─▶ fold ─▶ calibrate ─▶ quantize ─▶ lower ─▶ rings ─▶ emit ─▶ model.mtm
//!                 │                   ▲                                        │
//!                 └── tract, float ───┴──────────── measure: the report ◀──────┘
//! ```
//!
//! | module | what it knows |
//! | --- | --- |
//! | [`model`] | the file, and its run by tract |
//! | `bridge` | what tract lacks of ONNX, or gets wrong |
//! | [`borders`] | frames mirrored beyond their borders, for networks of valid convolutions |
//! | [`import`] | ONNX's operators; gives a [`graph`] that holds for every frame size |
//! | [`fold`], [`expr`] | rewrites that change no result; functions of one value |
//! | [`head`], [`description`] | what ONNX does not say: preprocessing, classes, the mask |
//! | [`calibrate`], [`quantize`] | ranges, scales, and which values share them |
//! | [`lower`], [`rings`], [`emit`] | core's operators, ring heights, bytes |
//! | `choose`, `equalize`, `rounding`, `bench` | which quantization serves the outputs best: what is tried, and where it is tried |
//! | [`compiler`], [`options`] | the whole way, what it is asked, and what it tells on the way |
//! | [`measure`], [`quality`], [`report`] | what it was worth: against float, value by value, output by output, in words |
//! | [`profile`] | where the time goes of what tract runs |
//! | [`halve`] | weights in 16 bits, for what runs in float |
//! | [`islands`] | models that no plan can hold whole: int8 where it pays, the rest in float by tract |
//! | [`container`] | such a model as one file that is quick to start |
//! | [`sides`] | sides of frames that models take |
//! | `guard` | tract, whose panics become errors |
//!
//! Nothing here prints, and nothing is read but the files that are named.
//!
//! ```no_run
//! use microtome_compiler::{Compiler, Description, Model, Options};
//!
//! # fn main() -> Result<(), microtome_compiler::Error> {
//! # let images: Vec<microtome_compiler::Tensor> = Vec::new();
//! let model = Model::load("model.onnx")?;
//! let description = Description::beside("model.onnx".as_ref())?;
//! let compiled = Compiler::new(&model, &description, Options::default()).calibrate(images).compile()?;
//! println!("{}", compiled.report);
//! # Ok(())
//! # }
//! ```
#![deny(unsafe_code)]

mod bench;
pub mod borders;
mod bridge;
pub mod calibrate;
mod choose;
pub mod compiler;
pub mod container;
pub mod description;
pub mod emit;
mod equalize;
pub mod error;
pub mod expr;
pub mod fold;
pub mod graph;
mod guard;
pub mod halve;
pub mod head;
pub mod import;
pub mod islands;
pub mod lower;
pub mod measure;
pub mod model;
pub mod options;
pub mod profile;
pub mod quality;
pub mod quantize;
pub mod report;
pub mod rings;
mod rounding;
pub mod sides;

pub use borders::mirrored;
pub use calibrate::Method;
pub use compiler::{Compiled, Compiler};
pub use description::Description;
pub use error::{Error, Result};
pub use halve::halved;
pub use model::{Model, Port, Tensor};
pub use options::{Memory, Options, Progress};
pub use report::Report;
