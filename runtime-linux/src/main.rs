//! The `microtome` command.
fn main() {}
