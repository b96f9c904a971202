//! A divided model as one file that is quick to start (`.mtm`).
//!
//! Read from ONNX, a model's graph is made anew at every start: tract infers every type and shape, and simplifies it. A
//! container holds what comes of that: the float remainder as tract's own graph in NNEF, the plans of the islands, the
//! description, and what the model takes and makes. At a start the frame's sides are put in, and the graph is optimized.
//!
//! | module | what |
//! | --- | --- |
//! | [`envelope`] | the bytes: a header, a checksum, sections |
//! | [`facts`] | names and shapes of inputs and outputs, which frames are taken |
//! | [`framework`] | NNEF's registry, with islands and the bridge's operators |
//! | [`symbols`] | rows and width in the graph, as symbols and as numbers |
//! | [`write`](mod@write) | a divided model to bytes, compared with what it was made of |
//! | [`load`] | bytes to a graph that runs |
//! | [`contents`] | what is in a container, for people |
//!
//! **Sizes.** The graph is for frames of every size that the model takes, if rows and width can be found in it; a frame's
//! sides are filled up to a multiple, plus a remainder. Where they cannot, it is for one size.

pub mod contents;
mod envelope;
mod facts;
mod framework;
mod load;
mod symbols;
mod write;

pub use contents::Contents;
pub use envelope::{MAGIC, VERSION};
pub use facts::Frames;
pub use load::Container;
pub use write::write;

/// How the names of nodes begin in the graph, before their numbers: short ones are read quickly.
const NAME: char = 'n';
