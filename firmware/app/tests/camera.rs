//! The camera on embedded-hal's mock: which registers are written, when the light is on, and what it says when a part
//! does not answer.

use embedded_hal::i2c::{ErrorKind, NoAcknowledgeSource};
use embedded_hal_mock::eh1::digital::{Mock as Pin, State, Transaction as Switch};
use embedded_hal_mock::eh1::i2c::{Mock as Bus, Transaction as Write};
use microtome_app::camera::Capture;
use microtome_app::{Camera, RowSource, SourceError};
use microtome_core::Frame;

const ADDRESS: u8 = 0x21;

/// Lines that count; the third of an exposure may be late.
struct Lines {
    next: u8,
    late: bool,
    line: [u8; 4],
}

impl Capture for Lines {
    fn start(&mut self) -> Result<(), SourceError> {
        self.next = 0;
        Ok(())
    }

    fn line(&mut self) -> Result<&[u8], SourceError> {
        self.next += 1;
        if self.late && self.next == 3 {
            return Err(SourceError::TimedOut);
        }
        self.line.fill(self.next);
        Ok(&self.line)
    }
}

fn switches(states: &[State]) -> Pin {
    Pin::new(&states.iter().map(|&state| Switch::set(state)).collect::<Vec<_>>())
}

fn lines(late: bool) -> Lines {
    Lines { next: 0, late, line: [0; 4] }
}

#[test]
fn the_light_is_on_for_an_exposure_and_no_longer() {
    use State::{High, Low};
    let bus = Bus::new(&[
        Write::write(ADDRESS, vec![0x12, 0x80]),
        Write::write(ADDRESS, vec![0x11, 0x01]),
        Write::write(ADDRESS, vec![0x10, 0x40]),
    ]);
    let light = switches(&[Low, High, Low, High, Low]);
    let trigger = switches(&[Low, High, Low, High, Low]);
    let registers = [(0x12, 0x80), (0x11, 0x01)];
    let frame = Frame::grey(3, 4);
    let mut camera = Camera::new(bus, ADDRESS, &registers, (light, trigger), lines(false), frame).expect("a camera");
    camera.set((0x10, 0x40)).expect("a register");
    assert_eq!(camera.begin(), Ok(Some(frame)));
    for value in 1..=3 {
        assert_eq!(camera.row(), Ok([value; 4].as_slice()));
    }
    assert_eq!(camera.again(), Ok(()));
    for value in 1..=3 {
        assert_eq!(camera.row(), Ok([value; 4].as_slice()));
    }
    let (mut bus, mut light, mut trigger, _) = camera.release();
    bus.done();
    light.done();
    trigger.done();
}

#[test]
fn a_frame_that_is_given_up_leaves_the_specimen_dark() {
    use State::{High, Low};
    let (light, trigger) = (switches(&[Low, High, Low]), switches(&[Low, High, Low]));
    let (frame, pins) = (Frame::grey(9, 4), (light, trigger));
    let mut camera = Camera::new(Bus::new(&[]), ADDRESS, &[], pins, lines(true), frame).expect("a camera");
    assert!(camera.begin().is_ok() && camera.row().is_ok() && camera.row().is_ok());
    assert_eq!(camera.row(), Err(SourceError::TimedOut));
    camera.abandon();
    let (mut bus, mut light, mut trigger, _) = camera.release();
    bus.done();
    light.done();
    trigger.done();
}

#[test]
fn a_sensor_that_does_not_answer() {
    let unanswered = ErrorKind::NoAcknowledge(NoAcknowledgeSource::Address);
    let mut bus = Bus::new(&[Write::write(ADDRESS, vec![0x12, 0x80]).with_error(unanswered)]);
    let (mut light, mut trigger) = (switches(&[State::Low]), switches(&[State::Low]));
    let pins = (light.clone(), trigger.clone());
    let camera = Camera::new(bus.clone(), ADDRESS, &[(0x12, 0x80)], pins, lines(false), Frame::grey(3, 4));
    assert_eq!(camera.err(), Some(SourceError::Device("the sensor does not answer")));
    bus.done();
    light.done();
    trigger.done();
}
