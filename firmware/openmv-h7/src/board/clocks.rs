//! Clocks: 480 MHz from OpenMV's 12 MHz crystal; 384 MHz on silicon of revision Y, which ends at 400.
//!
//! Both make the sensor's 12 MHz by a whole divider: TIM1 runs at the CPU's clock halved.

use embassy_stm32::Config;
use embassy_stm32::rcc::{
    AHBPrescaler, APBPrescaler, Hse, HseMode, Hsi48Config, Pll, PllDiv, PllMul, PllPreDiv, PllSource, Sysclk,
    VoltageScale, mux,
};
use embassy_stm32::time::Hertz;

use super::{REVISION_Y, revision};

/// What `embassy_stm32::init` sets.
pub fn config() -> Config {
    let (multiplier, voltage) = match revision() {
        ..=REVISION_Y => (PllMul::MUL192, VoltageScale::Scale1),
        _ => (PllMul::MUL240, VoltageScale::Scale0),
    };
    let mut config = Config::default();
    let rcc = &mut config.rcc;
    rcc.hse = Some(Hse { freq: Hertz(12_000_000), mode: HseMode::Oscillator });
    // USB's own oscillator, kept right by the host's frames.
    rcc.hsi48 = Some(Hsi48Config { sync_from_usb: true });
    rcc.mux.usbsel = mux::Usbsel::HSI48;
    rcc.pll1 = Some(Pll {
        source: PllSource::HSE,
        // 4 MHz in, 960 or 768 MHz inside.
        prediv: PllPreDiv::DIV3,
        mul: multiplier,
        fracn: None,
        divp: Some(PllDiv::DIV2),
        divq: None,
        divr: None,
    });
    rcc.sys = Sysclk::PLL1_P;
    rcc.ahb_pre = AHBPrescaler::DIV2;
    rcc.apb1_pre = APBPrescaler::DIV2;
    rcc.apb2_pre = APBPrescaler::DIV2;
    rcc.apb3_pre = APBPrescaler::DIV2;
    rcc.apb4_pre = APBPrescaler::DIV2;
    rcc.voltage_scale = voltage;
    config
}
