//! `microtome record`, as a process: what is kept, and what survives.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const LONG: Duration = Duration::from_secs(60);

fn record(out: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
    command.args(["record", "--size", "128x96", "--fps", "100", "--out"]).arg(out).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn done(child: Child) -> (Option<i32>, String) {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

fn signal(child: &Child, name: &str) {
    Command::new("kill").args([format!("-{name}"), child.id().to_string()]).status().unwrap();
}

/// The journal's frames: number, name and objects.
fn journal(out: &Path) -> Vec<(u64, String, u64)> {
    let text = std::fs::read_to_string(out.join("frames.jsonl")).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    lines
        .map(|line| {
            let number = |key: &str| line[key].as_u64().unwrap();
            (number("number"), line["name"].as_str().unwrap().to_owned(), number("objects"))
        })
        .collect()
}

fn until(what: &str, done: impl Fn() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Every frame of the journal has its files and its lines, and nothing else is there.
fn check(out: &Path) {
    let frames = journal(out);
    assert!(frames.iter().zip(1..).all(|((number, ..), wanted)| *number == wanted), "{frames:?}");
    let mut lines: HashMap<String, u64> = HashMap::new();
    let mut table = csv::Reader::from_path(out.join("objects.csv")).unwrap();
    for row in table.records() {
        *lines.entry(row.unwrap()[0].to_owned()).or_default() += 1;
    }
    let mut files: Vec<String> = vec!["frames.jsonl".into(), "objects.csv".into(), "recording.json".into()];
    for (_, name, objects) in &frames {
        assert_eq!(lines.remove(name).unwrap_or(0), *objects, "{name}");
        files.extend(["frame.png", "labels.png"].map(|ending| format!("{name}_{ending}")));
        image::open(out.join(format!("{name}_frame.png"))).unwrap();
    }
    assert!(lines.is_empty(), "{lines:?}");
    let mut found: Vec<String> =
        out.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    found.retain(|name| !name.starts_with(".microtome-"));
    files.sort();
    found.sort();
    assert_eq!(found, files);
}

#[test]
fn a_time_lapse_keeps_one_frame_per_interval() {
    let dir = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let (code, said) = done(record(dir.path(), &["--interval", "200ms", "--frames", "4"]));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("4 frames") && start.elapsed() >= Duration::from_millis(600), "{said}");
    assert_eq!(journal(dir.path()).len(), 4);
    check(dir.path());
}

#[test]
fn a_signal_finishes_the_recording() {
    let dir = tempfile::tempdir().unwrap();
    let child = record(dir.path(), &["--interval", "50ms"]);
    until("no frame", || journal(dir.path()).len() > 2);
    signal(&child, "TERM");
    let (code, said) = done(child);
    assert_eq!(code, Some(0), "{said}");
    check(dir.path());
}

#[test]
fn what_was_finished_survives_a_power_cut_and_the_recording_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let mut finished = Vec::new();
    for round in 1..4 {
        let child = record(dir.path(), &["--resume"]);
        until("no frame", || journal(dir.path()).len() > finished.len() + 3 * round);
        signal(&child, "KILL");
        done(child);
        let now = journal(dir.path());
        assert_eq!(now[..finished.len()], finished[..]);
        finished = now;
    }
    let frames = (finished.len() + 2).to_string();
    let (code, said) = done(record(dir.path(), &["--resume", "--frames", &frames]));
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(journal(dir.path())[..finished.len()], finished[..]);
    assert_eq!(journal(dir.path()).len(), finished.len() + 2);
    check(dir.path());
}

#[test]
fn a_recording_is_not_written_over() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(done(record(dir.path(), &["--frames", "1"])).0, Some(0));
    let before = journal(dir.path());
    let (code, said) = done(record(dir.path(), &["--frames", "2"]));
    assert!(code == Some(2) && said.contains("--resume"), "{code:?} {said}");
    let (code, said) = done(record(dir.path(), &["--frames", "2", "--resume", "--format", "csv"]));
    assert!(code == Some(2) && said.contains("other settings"), "{code:?} {said}");
    assert_eq!(journal(dir.path()), before);
}

#[test]
fn a_full_disk_is_said_and_what_was_kept_stays() {
    let dir = tempfile::tempdir().unwrap();
    // No file of more than 8 KiB: the table outgrows it after some frames.
    let script = format!(
        "trap '' XFSZ; ulimit -f 16; exec \"$0\" record --size 128x96 --fps 100 --format csv --out '{}'",
        dir.path().display()
    );
    let child = Command::new("sh")
        .args(["-c", &script, env!("CARGO_BIN_EXE_microtome")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (code, said) = done(child);
    assert!(code == Some(3) && said.contains("objects.csv"), "{code:?} {said}");
    let frames = journal(dir.path());
    let lines = std::fs::read_to_string(dir.path().join("objects.csv")).unwrap().lines().count() as u64 - 1;
    assert!(!frames.is_empty() && lines == frames.iter().map(|(_, _, objects)| objects).sum::<u64>());
}

#[test]
fn other_files_in_the_folder_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let [photo, numbered] = ["20261126-photo.png", "000002-mine.png"].map(|name| dir.path().join(name));
    std::fs::write(&photo, "mine").unwrap();
    std::fs::write(&numbered, "mine").unwrap();
    std::fs::write(dir.path().join("objects.csv"), "of a run\n").unwrap();
    for more in [&["--frames", "1"][..], &["--frames", "1", "--resume"]] {
        let (code, said) = done(record(dir.path(), more));
        assert!(code == Some(2) && said.contains("objects.csv"), "{code:?} {said}");
        assert_eq!(std::fs::read_to_string(dir.path().join("objects.csv")).unwrap(), "of a run\n");
    }
    std::fs::remove_file(dir.path().join("objects.csv")).unwrap();
    assert_eq!(done(record(dir.path(), &["--frames", "1"])).0, Some(0));
    assert!(photo.exists() && numbered.exists());
    // In a recording, a frame's number after the last finished one is the mark of a power cut.
    assert_eq!(done(record(dir.path(), &["--frames", "2", "--resume"])).0, Some(0));
    assert!(photo.exists());
}
