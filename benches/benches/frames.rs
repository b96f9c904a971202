//! Whole frames of slim U-Nets, by every kernel that this CPU has. Elements per second are multiply-accumulates per second.
//!
//!     cargo bench -p microtome-benches --bench frames

mod common;

use criterion::{Criterion, criterion_group, criterion_main};
use microtome_core::Frame;
use microtome_tests::networks::slim_unet;

fn frames(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frames");
    for (base, levels, side) in [(8, 2, 96), (8, 3, 256), (16, 3, 256)] {
        let case = format!("{side}x{side}, base {base}, {levels} poolings");
        common::every_kernel(&mut group, &case, &slim_unet(base, levels), Frame::grey(side, side));
    }
    group.finish();
}

criterion_group! { name = benches; config = common::criterion(); targets = frames }
criterion_main!(benches);
