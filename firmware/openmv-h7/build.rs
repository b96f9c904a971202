//! Lays out memory, makes the built-in plan a slot of the store, and holds the plan's arena against the part's RAM.

use std::path::PathBuf;
use std::{env, fs, io};

use microtome_core::plan::packed::{Packing, pack, packed_len};
use microtome_core::session::Arena;
use microtome_core::{Frame, Kernel, Plan, Session, Setup};

/// Where programs start behind OpenMV's bootloader and file system, and where without (RM0433: sectors of 128 KiB).
const START: [(&str, &str); 2] = [("0x08040000", "behind the bootloader"), ("0x08000000", "bare")];

/// Bytes of the arena's banks: AXI SRAM, and SRAM1 to SRAM3.
const BANKS: [usize; 2] = [512 * 1024 - STAGED, 288 * 1024];
/// Most that the board's kernel stages of rows, which the host's does not: 3 rows of 24 channels of 16 bits, and borders.
const STAGED: usize = 100 * 1024;

fn main() -> io::Result<()> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    let feature = |name: &str| env::var_os(format!("CARGO_FEATURE_{name}")).is_some();
    for path in ["board.x", "../../models/zoo"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let (start, _) = START[usize::from(feature("BARE"))];
    let script = fs::read_to_string(root.join("board.x"))?.replace("@FLASH@", start);
    fs::write(out.join("memory.x"), script)?;
    println!("cargo::rustc-link-arg-bins=-L{}", out.display());

    if feature("DEFMT") {
        println!("cargo::rustc-link-arg-bins=-Tdefmt.x");
    }

    let (model, frame) =
        if feature("VGA") { ("nuclei", Frame::grey(480, 640)) } else { ("nuclei-micro", Frame::grey(240, 320)) };
    let plan = fs::read(root.join("../../models/zoo").join(model).join("model.mtm"))?;
    check(model, &plan, frame);
    let plan = packed(&plan);
    let slot = [&microtome_app::store::header(1, &plan), plan.as_slice()].concat();
    fs::write(out.join("plan.slot"), slot)
}

/// The plan with its weights in the order of the CPU's kernel, which reads them from flash.
fn packed(plan: &[u8]) -> Vec<u8> {
    let plan = Plan::parse(plan).expect("a plan of the zoo");
    let packing = Packing::named("thumbv7em-dsp").expect("core has the kernel of a Cortex-M7");
    let mut packed = vec![0; packed_len(&plan, packing)];
    pack(&plan, packing, &mut packed).expect("it is as long as it should be");
    packed
}

/// A plan that does not fit the part is no program: what the linker cannot count is counted here, by opening a session in
/// banks as large as the part's.
fn check(model: &str, plan: &[u8], frame: Frame) {
    let plan = Plan::parse(plan).expect("a plan of the zoo");
    let scalar = Kernel::named("scalar").expect("the kernel that every machine has");
    let [mut main, mut more] = BANKS.map(|len| vec![0; len]);
    let arena = Arena { main: &mut main, more: &mut more };
    if let Err(error) = Session::open_in(&plan, frame, arena, Setup::alone(scalar)) {
        panic!("{model} does not fit the part's RAM: {error}");
    }
}
