//! Whole archives: several frames at once, and runs that were interrupted.
#![cfg(unix)]

mod common;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use common::{expect, plan_in, threshold_plan};
use tiff::encoder::{TiffEncoder, colortype};

const JOURNAL: &str = ".microtome-run.jsonl";

/// A plan and frames: `count` simulated ones, in a folder, a stack of four pages, a picture with the name of another and one that is
/// broken.
fn archive(count: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path();
    plan_in(path);
    expect(0, path, &["simulate", "--out", "sim", "--frames", count, "--width", "128", "--height", "96"]);
    let first = path.join("sim/images/simulated_0000.png");
    fs::copy(&first, path.join("simulated_0001.png")).unwrap();
    let whole = fs::read(&first).unwrap();
    fs::write(path.join("sim/images/simulated_0001b.png"), &whole[..whole.len() / 2]).unwrap();
    let mut tiff = TiffEncoder::new(File::create(path.join("stack.tif")).unwrap()).unwrap();
    for page in 0..4 {
        let samples: Vec<u8> = (0..40 * 60).map(|p| if p / 60 / 6 == page && p % 60 > 9 { 200 } else { 9 }).collect();
        tiff.write_image::<colortype::Gray8>(60, 40, &samples).unwrap();
    }
    dir
}

/// The arguments of a run over such an archive to `out`.
fn run<'a>(out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let inputs = ["run", "threshold.mtm", "simulated_0001.png", "stack.tif", "sim/images", "--out", out];
    [&inputs[..], more].concat()
}

const RESUMABLE: [&str; 2] = ["--format", "masks,labels,overlay,csv,jsonl,geojson,ome-tiff"];

/// Every file of `folder`, hidden ones too.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = folder.read_dir().unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap())).collect()
}

/// The same, or the names of what differs.
fn assert_same(found: &Path, expected: &Path) {
    let (found, expected) = (files(found), files(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    let other: Vec<_> = found.keys().filter(|name| found[*name] != expected[*name]).collect();
    assert!(other.is_empty(), "{other:?} differ");
}

fn start(dir: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_microtome"));
    command.args(arguments).current_dir(dir).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
}

fn wait_for(what: &str, mut there: impl FnMut() -> bool) {
    let since = Instant::now();
    while !there() {
        assert!(since.elapsed() < Duration::from_secs(60), "{what} did not come");
        sleep(Duration::from_millis(2));
    }
}

fn journaled(out: &Path) -> usize {
    let text = fs::read(out.join(JOURNAL)).unwrap_or_default();
    text.iter().filter(|&&byte| byte == b'\n').count().saturating_sub(1)
}

/// The summary's frames without the times.
fn frames(json: &str) -> serde_json::Value {
    let mut summary: serde_json::Value = serde_json::from_str(json).unwrap();
    for frame in summary["frames"].as_array_mut().unwrap() {
        frame.as_object_mut().unwrap().remove("ms");
    }
    serde_json::json!([summary["frames"], summary["totals"], summary["failed_inputs"]])
}

#[test]
fn jobs_change_no_byte() {
    let dir = archive("9");
    let all = "masks,labels,label-tiff,overlay,csv,jsonl,ecotaxa,roi,geojson,coco,ome-tiff";
    fs::write(
        dir.path().join("scope.toml"),
        "name = \"x\"\n[illumination]\nreference_frames = 3\n[[objective]]\nname = \"a\"\npixel_size_um = 2\n\
         [flow_cell]\ndepth_um = 100",
    )
    .unwrap();
    let mut summaries = Vec::new();
    for jobs in ["1", "2", "3"] {
        let more =
            ["--format", all, "--instrument", "scope.toml", "--objective", "a", "--track", "--json", "--jobs", jobs];
        let (out, err) = expect(1, dir.path(), &run(jobs, &more));
        assert!(err.lines().count() == 1 && err.contains("simulated_0001b.png: "), "{err}");
        summaries.push(frames(&out));
    }
    assert_eq!(summaries[0][0].as_array().unwrap().len(), 1 + 4 + 9);
    assert!(summaries[0][1]["density"]["per_ml"].as_f64().unwrap() > 0.0, "{}", summaries[0][1]);
    for (jobs, summary) in ["2", "3"].into_iter().zip(&summaries[1..]) {
        assert_eq!(*summary, summaries[0]);
        assert_same(&dir.path().join(jobs), &dir.path().join("1"));
    }
    assert!(dir.path().join("1/simulated_0001-2_mask.png").exists());
}

#[test]
fn killed_at_any_moment_and_gone_on_with() {
    let dir = archive("60");
    let out = dir.path().join("out");
    expect(1, dir.path(), &run("whole", &RESUMABLE));
    let mut finished = vec![0];
    let mut killed = 0;
    for (jobs, millis) in [("1", 0), ("2", 20), ("3", 5), ("1", 50), ("2", 90)] {
        let mut child = start(dir.path(), &run("out", &[&RESUMABLE[..], &["--resume", "--jobs", jobs]].concat()));
        let before = finished[finished.len() - 1];
        wait_for("a frame", || journaled(&out) > before || child.try_wait().unwrap().is_some());
        sleep(Duration::from_millis(millis));
        child.kill().unwrap();
        killed += usize::from(child.wait().unwrap().signal() == Some(9));
        finished.push(journaled(&out));
        // What a power cut leaves of the line that was being written.
        if let Ok(mut text) = fs::read(out.join(JOURNAL)) {
            text.extend(b"{\"note\":{\"frame\":\"simul");
            fs::write(out.join(JOURNAL), text).unwrap();
        }
    }
    assert!(killed >= 2 && finished[..=killed].is_sorted_by(|one, next| one < next), "{killed}: {finished:?}");
    expect(1, dir.path(), &run("out", &[&RESUMABLE[..], &["--resume"]].concat()));
    assert_same(&out, &dir.path().join("whole"));
    // A finished run has nothing to go on with: the same again.
    expect(1, dir.path(), &run("out", &[&RESUMABLE[..], &["--resume"]].concat()));
    assert_same(&out, &dir.path().join("whole"));
}

/// The arguments of a run over four pictures.
fn pictures<'a>(model: &'a str, out: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let images =
        ["sim/images/simulated_0000.png", "sim/images/simulated_0001.png", THIRD, "sim/images/simulated_0003.png"];
    [&["run", model][..], &images, &["--out", out], more].concat()
}

const THIRD: &str = "sim/images/simulated_0002.png";

/// Such a run that waits at its third input, a pipe, with a frame on the disk and one that is not yet.
fn waiting(dir: &Path, out: &str, jobs: &str) -> (Child, PathBuf) {
    let pipe = dir.join(THIRD);
    fs::rename(&pipe, dir.join("third.png")).unwrap();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = start(dir, &pictures("threshold.mtm", out, &["--resume", "--jobs", jobs]));
    wait_for("a finished frame", || journaled(&dir.join(out)) > 0);
    (child, pipe)
}

fn times(out: &Path) -> BTreeMap<String, SystemTime> {
    let entries = out.read_dir().unwrap().map(|entry| entry.unwrap());
    let pictures = entries.filter(|entry| entry.path().extension().is_some_and(|e| e == "png"));
    pictures.map(|e| (e.file_name().into_string().unwrap(), e.metadata().unwrap().modified().unwrap())).collect()
}

#[test]
fn a_signal_ends_a_run_that_can_be_gone_on_with() {
    let dir = archive("4");
    let (path, out) = (dir.path(), dir.path().join("out"));
    expect(0, path, &pictures("threshold.mtm", "whole", &[]));
    let (child, pipe) = waiting(path, "out", "2");
    // Where two runs are in one folder, the second ends.
    let (_, err) = expect(3, path, &["run", "threshold.mtm", "stack.tif", "--out", "out", "--resume"]);
    assert!(err.contains("another run writes to this folder"), "{err}");
    assert!(Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap().success());
    // Nothing shows that the signal was seen. Then it reads an empty file.
    sleep(Duration::from_millis(300));
    let nonblocking = rustix::fs::OFlags::NONBLOCK.bits() as i32;
    wait_for("a reader", || File::options().write(true).custom_flags(nonblocking).open(&pipe).is_ok());
    let output = child.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.contains("stopped after 2 frames") && err.contains("--resume"), "{err}");
    assert_eq!(journaled(&out), 2);
    // The table of what there is.
    let table = fs::read_to_string(out.join("objects.csv")).unwrap();
    assert!(table.contains("\nsimulated_0001,") && !table.contains("\nsimulated_0002,"), "{table}");
    let before = times(&out);
    assert_eq!(before.len(), 2 * 3);

    fs::rename(path.join("third.png"), &pipe).unwrap();
    let (json, _) = expect(0, path, &pictures("threshold.mtm", "out", &["--resume", "--json"]));
    assert_eq!(frames(&json)[0].as_array().unwrap().len(), 4);
    let after = times(&out);
    assert!(after.len() == 4 * 3 && before.iter().all(|(name, time)| after[name] == *time));
    assert_same(&out, &path.join("whole"));
}

#[test]
fn an_interrupted_run_is_neither_mixed_nor_lost() {
    let dir = archive("4");
    let (path, out) = (dir.path(), dir.path().join("out"));
    let (mut child, pipe) = waiting(path, "out", "1");
    child.kill().unwrap();
    child.wait().unwrap();
    fs::rename(path.join("third.png"), &pipe).unwrap();
    let left = files(&out);
    fs::write(path.join("other.mtm"), threshold_plan()).unwrap();
    fs::write(path.join("scope.toml"), "name = \"x\"").unwrap();
    let refused = |model: &str, more: &[&str], word: &str| {
        let (said, err) = expect(2, path, &pictures(model, "out", more));
        assert!(said.is_empty() && err.lines().count() == 1 && err.contains(word), "{err}");
        assert_eq!(files(&out), left);
    };
    refused("threshold.mtm", &[], "has finished 1 frame here (expected --resume");
    refused("threshold.mtm", &["--format", "coco"], "has finished 1 frame here (expected --resume");
    refused("threshold.mtm", &["--resume", "--exclude-border"], "another way to measure");
    refused("threshold.mtm", &["--resume", "--instrument", "scope.toml"], "another way to measure");
    refused("threshold.mtm", &["--resume", "--format", "masks,csv"], "another list of formats");
    refused("threshold.mtm", &["--resume", "stack.tif"], "another list of inputs");
    refused("threshold.mtm", &["--resume", "--format", "masks,coco"], "--format coco cannot be gone on with");
    refused("threshold.mtm", &["--resume", "--track"], "--track cannot be gone on with");
    let nuclei = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/nuclei/model.mtm");
    refused(nuclei, &["--resume"], "another model");
    // Another name and other threads decide nothing.
    expect(0, path, &pictures("other.mtm", "out", &["--resume", "--jobs", "2", "--threads", "1"]));
    expect(0, path, &pictures("threshold.mtm", "whole", &[]));
    assert_same(&out, &path.join("whole"));
}

#[test]
fn jobs_are_refused_where_frames_wait_for_each_other() {
    let dir = archive("1");
    fs::write(dir.path().join("scope.toml"), "name = \"x\"\n[correction]\nrunning_median = 5").unwrap();
    let arguments = ["run", "threshold.mtm", "stack.tif", "--out", "out", "--instrument", "scope.toml"];
    let (_, err) = expect(2, dir.path(), &[&arguments[..], &["--jobs", "2"]].concat());
    assert!(err.contains("--jobs 2: a running median"), "{err}");
    assert!(!dir.path().join("out").exists());
    expect(0, dir.path(), &arguments);
    expect(2, dir.path(), &run("out", &["--jobs", "0"]));
}
