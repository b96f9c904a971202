//! `cargo xtask …`: the steps that people and CI run.
fn main() {}
