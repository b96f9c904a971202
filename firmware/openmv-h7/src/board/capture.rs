//! Lines of the sensor: the camera interface (DCMI) takes them in, DMA writes them to a ring of [`LINES`] lines that never
//! stops, and each is read out of it as soon as it is whole. There is no frame buffer.
//!
//! embassy's own `Dcmi` waits for whole frames. Its parts are used one by one: pins by their types, the DMA as a
//! `ReadableRingBuffer`, which notices when it is lapped, and the interface's registers through the PAC. The interface is
//! reset for every frame, so that whatever one leaves behind is gone; it captures one frame and stops (snapshot mode),
//! so that a frame that is taken late is not mixed with the next.

use core::cell::Cell;

use embassy_stm32::dcmi::{
    D0Pin, D1Pin, D2Pin, D3Pin, D4Pin, D5Pin, D6Pin, D7Pin, FrameDma, HSyncPin, PixClkPin, VSyncPin,
};
use embassy_stm32::dma::{Channel, InterruptHandler, ReadableRingBuffer, TransferOptions};
use embassy_stm32::gpio::{AfType, AnyPin, Flex, Pull};
use embassy_stm32::interrupt::typelevel::Binding;
use embassy_stm32::peripherals::{DCMI, DMA1_CH0};
use embassy_stm32::{Peri, interrupt, pac, rcc};
use embassy_time::{Duration, Instant};
use microtome_app::SourceError;
use microtome_app::camera::Capture;
use microtome_openmv_h7::exposure::Exposure;
use microtome_openmv_h7::pace::Pace;
use microtome_openmv_h7::{LINE_WORDS, LINES, WIDTH, luma};

use super::memory::region;

type DmaInterrupt = interrupt::typelevel::DMA1_STREAM0;

/// The camera interface and its ring.
pub struct Lines {
    _dcmi: Peri<'static, DCMI>,
    _pins: [Flex<'static>; 11],
    ring: ReadableRingBuffer<'static, u32>,
    /// The line that is lent, as it came and as it is lent.
    words: [u32; LINE_WORDS],
    pixels: [u8; WIDTH],
    pace: &'static Cell<Pace>,
    exposure: Exposure,
    /// When waiting for a line ends.
    until: Instant,
}

/// A pin as an input of the camera interface.
fn input(pin: Peri<'static, AnyPin>, function: u8) -> Flex<'static> {
    let mut pin = Flex::new(pin);
    pin.set_as_af_unchecked(function, AfType::input(Pull::None));
    pin
}

macro_rules! inputs {
    ($($pin:ident),*) => { [$({ let function = $pin.af_num(); input($pin.into(), function) }),*] };
}

impl Lines {
    /// Takes the pins: D0 to D7; HSYNC, VSYNC, pixel clock.
    #[expect(clippy::type_complexity, reason = "a bus is many pins")]
    pub fn new(
        (dcmi, dma, irqs): (
            Peri<'static, DCMI>,
            Peri<'static, DMA1_CH0>,
            impl Binding<DmaInterrupt, InterruptHandler<DMA1_CH0>> + 'static,
        ),
        (d0, d1, d2, d3, d4, d5, d6, d7): (
            Peri<'static, impl D0Pin<DCMI>>,
            Peri<'static, impl D1Pin<DCMI>>,
            Peri<'static, impl D2Pin<DCMI>>,
            Peri<'static, impl D3Pin<DCMI>>,
            Peri<'static, impl D4Pin<DCMI>>,
            Peri<'static, impl D5Pin<DCMI>>,
            Peri<'static, impl D6Pin<DCMI>>,
            Peri<'static, impl D7Pin<DCMI>>,
        ),
        (hsync, vsync, clock): (
            Peri<'static, impl HSyncPin<DCMI>>,
            Peri<'static, impl VSyncPin<DCMI>>,
            Peri<'static, impl PixClkPin<DCMI>>,
        ),
        pace: &'static Cell<Pace>,
    ) -> Lines {
        let pins = inputs!(d0, d1, d2, d3, d4, d5, d6, d7, hsync, vsync, clock);
        let request = FrameDma::<DCMI>::request(&*dma);
        let memory = region!(".shared", [u32; LINES * LINE_WORDS]);
        let data = pac::DCMI.dr().as_ptr().cast::<u32>();
        // SAFETY: the interface's data register, in words as the ring's; the memory is the DMA's from now on, which
        // reaches it, and which the CPU does not cache.
        let mut ring = unsafe {
            ReadableRingBuffer::new(Channel::new(dma, irqs), request, data, memory, TransferOptions::default())
        };
        // From here on it runs, and writes whatever the interface has.
        ring.start();
        Lines {
            _dcmi: dcmi,
            _pins: pins,
            ring,
            words: [0; LINE_WORDS],
            pixels: [0; WIDTH],
            pace,
            exposure: Exposure::UnderWay,
            until: Instant::MIN,
        }
    }

    /// Tells the interface to capture, once the frame that comes next is lit all along.
    fn expose(&mut self) {
        if self.exposure == Exposure::Armed {
            return;
        }
        let seen = pac::DCMI.ris().read();
        let (next, capture) = self.exposure.next(seen.vsync_ris(), seen.line_ris());
        if next != self.exposure {
            // Lines from before are not to be taken for those of the frame that began.
            pac::DCMI.icr().write(|clear| clear.set_line_isc(true));
        }
        if capture {
            pac::DCMI.cr().modify(|control| control.set_capture(true));
        }
        self.exposure = next;
    }
}

impl Capture for Lines {
    fn start(&mut self) -> Result<(), SourceError> {
        rcc::enable_and_reset::<DCMI>();
        self.ring.clear();
        // Configured before it is enabled (RM0433, DCMI_CR).
        pac::DCMI.cr().write(|control| {
            // One frame, then stop.
            control.set_cm(true);
            // The sensor's polarities: VSYNC high and HREF low between data, data good at the rising edge.
            control.set_vspol(true);
            control.set_hspol(false);
            control.set_pckpol(true);
            // 8 bits; separate synchronization; every frame, all of it.
            control.set_edm(0);
        });
        pac::DCMI.cr().modify(|control| control.set_enable(true));
        self.exposure = Exposure::UnderWay;
        self.until = Instant::now() + Duration::from_micros(self.pace.get().patience_us().into());
        Ok(())
    }

    fn line(&mut self) -> Result<&[u8], SourceError> {
        loop {
            // Asked before the ring is: what was lost before a line was whole, is lost.
            let overrun = pac::DCMI.ris().read().ovr_ris();
            let there = self.ring.len().map_err(|_| SourceError::Overrun)?;
            if overrun {
                return Err(SourceError::Overrun);
            }
            if there >= LINE_WORDS {
                break;
            }
            self.expose();
            if Instant::now() > self.until {
                return Err(SourceError::TimedOut);
            }
        }
        // Notices, too, if the DMA got to this line while it was copied.
        let (read, _) = self.ring.read(&mut self.words).map_err(|_| SourceError::Overrun)?;
        if read < LINE_WORDS {
            return Err(SourceError::Device("the ring of lines lost some"));
        }
        luma::extract(&self.words, &mut self.pixels);
        self.until = Instant::now() + Duration::from_micros(self.pace.get().line_patience_us().into());
        Ok(&self.pixels)
    }
}
