//! What the camera sees and what is found in it, in a browser, and the same over plain HTTP.
//!
//! ```text
//!     Pipeline ─▶ publisher ─▶ the newest, with its JPEG ─▶ stream: a task per watcher, which sends what the page
//!        ▲        (a thread)                                        has time for
//!        └─── api: model, threshold, light, recording ◀── access ◀── server
//! ```
//!
//! | module | its subject |
//! | --- | --- |
//! | [`server`] | connections: how many, how long, and how they end |
//! | [`access`] | who may come in |
//! | [`api`] | the routes, which `openapi.json` describes |
//! | `stream` | frames to the page, over a WebSocket |
//! | `publisher` | what is computed once per observation, whoever watches |
//! | `message` | the JSON of an observation and of the status |
//! | [`run`] | figures over all frames: sizes, counts, rate, what the picture is like |
//! | [`models`], [`recordings`], [`light`] | what can be chosen, kept and switched |
//! | `download`, `asset` | bytes of files, and of the page itself |
//!
//! Invariant: nothing that a client does or leaves undone holds up the pipeline or makes memory grow. Every client has the newest frame or
//! none, every queue has a length, every request an end.

pub mod access;
pub mod api;
mod asset;
mod download;
pub mod light;
mod message;
pub mod models;
mod picture;
mod publisher;
pub mod recordings;
mod refusal;
pub mod run;
pub mod server;
mod station;
mod stream;

pub use access::{Access, Token};
pub use light::Light;
pub use models::Models;
pub use recordings::{RecorderFactory, Recordings};
pub use server::Server;
pub use station::{Parts, Station};
