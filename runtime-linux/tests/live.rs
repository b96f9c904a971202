//! `microtome live`, as a process: what comes in on standard input, what goes out, and how it ends.

use std::io::Write;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

const LONG: Duration = Duration::from_secs(60);

fn live(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
    command.arg("live").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs it with `input`; fails where it takes for ever.
fn run(arguments: &[&str], input: Vec<u8>) -> Output {
    let mut child = live(arguments).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // It may end before it has read all.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = finished(child);
    writer.join().unwrap();
    output
}

fn finished(child: Child) -> Output {
    let id = child.id();
    let (done, told) = std::sync::mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output().unwrap()));
    told.recv_timeout(LONG).unwrap_or_else(|_| {
        kill(id, "KILL");
        panic!("microtome live did not end")
    })
}

fn kill(id: u32, signal: &str) {
    Command::new("kill").args([format!("-{signal}"), id.to_string()]).status().unwrap();
}

fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Raw grey frames of 64x48, each with one bright disc, whose radius grows.
fn discs(frames: i32) -> Vec<u8> {
    let disc = |frame: i32| {
        (0..48 * 64).map(move |i| {
            let (y, x) = (i / 64 - 24, i % 64 - 32);
            if x * x + y * y < (8 + frame) * (8 + frame) { 200 } else { 20 + (i % 3) as u8 }
        })
    };
    (0..frames).flat_map(disc).collect()
}

const RAW: [&str; 7] = ["--source", "-", "--size", "64x48", "--pixel-format", "grey", "--json"];

#[test]
fn every_frame_of_a_pipe_is_a_line_where_that_is_asked_for() {
    let output = run(&[&RAW[..], &["--every-frame"]].concat(), discs(5));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = lines(&output);
    assert_eq!(lines.iter().map(|line| line["frame"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    let areas: Vec<u64> = lines.iter().map(|line| line["objects"][0]["area_px"].as_u64().unwrap()).collect();
    assert!(areas.is_sorted() && areas[0] > 120 && lines.iter().all(|line| line["count"] == 1), "{areas:?}");
}

#[test]
fn received_frames_are_done_or_counted() {
    let output = run(&RAW, discs(200));
    let lines = lines(&output);
    let frames = &lines.last().unwrap()["frames"];
    let count = |name: &str| frames[name].as_u64().unwrap();
    assert_eq!(count("received"), 200);
    assert_eq!(count("received"), lines.last().unwrap()["frame"].as_u64().unwrap() + count("dropped"));
}

#[test]
fn a_frame_that_is_cut_short_is_counted_and_the_rest_is_done() {
    let mut input = discs(2);
    input.truncate(input.len() - 100);
    let output = run(&[&RAW[..], &["--every-frame"]].concat(), input);
    assert!(output.status.success());
    assert_eq!(lines(&output).len(), 1);
}

#[test]
fn the_simulator_runs_until_it_is_told_to_stop() {
    let child = live(&["--size", "128x96", "--json"]).spawn().unwrap();
    let id = child.id();
    std::thread::sleep(Duration::from_millis(1500));
    kill(id, "TERM");
    let start = Instant::now();
    let output = finished(child);
    assert!(output.status.success() && start.elapsed() < LONG);
    let lines = lines(&output);
    assert!(!lines.is_empty() && lines.iter().all(|line| line["width"] == 128));
}

#[test]
fn what_is_missing_is_said_and_tried_again() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("none.png");
    let output = run(&["--source", missing.to_str().unwrap(), "--seconds", "1"], Vec::new());
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("none.png") && errors.contains("trying again"), "{errors}");
    let output = run(&["none.mtm"], Vec::new());
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("none.mtm"));
}

#[test]
fn a_threshold_decides_what_an_object_is() {
    let pixels = |threshold: &str| -> u64 {
        let output = run(&[&RAW[..], &["--every-frame", "--threshold", threshold]].concat(), discs(1));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let objects = lines(&output)[0]["objects"].as_array().unwrap().clone();
        objects.iter().map(|object| object["area_px"].as_u64().unwrap()).sum()
    };
    assert!(pixels("0.1") > pixels("0.9"));
    let output = run(&["--threshold", "1"], Vec::new());
    assert_eq!(output.status.code(), Some(2));
}
