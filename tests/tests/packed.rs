//! Weights packed into the plan, as microcontrollers read them: the same results, without the memory for them.

use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::{ArenaLen, Frame, Kernel, Plan, Session, Setup};
use microtome_tests::draw::{Draw, for_seeds};
use microtome_tests::emit::{Schedule, plan};
use microtome_tests::networks::unet;
use microtome_tests::run::{frame_of, through};
use zerocopy::IntoBytes;

fn packed(bytes: &[u8], packing: Packing) -> Vec<u8> {
    let plan = Plan::parse(bytes).expect("a plan");
    let mut out = vec![0x33; packed_len(&plan, packing)];
    assert_eq!(pack(&plan, packing, &mut out), Some(out.len()));
    let short = out.len() - 1;
    assert_eq!(pack(&plan, packing, &mut vec![0; short]), None);
    out
}

fn measure(plan: &Plan, frame: Frame, setup: &Setup) -> ArenaLen {
    plan.arena_len_in(frame, setup, &mut vec![0; plan.scratch_len()]).expect("the frame fits")
}

#[test]
fn packed_plans_need_no_memory_for_weights_and_give_the_same_bytes() {
    let mut spared = 0;
    for_seeds("packed", 25, |draw| {
        let graph = unet(draw);
        let sides = draw.sides(40);
        let frame = draw.tensor(sides, graph.channels, graph.quant);
        let expected: Vec<_> = graph.run(&frame).into_iter().map(|output| output.data).collect();
        let original = plan(&graph, &Schedule::tight(&graph, 1, frame_of(&frame)));
        for &kernel in &*Kernel::available() {
            let packing = Packing::named(kernel.name()).expect("a kernel of this machine");
            let bytes = packed(&original, packing);
            assert!(packed(&bytes, packing) == bytes, "packing twice is packing once");
            // Weights are read where they lie only if kernels can; and other kernels pack their own.
            let mut memory = vec![0u128; bytes.len().div_ceil(16) + 1];
            for (aligned, skip) in [(true, 0), (false, 4), (false, 1)] {
                let place = &mut memory.as_mut_bytes()[skip..][..bytes.len()];
                place.copy_from_slice(&bytes);
                let plan = Plan::parse(place).expect("a packed plan is a plan");
                assert_eq!(plan.packing(), Some(kernel.name()));
                for &other in &*Kernel::available() {
                    let setup = Setup::alone(other);
                    let len = measure(&plan, frame_of(&frame), &setup);
                    let unpacked = measure(&Plan::parse(&original).expect("a plan"), frame_of(&frame), &setup);
                    let in_place = aligned && other == kernel;
                    assert_eq!(len, ArenaLen { packed: if in_place { 0 } else { unpacked.packed }, ..unpacked });
                    spared += unpacked.packed - len.packed;
                    let mut arena = vec![0x5a; len.total().expect("a small network")];
                    let mut session = Session::open(&plan, frame_of(&frame), &mut arena, setup).expect("it is exact");
                    assert!(through(&mut session, &frame) == expected, "{} for {}", other.name(), kernel.name());
                }
            }
        }
    });
    assert!(spared > 0 || Kernel::available().len() == 1, "some kernel packs weights");
}

#[test]
fn plans_for_microcontrollers_run_here_too() {
    assert_eq!(Packing::from_flash().collect::<Vec<_>>(), ["thumbv7em-dsp", "thumbv8m-mve"]);
    for_seeds("from flash", 10, |draw| {
        let graph = unet(draw);
        let sides = draw.sides(40);
        let frame = draw.tensor(sides, graph.channels, graph.quant);
        let expected: Vec<_> = graph.run(&frame).into_iter().map(|output| output.data).collect();
        let original = plan(&graph, &Schedule::tight(&graph, 1, frame_of(&frame)));
        for name in Packing::from_flash() {
            let bytes = packed(&original, Packing::named(name).expect("a microcontroller's kernel"));
            let plan = Plan::parse(&bytes).expect("a packed plan is a plan");
            assert_eq!(plan.packing(), Some(name));
            let mut arena = vec![0; plan.arena_len(frame_of(&frame)).expect("the frame fits")];
            let mut session = Session::new(&plan, frame_of(&frame), &mut arena).expect("the arena is exact");
            assert!(through(&mut session, &frame) == expected, "packed for {name}");
        }
    });
}

#[test]
fn the_order_of_packed_weights_is_what_the_version_says() {
    const ORDERS: [(&str, u32); 2] = [("thumbv7em-dsp", 0xdc3094ca), ("thumbv8m-mve", 0xdfedcb55)];
    let originals: Vec<_> = (0..20)
        .map(|seed| unet(&mut Draw::new("order", seed)))
        .map(|graph| plan(&graph, &Schedule::whole(&graph, 1)))
        .collect();
    let found = ORDERS.map(|(name, _)| {
        let packing = Packing::named(name).expect("a microcontroller's kernel");
        let mut hasher = crc32fast::Hasher::new();
        originals.iter().for_each(|original| hasher.update(&packed(original, packing)));
        (name, hasher.finalize())
    });
    assert_eq!(found, ORDERS, "a new order is a new version of the format (plan::record::VERSION)");
}

#[test]
fn another_kernel_replaces_what_was_packed() {
    for_seeds("repacked", 10, |draw| {
        let graph = unet(draw);
        let original = plan(&graph, &Schedule::whole(&graph, 1));
        let names: Vec<_> = Kernel::available().iter().map(|kernel| kernel.name()).collect();
        for (first, second) in names.iter().zip(names.iter().rev()) {
            let [first, second] = [first, second].map(|name| Packing::named(name).expect("a kernel of this machine"));
            assert!(packed(&packed(&original, first), second) == packed(&original, second));
        }
    });
}
