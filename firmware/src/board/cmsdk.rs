//! Peripherals of Arm's Cortex-M System Design Kit (CMSDK) that all machines have: serial line, watchdog. Each is a block of 32-bit
//! registers.

use core::ptr;

/// A block of registers, by its address.
#[derive(Clone, Copy, Debug)]
pub struct Block(usize);

impl Block {
    /// The block at `address`.
    ///
    /// # Safety
    /// The machine has that peripheral there, and nobody else uses it.
    pub const unsafe fn at(address: usize) -> Block {
        Block(address)
    }

    /// Reads the register at `offset`, a multiple of 4 within the block.
    pub fn read(self, offset: usize) -> u32 {
        // SAFETY: the block's registers, as `at` was promised; aligned, because blocks are and offsets are multiples of 4.
        unsafe { ptr::with_exposed_provenance::<u32>(self.0 + offset).read_volatile() }
    }

    /// Writes the register at `offset`, a multiple of 4 within the block.
    pub fn write(self, offset: usize, value: u32) {
        // SAFETY: as in `read`; writing these peripherals' registers touches no memory.
        unsafe { ptr::with_exposed_provenance_mut::<u32>(self.0 + offset).write_volatile(value) }
    }
}

/// A serial line, of which the sending side is used.
#[derive(Debug)]
pub struct Uart(pub Block);

impl Uart {
    const DATA: usize = 0x00;
    const STATE: usize = 0x04;
    const CONTROL: usize = 0x08;
    const DIVIDER: usize = 0x10;

    /// Turns the sender on.
    pub fn start(&self) {
        self.0.write(Self::DIVIDER, 16);
        self.0.write(Self::CONTROL, 1);
    }

    /// Sends bytes, as fast as they are taken.
    pub fn write(&self, bytes: &[u8]) {
        for &byte in bytes {
            self.flush();
            self.0.write(Self::DATA, byte.into());
        }
    }

    /// Waits until the last byte is on its way.
    pub fn flush(&self) {
        while self.0.read(Self::STATE) & 1 != 0 {}
    }
}

/// A counter of clock ticks that is looked at more often than it wraps.
#[derive(Debug)]
pub struct Counter {
    now: fn() -> u32,
    last: u32,
    total: u64,
}

impl Counter {
    /// Counts what `now` counts, upwards and around.
    pub fn new(now: fn() -> u32) -> Counter {
        Counter { now, last: now(), total: 0 }
    }

    /// Ticks since it was made.
    pub fn ticks(&mut self) -> u64 {
        let now = (self.now)();
        self.total += u64::from(now.wrapping_sub(self.last));
        self.last = now;
        self.total
    }
}

/// The watchdog: an interrupt when its time is over, and the machine's reset when it is over once more.
#[derive(Debug)]
pub struct Dog(Block);

impl Dog {
    const LOAD: usize = 0x00;
    const CONTROL: usize = 0x08;
    const CLEAR: usize = 0x0c;
    const LOCK: usize = 0xc00;
    const KEY: u32 = 0x1acc_e551;

    /// Starts it: unfed for twice `ticks`, it resets the machine.
    pub fn start(block: Block, ticks: u32) -> Dog {
        block.write(Self::LOCK, Self::KEY);
        block.write(Self::LOAD, ticks);
        // Counting, and resetting.
        block.write(Self::CONTROL, 0b11);
        // A program that runs wild is not to turn it off.
        block.write(Self::LOCK, 0);
        Dog(block)
    }

    /// Starts its time anew.
    pub fn feed(&mut self) {
        self.0.write(Self::LOCK, Self::KEY);
        self.0.write(Self::CLEAR, 1);
        self.0.write(Self::LOCK, 0);
    }
}
