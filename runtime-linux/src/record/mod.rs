//! Recordings: what is kept of a camera's frames, so that neither a full disk nor a power cut takes what was finished.
//!
//! ```text
//!     DIR/recording.json     what it is of: model, formats; written first
//!     DIR/frames.jsonl       a line per frame, written after the frame's files are on the disk: the journal
//!     DIR/objects.csv        lines per object, as they happen; so objects.jsonl
//!     DIR/NUMBER-TIME…       the files of a frame
//!     DIR/ecotaxa.zip …      archives over many frames, when the recording ends
//! ```
//!
//! Invariant: a frame is finished when the journal says so. Whatever a power cut leaves beyond the journal is taken back when the recording
//! goes on; archives then hold the frames since, and `microtome run` over frames that were kept makes whole ones.

mod due;
mod journal;
mod options;
mod recording;

pub use due::Due;
pub use options::{Keep, Options};
pub use recording::{Identity, Recording};
