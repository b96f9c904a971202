//! Lays out memory, makes the built-in plan a slot of the store, and holds the plan's arena against the part's RAM.

use std::path::PathBuf;
use std::{env, fs, io};

use microtome_core::session::Arena;
use microtome_core::{Frame, Kernel, Plan, Session, Setup};

/// Where programs start behind OpenMV's bootloader and file system, and where without (RM0433: sectors of 128 KiB).
const START: [(&str, &str); 2] = [("0x08040000", "behind the bootloader"), ("0x08000000", "bare")];

/// Bytes of the arena's banks: AXI SRAM, and SRAM1 to SRAM3.
const BANKS: [usize; 2] = [512 * 1024, 288 * 1024];

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
    let slot = [&microtome_app::store::header(1, &plan), plan.as_slice()].concat();
    fs::write(out.join("plan.slot"), slot)
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
