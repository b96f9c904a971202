//! `microtome cameras` from outside. `cargo xtask pi` has a V4L2 camera for it.

mod common;

use common::expect;
use serde_json::Value;

#[test]
fn frames_of_any_source_are_described() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["cameras", "grab", "3", "--source", "simulator", "--size", "320x200"];
    let (out, _) = expect(0, dir.path(), &arguments);
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let frames: Vec<&Value> = lines.iter().filter(|line| line["event"] == "frame").collect();
    assert_eq!(frames.len(), 3, "{out}");
    for frame in frames {
        assert_eq!((frame["width"].as_u64(), frame["height"].as_u64()), (Some(320), Some(200)), "{out}");
        assert!(frame["mean"].as_f64().unwrap() > 0.0, "{out}");
    }
    assert!(lines.iter().any(|line| line["event"] == "camera" && line["state"] == "running"), "{out}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_camera_that_is_not_there_is_named_with_those_that_are() {
    let dir = tempfile::tempdir().unwrap();
    let arguments = ["cameras", "grab", "1", "--source", "/dev/video4242", "--patience", "1"];
    let (out, err) = expect(2, dir.path(), &arguments);
    assert!(out.contains("/dev/video4242: there is no such device; there "), "{out}");
    assert!(err.contains("no frame for 1 s"), "{err}");
    let (_, err) = expect(2, dir.path(), &["cameras", "set", "/dev/video4242", "exposure=100"]);
    assert!(err.contains("there is no such device"), "{err}");
    let (_, err) = expect(2, dir.path(), &["cameras", "set", "/dev/video4242", "zoom=100"]);
    assert!(err.contains("zoom is not known; there are auto_exposure, exposure"), "{err}");
}

#[cfg(target_os = "linux")]
#[test]
fn the_list_is_json_too() {
    let dir = tempfile::tempdir().unwrap();
    let (out, _) = expect(0, dir.path(), &["cameras", "--json"]);
    assert!(serde_json::from_str::<Value>(&out).unwrap().is_array(), "{out}");
    assert!(!expect(0, dir.path(), &["cameras"]).0.is_empty());
}
