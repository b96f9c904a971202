//! What of the memory is whose: the linker's regions as slices, each handed out once, and the account of all of it.

use core::fmt;
use core::ptr;
use core::slice;

use crate::stack;

unsafe extern "C" {
    static mut _plans_start: u8;
    static mut _plans_end: u8;
    static mut _ram_start: u8;
    static mut _ram_end: u8;
    static mut _statics_end: u8;
    static mut _extra_used: u8;
    static mut _extra_ram: u8;
}

/// The region of the plans.
///
/// # Safety
/// To be called once.
pub(crate) unsafe fn plans() -> &'static mut [u8] {
    let (start, end) = (ptr::addr_of_mut!(_plans_start), ptr::addr_of_mut!(_plans_end));
    // SAFETY: a region of the linker's that no other symbol lies in, initialised (by the machine, with zeros) memory.
    unsafe { slice::from_raw_parts_mut(start, end.addr() - start.addr()) }
}

/// Zeroed memory in a region of its own (`.axi`, `.sram`), which startup does not touch. `Some` the first time.
#[macro_export]
macro_rules! region {
    ($section:literal, $len:expr) => {{
        use core::mem::MaybeUninit;
        use core::sync::atomic::{AtomicBool, Ordering};
        static TAKEN: AtomicBool = AtomicBool::new(false);
        #[unsafe(link_section = $section)]
        static mut MEMORY: MaybeUninit<[u8; $len]> = MaybeUninit::uninit();
        if TAKEN.swap(true, Ordering::AcqRel) {
            None
        } else {
            let memory: *mut [u8; $len] = (&raw mut MEMORY).cast();
            // SAFETY: TAKEN sees to it that there is one reference, and the bytes are written before there is.
            Some(unsafe {
                memory.write_bytes(0, 1);
                &mut *memory
            })
        }
    }};
}

/// A plan of the zoo in the first slot of the plans' region.
#[macro_export]
macro_rules! link_plan {
    ($model:literal) => {
        const _: () = {
            const SLOT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/", $model, ".slot"));
            #[used]
            #[unsafe(link_section = ".plans")]
            static LINKED: [u8; SLOT.len()] = {
                let mut bytes = [0; SLOT.len()];
                bytes.copy_from_slice(SLOT);
                bytes
            };
        };
    };
}

/// All of a program's RAM, part by part, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    /// What the session needs of the arena.
    pub arena: usize,
    /// Open objects and the histogram.
    pub workspace: usize,
    /// Everything static: the arena and the workspace, and what is left of them.
    statics: usize,
    stack: usize,
    stack_used: usize,
    ram: usize,
}

impl Account {
    /// The account so far, of a session that needs so much of the arena.
    pub fn now(arena: usize, workspace: usize) -> Account {
        let [start, end, used] =
            [&raw const _ram_start, &raw const _ram_end, &raw const _statics_end].map(|at| at.addr());
        let [extra_used, extra_ram] = [&raw const _extra_used, &raw const _extra_ram].map(|len| len.addr());
        let (statics, stack) = (used - start + extra_used, stack::size());
        let ram = end - start + extra_ram + stack;
        Account { arena, workspace, statics, stack, stack_used: stack::used(), ram }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Account { arena, workspace, statics, stack, stack_used, ram } = self;
        write!(f, "arena={arena} workspace={workspace} statics={statics} stack={stack_used}/{stack}")?;
        write!(f, " total={}/{ram}", statics + stack)
    }
}
