//! Reads `cases.bin`, a case at a time: numbers of 32 bits, little-endian, and bytes behind their length.
//!
//! `microtome_tests::corpus` writes the same fields in the same order.

use semihosting::fs::File;
use semihosting::io::Read;

/// The longest plan, frame and output.
const BYTES: usize = 1 << 19;

/// Room for the parts of a case.
struct Buffers {
    kernel: [u8; 32],
    name: [u8; 64],
    plan: [u8; BYTES],
    input: [u8; BYTES],
    expected: [u8; BYTES],
}

/// What the file holds.
pub struct Cases {
    file: File,
    /// How many cases.
    pub count: u32,
    kernel: usize,
    buffers: &'static mut Buffers,
}

/// One of them.
pub struct Case<'a> {
    pub name: &'a str,
    /// Whether its instructions are wanted.
    pub timed: bool,
    /// Whether rows are those of a grey camera, rather than values of the input tensor.
    pub camera: bool,
    pub height: u32,
    pub width: u32,
    pub plan: &'a [u8],
    pub input: &'a [u8],
    /// All output rows in the order in which they come.
    pub expected: &'a [u8],
}

impl Cases {
    pub fn open() -> Option<Cases> {
        let buffers = cortex_m::singleton!(: Buffers = Buffers {
            kernel: [0; 32],
            name: [0; 64],
            plan: [0; BYTES],
            input: [0; BYTES],
            expected: [0; BYTES],
        })?;
        let mut file = File::open(c"cases.bin").ok()?;
        let kernel = bytes(&mut file, &mut buffers.kernel)?.len();
        let count = number(&mut file)?;
        Some(Cases { file, count, kernel, buffers })
    }

    /// The name of the kernel that must run.
    pub fn kernel(&self) -> &str {
        core::str::from_utf8(&self.buffers.kernel[..self.kernel]).unwrap_or("?")
    }

    pub fn next(&mut self) -> Option<Case<'_>> {
        let Cases { file, buffers, .. } = self;
        Some(Case {
            name: core::str::from_utf8(bytes(file, &mut buffers.name)?).ok()?,
            timed: number(file)? != 0,
            camera: number(file)? != 0,
            height: number(file)?,
            width: number(file)?,
            plan: bytes(file, &mut buffers.plan)?,
            input: bytes(file, &mut buffers.input)?,
            expected: bytes(file, &mut buffers.expected)?,
        })
    }
}

fn number(file: &mut File) -> Option<u32> {
    let mut bytes = [0; 4];
    file.read_exact(&mut bytes).ok()?;
    Some(u32::from_le_bytes(bytes))
}

fn bytes<'a>(file: &mut File, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let len = number(file)? as usize;
    let place = buffer.get_mut(..len)?;
    file.read_exact(place).ok()?;
    Some(place)
}

/// The same bytes, signed.
pub fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: the types have the same size and alignment, and every byte is valid for both.
    unsafe { core::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}
