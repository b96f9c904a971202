//! A worker of `cargo xtask bench`: one runtime and one model; see [`microtome_benches::protocol`].

use std::io::{stdin, stdout};

use anyhow::Result;
use microtome_benches::protocol::serve;
use microtome_benches::runtime::Job;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    serve(&Job::parse(&arguments)?, stdin().lock(), stdout().lock())
}
