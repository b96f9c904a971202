//! The line to the computer: USB, as a serial port (CDC ACM).
//!
//! The network computes without a pause, so USB has its own executor, in an interrupt that no peripheral uses. Between
//! the two are pipes. Nobody may be listening: what has no room and finds none in time is dropped, and the device goes on.
//! A record that lost a part fails its check on the other side.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};

use embassy_executor::InterruptExecutor;
use embassy_futures::join::join4;
use embassy_stm32::interrupt;
use embassy_stm32::interrupt::{InterruptExt, Priority};
use embassy_stm32::peripherals::{PA11, PA12, USB_OTG_FS};
use embassy_stm32::usb::{self, Driver};
use embassy_stm32::{Peri, uid};
use embassy_sync::blocking_mutex::raw::CriticalSectionRawMutex;
use embassy_sync::pipe::Pipe;
use embassy_time::{Duration, Instant};
use embassy_usb::class::cdc_acm::{CdcAcmClass, ControlChanged, Receiver, Sender, State};
use embassy_usb::{Builder, Config};
use static_cell::{ConstStaticCell, StaticCell};

use super::Irqs;

type Usb = Driver<'static, USB_OTG_FS>;

/// A test number of pid.codes: for one's own bench, not for products.
const VENDOR: u16 = 0x1209;
const PRODUCT: u16 = 0x0001;

/// A full-speed bulk packet.
const PACKET: usize = 64;

static OUT: Pipe<CriticalSectionRawMutex, 4096> = Pipe::new();
static IN: Pipe<CriticalSectionRawMutex, 1024> = Pipe::new();

/// Whether a program has the port open (DTR).
static LISTENING: AtomicBool = AtomicBool::new(false);
/// Whether it has stopped reading.
static STALLED: AtomicBool = AtomicBool::new(false);

/// How long to wait for room.
const PATIENCE: Duration = Duration::from_millis(500);

static EXECUTOR: InterruptExecutor = InterruptExecutor::new();

#[interrupt]
unsafe fn UART4() {
    // SAFETY: from the interrupt that the executor was started with, which is enabled by that.
    unsafe { EXECUTOR.on_interrupt() }
}

/// Starts USB.
pub fn start(usb: Peri<'static, USB_OTG_FS>, plus: Peri<'static, PA12>, minus: Peri<'static, PA11>) -> (Serial, Inbox) {
    // Below the interrupts of DMA, USB and time, whose handlers wake the task.
    interrupt::UART4.set_priority(Priority::P6);
    let executor = EXECUTOR.start(interrupt::UART4);
    executor.spawn(device(usb, plus, minus).expect("it is started once"));
    (Serial, Inbox)
}

#[embassy_executor::task]
async fn device(usb: Peri<'static, USB_OTG_FS>, plus: Peri<'static, PA12>, minus: Peri<'static, PA11>) {
    static PACKETS: ConstStaticCell<[u8; 256]> = ConstStaticCell::new([0; 256]);
    static DESCRIPTORS: ConstStaticCell<[[u8; 256]; 3]> = ConstStaticCell::new([[0; 256]; 3]);
    static STATE: StaticCell<State<'static>> = StaticCell::new();

    let mut hardware = usb::Config::default();
    // Powered by the bus: without it, there is nobody to notice.
    hardware.vbus_detection = false;
    let driver = Driver::new_fs(usb, Irqs, plus, minus, PACKETS.take(), hardware);
    let mut config = Config::new(VENDOR, PRODUCT);
    config.manufacturer = Some("microtome");
    config.product = Some("microtome on OpenMV Cam H7");
    config.serial_number = Some(uid::uid_hex());
    let [configuration, bos, control] = DESCRIPTORS.take();
    let mut builder = Builder::new(driver, config, configuration, bos, &mut [], control);
    let class = CdcAcmClass::new(&mut builder, STATE.init(State::new()), PACKET as u16);
    let (sender, receiver, control) = class.split_with_control();
    let mut device = builder.build();
    join4(device.run(), send(sender), receive(receiver), listen(control)).await;
}

async fn send(mut sender: Sender<'static, Usb>) {
    let mut packet = [0; PACKET];
    loop {
        sender.wait_connection().await;
        loop {
            let len = OUT.read(&mut packet).await;
            if sender.write_packet(&packet[..len]).await.is_err() {
                break;
            }
            // A full packet does not end a transfer: the host would wait for more.
            if len == PACKET && OUT.is_empty() && sender.write_packet(&[]).await.is_err() {
                break;
            }
        }
    }
}

async fn receive(mut receiver: Receiver<'static, Usb>) {
    let mut packet = [0; PACKET];
    loop {
        receiver.wait_connection().await;
        // Until there is room, the host waits.
        while let Ok(len) = receiver.read_packet(&mut packet).await {
            IN.write_all(&packet[..len]).await;
        }
    }
}

async fn listen(control: ControlChanged<'static>) {
    loop {
        LISTENING.store(control.dtr(), Ordering::Relaxed);
        control.control_changed().await;
    }
}

/// The way out. It never fails.
#[derive(Clone, Copy, Debug)]
pub struct Serial;

impl fmt::Write for Serial {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text.as_bytes();
        let start = Instant::now();
        while !rest.is_empty() && LISTENING.load(Ordering::Relaxed) {
            if STALLED.load(Ordering::Relaxed) {
                if OUT.free_capacity() < OUT.capacity() / 2 {
                    break;
                }
                STALLED.store(false, Ordering::Relaxed);
            }
            match OUT.try_write(rest) {
                Ok(len) => rest = rest.get(len..).unwrap_or(&[]),
                Err(_) if start.elapsed() > PATIENCE => STALLED.store(true, Ordering::Relaxed),
                Err(_) => {}
            }
        }
        Ok(())
    }
}

/// What came in.
#[derive(Clone, Copy, Debug)]
pub struct Inbox;

impl Inbox {
    /// Whether something waits.
    pub fn waiting(self) -> bool {
        !IN.is_empty()
    }

    /// The next bytes, as many as there are; none after a second.
    pub fn read(self, bytes: &mut [u8]) -> usize {
        let start = Instant::now();
        loop {
            match IN.try_read(bytes) {
                Ok(len) => return len,
                Err(_) if start.elapsed() > Duration::from_secs(1) => return 0,
                Err(_) => {}
            }
        }
    }
}
