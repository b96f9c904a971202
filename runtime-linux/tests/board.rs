//! The pins from outside, on a machine that has none; `cargo xtask pi` has the same commands move pins.

mod common;

use std::path::Path;

use common::expect;

/// Refused, in one sentence.
fn refused(dir: &Path, arguments: &[&str]) -> String {
    let (out, err) = expect(2, dir, arguments);
    assert!(out.is_empty() && err.starts_with("microtome: ") && err.lines().count() == 1, "{out}\n{err}");
    err
}

/// Whether this is one of the machines that the tests are not about.
fn is_raspberry() -> bool {
    std::fs::read_to_string("/proc/device-tree/model").is_ok_and(|model| model.contains("Raspberry Pi"))
}

#[test]
fn a_machine_without_pins_says_so() {
    if is_raspberry() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 4] = [
        &["board", "led", "on", "--light-pin", "18"],
        &["board", "step", "-5", "--rate", "100", "--step-pin", "20", "--direction-pin", "21"],
        &["board", "watch", "--trigger-pin", "23"],
        &["board", "status"],
    ];
    for command in commands {
        assert!(refused(dir.path(), command).contains("Raspberry Pi"), "{command:?}");
    }
}

#[test]
fn pins_come_from_a_profile_or_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let profile = |text: &str| std::fs::write(dir.path().join("scope.toml"), text).unwrap();
    let with_profile = ["board", "led", "on", "--instrument", "scope.toml"];
    assert!(refused(dir.path(), &with_profile).contains("scope.toml: "));
    profile("name = \"scope\"");
    assert!(refused(dir.path(), &with_profile).contains("scope.toml: it has no [board] table"));
    profile("name = \"scope\"\n[board]\nlight = 18\nstatus = 18");
    assert!(refused(dir.path(), &with_profile).contains("GPIO 18 cannot be both light and status"));
    profile("name = \"scope\"\n[board]\nlight = 18");
    let both = [&with_profile[..], &["--trigger-pin", "23"]].concat();
    assert!(refused(dir.path(), &both).contains("not from both"));
    profile("name = \"scope\"\n[board]\nlamp = 18");
    assert!(refused(dir.path(), &with_profile).contains("unknown field `lamp`"));
}

#[test]
fn levels_and_rates_have_their_ranges() {
    let dir = tempfile::tempdir().unwrap();
    for command in [
        &["board", "led", "1.5", "--light-pin", "18"][..],
        &["board", "step", "5", "--rate", "0", "--step-pin", "20"],
        &["board", "step", "5", "--rate", "100", "--acceleration", "10"],
        &["board", "led", "on", "--light-pin", "18", "--light-pwm", "0"],
    ] {
        expect(2, dir.path(), command);
    }
}
