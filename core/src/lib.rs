//! int8 U-Nets, executed row by row: no heap, no frame buffer, the same bytes on every chip.
//!
//! Other runtimes execute a network layer by layer, and hold whole feature maps. This one takes a frame a row at a time.
//! A 3x3 convolution needs three rows of its input, a 2x2 pooling two: so each tensor lives in a *ring* of a few rows,
//! every operator runs as soon as its rows are there, deepest operator first, and only the skip connections of a U-Net
//! queue for longer. The result is identical, nothing is computed twice, and memory grows with the width of the frame
//! but not with its height.
//!
//! | module | what it knows | and not |
//! | --- | --- | --- |
//! | [`plan`] | the file: operators, weights, quantization, ring heights, what the outputs mean | frames |
//! | [`session`] | a plan opened for one frame size: sizes, rings, and which operator is next | what operators compute |
//! | `ring` | where rows lie in the arena | what they mean |
//! | [`compute`] | which kernels and operators there is code for | rows |
//! | `ops` | one row of every operator, given rows of its inputs | where rows are kept |
//! | [`arch`] | the inner loops, per instruction set; the only module that may hold `unsafe` | operators |
//! | [`measure`] | mask rows, and the objects in them | networks |
//! | [`quant`], [`shape`] | the one rounding rule; sizes and positions along an axis | everything else |
//!
//! ```no_run
//! use microtome_core::{Frame, Plan, Row, Session};
//!
//! # fn main() -> Result<(), Box<dyn core::error::Error>> {
//! # let (file, camera, width, height) = (std::vec![0u8], std::vec![std::vec![0u8; 640]; 480], 640, 480);
//! let plan = Plan::parse(&file)?;
//! let frame = Frame::grey(height, width);
//! let mut arena = std::vec![0; plan.arena_len(frame)?];
//! let mut session = Session::new(&plan, frame, &mut arena)?;
//! let mut foreground = 0;
//! for row in &camera {
//!     session.push(Row::U8(row), |out| foreground += out.data.iter().filter(|&&class| class == 1).count())?;
//! }
//! session.finish(|out| foreground += out.data.iter().filter(|&&class| class == 1).count())?;
//! # Ok(())
//! # }
//! ```
#![no_std]
#![deny(unsafe_code)]

pub mod arch;
pub mod compute;
pub mod error;
pub mod measure;
mod ops;
pub mod plan;
pub mod quant;
mod ring;
pub mod session;
pub mod shape;

pub use arch::Kernel;
pub use compute::{Compute, Only};
pub use error::{PlanError, SessionError};
pub use plan::{Levels, Operators, Plan};
pub use session::{Alone, Arena, ArenaLen, Crew, Frame, Layout, OutputRow, Row, Session, Setup, Watch};

#[cfg(any(test, feature = "std"))]
extern crate std;
