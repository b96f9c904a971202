//! What `run --format` writes, read back.

mod common;

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;
use std::process::Command;

use common::{expect, plan_in};
use microtome::engine::Mask;
use microtome::objects::{Found, find};
use microtome::sink::{Columns, Format, Item, JsonLines, Results, Settings};
use microtome::source::{Channels, Image, Samples, open, read_labels};
use microtome_core::measure::Task;
use serde_json::Value as Json;
use tiff::encoder::{TiffEncoder, colortype};

/// A folder with the bundled plan, `frames` simulated frames under sim/images and what `run` made of them under out/.
fn ran(frames: &str, arguments: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let plan = concat!(env!("CARGO_MANIFEST_DIR"), "/../models/zoo/nuclei/model.mtm");
    fs::copy(plan, dir.path().join("nuclei.mtm")).unwrap();
    let size = ["--frames", frames, "--width", "160", "--height", "120", "--seed", "3"];
    expect(0, dir.path(), &[&["simulate", "--out", "sim"][..], &size].concat());
    fs::write(dir.path().join("haul.toml"), "acq_id = \"haul 3\"\n[object]\nlat = 43.7\n").unwrap();
    expect(0, dir.path(), &[&["run", "nuclei.mtm", "sim/images", "--out", "out"][..], arguments].concat());
    dir
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn json(path: &Path) -> Json {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

/// Pixels of each label of a frame of `out/`, from label 1.
fn areas(out: &Path, frame: &str) -> Vec<u64> {
    let (_, _, labels) = read_labels(&out.join(format!("{frame}_labels.png"))).unwrap();
    let mut areas = vec![0; *labels.iter().max().unwrap() as usize];
    labels.iter().filter(|&&label| label != 0).for_each(|&label| areas[label as usize - 1] += 1);
    areas
}

/// Twice the area that a ring of `[x, y]` encloses, with its sign.
fn doubled_area(ring: &[Json]) -> i64 {
    let at = |corner: &Json, axis: usize| corner[axis].as_i64().unwrap();
    ring.windows(2).map(|pair| at(&pair[0], 0) * at(&pair[1], 1) - at(&pair[1], 0) * at(&pair[0], 1)).sum()
}

#[test]
fn each_format_is_written_once_and_only_when_asked_for() {
    let formats = "masks,labels,label-tiff,overlay,csv,jsonl,ecotaxa,roi,geojson,coco,ome-tiff,csv";
    let dir = ran("1", &["--format", formats]);
    let frame = |ending: &str| format!("simulated_0000{ending}");
    let endings =
        [".geojson", ".ome.tif", "_labels.png", "_labels.tif", "_mask.png", "_overlay.png", "_rois.zip"].map(frame);
    let collections = ["coco.json", "ecotaxa.zip", "objects.csv", "objects.jsonl"].map(String::from);
    assert_eq!(names_in(&dir.path().join("out")), [&collections[..], &endings].concat());
}

#[test]
fn tables_agree() {
    let dir = ran("2", &["--format", "csv,jsonl", "--pixel-size-um", "0.5"]);
    let out = dir.path().join("out");
    let mut table = csv::Reader::from_path(out.join("objects.csv")).unwrap();
    let columns = table.headers().unwrap().clone();
    let rows: Vec<csv::StringRecord> = table.records().map(Result::unwrap).collect();
    let lines = fs::read_to_string(out.join("objects.jsonl")).unwrap();
    let lines: Vec<Json> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 10 && rows.len() == lines.len());
    for (row, line) in rows.iter().zip(&lines) {
        assert_eq!(line.as_object().unwrap().len(), columns.len());
        for (column, field) in columns.iter().zip(row) {
            match line[column].as_f64() {
                // serde_json reads the last digit of a number only nearly.
                Some(number) => assert!((number - field.parse::<f64>().unwrap()).abs() <= 1e-12 * number.abs()),
                None => assert_eq!(line[column].as_str().map_or_else(|| line[column].to_string(), String::from), field),
            }
        }
    }
}

#[test]
fn polygons_have_the_areas_of_their_labels() {
    let dir = ran("1", &["--format", "labels,geojson,coco"]);
    let out = dir.path().join("out");
    let areas = areas(&out, "simulated_0000");
    let features = json(&out.join("simulated_0000.geojson"));
    let features = features["features"].as_array().unwrap();
    assert_eq!(features.len(), areas.len());
    for (feature, &area) in features.iter().zip(&areas) {
        let geometry = &feature["geometry"];
        let polygons = match geometry["type"].as_str().unwrap() {
            "Polygon" => vec![geometry["coordinates"].clone()],
            _ => geometry["coordinates"].as_array().unwrap().clone(),
        };
        let rings = polygons.iter().flat_map(|polygon| polygon.as_array().unwrap());
        let doubled: i64 = rings.map(|ring| doubled_area(ring.as_array().unwrap())).sum();
        assert_eq!(doubled as u64, 2 * area);
        assert_eq!(feature["properties"]["measurements"]["area_px"], area as f64);
    }
    let coco = json(&out.join("coco.json"));
    let annotated: Vec<u64> =
        coco["annotations"].as_array().unwrap().iter().map(|a| a["area"].as_u64().unwrap()).collect();
    assert_eq!(annotated, areas);
    assert_eq!(coco["images"][0]["file_name"], "simulated_0000.png");
    let category = &coco["annotations"][0]["category_id"];
    let plan = fs::read(dir.path().join("nuclei.mtm")).unwrap();
    let plan = microtome_core::Plan::parse(&plan).unwrap();
    let name = plan.classes().nth(category.as_u64().unwrap() as usize).unwrap();
    assert!(coco["categories"].as_array().unwrap().iter().any(|c| &c["id"] == category && c["name"] == name));
}

#[test]
fn ecotaxa_has_a_line_and_a_vignette_for_each_object() {
    let arguments = ["--format", "labels,ecotaxa", "--pixel-size-um", "0.65", "--metadata", "haul.toml"];
    let dir = ran("2", &arguments);
    let out = dir.path().join("out");
    let mut zip = zip::ZipArchive::new(File::open(out.join("ecotaxa.zip")).unwrap()).unwrap();
    let mut table = String::new();
    zip.by_name("ecotaxa_haul_3.tsv").unwrap().read_to_string(&mut table).unwrap();
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split('\t').collect()).collect();
    assert!(lines.iter().all(|line| line.len() == lines[0].len()));
    assert!(lines[1].iter().all(|kind| ["[t]", "[f]"].contains(kind)));
    let column = |name: &str| {
        let at = lines[0].iter().position(|column| *column == name).unwrap();
        lines[2..].iter().map(move |line| line[at])
    };
    let areas = ["simulated_0000", "simulated_0001"].map(|frame| areas(&out, frame)).concat();
    assert_eq!(column("object_area_exc").map(|area| area.parse().unwrap()).collect::<Vec<u64>>(), areas);
    assert!(column("object_lat").all(|value| value == "43.7") && column("acq_id").all(|value| value == "haul 3"));
    assert!(column("object_id").next().unwrap().starts_with("haul 3_simulated_0000_"));
    // One entry more than vignettes: the table.
    assert_eq!(zip.len(), areas.len() + 1);
    for (name, (width, height)) in column("img_file_name").zip(column("object_width").zip(column("object_height"))) {
        let mut bytes = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        let vignette = image::load_from_memory(&bytes).unwrap();
        let (width, height): (u32, u32) = (width.parse().unwrap(), height.parse().unwrap());
        assert!(vignette.width() > width && vignette.height() > height + 31);
    }
}

#[test]
fn regions_of_a_stack_lie_on_their_slices() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    let mut tiff = TiffEncoder::new(File::create(dir.path().join("stack.tif")).unwrap()).unwrap();
    for left in [5, 30] {
        let inside = |p: usize| (8..16).contains(&(p / 60)) && (left..left + 8).contains(&(p % 60));
        let samples: Vec<u8> = (0..40 * 60).map(|p| if inside(p) { 200 } else { 10 }).collect();
        tiff.write_image::<colortype::Gray8>(60, 40, &samples).unwrap();
    }
    drop(tiff);
    expect(0, dir.path(), &["run", "threshold.mtm", "stack.tif", "--out", "out", "--format", "roi,coco,ome-tiff"]);
    let out = dir.path().join("out");
    assert_eq!(names_in(&out), ["coco.json", "stack_p0001.ome.tif", "stack_p0002.ome.tif", "stack_rois.zip"]);
    let mut zip = zip::ZipArchive::new(File::open(out.join("stack_rois.zip")).unwrap()).unwrap();
    for (name, slice, left) in [("0001-00001.roi", 1, 5), ("0002-00001.roi", 2, 30)] {
        let mut roi = Vec::new();
        zip.by_name(name).unwrap().read_to_end(&mut roi).unwrap();
        // A traced region: top, left, bottom, right, four corners; then its slice.
        assert_eq!(roi[..18], [&b"Iout\0\xe4\x08\0\0\x08\0"[..], &[left, 0, 16, 0, left + 8, 0, 4]].concat());
        assert_eq!(roi[56..60], [0, 0, 0, slice]);
    }
    let pages: Vec<_> = open(&out.join("stack_p0002.ome.tif")).unwrap().map(Result::unwrap).collect();
    assert_eq!((pages.len(), pages[0].sample(8 * 60 + 30), pages[1].sample(8 * 60 + 30)), (2, 200, 1));
}

#[cfg(feature = "zarr")]
#[test]
fn ome_zarr_reads_back() {
    use std::sync::Arc;
    use zarrs::array::Array;
    use zarrs::filesystem::FilesystemStore;

    let dir = ran("1", &["--format", "labels,ome-zarr", "--pixel-size-um", "0.65"]);
    let out = dir.path().join("out");
    let path = out.join("simulated_0000.ome.zarr");
    let store = Arc::new(FilesystemStore::new(&path).unwrap());
    let array = Array::open(store.clone(), "/0").unwrap();
    let samples: Vec<u8> = array.retrieve_array_subset(&array.subset_all()).unwrap();
    let frame = open(&dir.path().join("sim/images/simulated_0000.png")).unwrap().next().unwrap().unwrap();
    assert_eq!(frame.samples(), &Samples::U8(samples));
    let array = Array::open(store, "/labels/objects/0").unwrap();
    let labels: Vec<u16> = array.retrieve_array_subset(&array.subset_all()).unwrap();
    let (_, _, expected) = read_labels(&out.join("simulated_0000_labels.png")).unwrap();
    assert!(labels.iter().map(|&label| u32::from(label)).eq(expected));
    let ome = &json(&path.join("zarr.json"))["attributes"]["ome"];
    assert_eq!(ome["version"], "0.5");
    assert_eq!(
        ome["multiscales"][0]["datasets"][0]["coordinateTransformations"][0]["scale"],
        serde_json::json!([0.65, 0.65])
    );
}

#[test]
fn what_cannot_be_asked_for_is_said_before_anything_is_done() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    fs::write(dir.path().join("bad.toml"), "ship = \"Tara\"\n").unwrap();
    let run = ["run", "threshold.mtm", "x.png", "--out", "out"];
    for (arguments, reason) in [
        (&["--format", "csv,word"][..], "'word'"),
        (&["--metadata", "bad.toml"], "--format ecotaxa"),
        (&["--format", "ecotaxa", "--metadata", "bad.toml"], "bad.toml: `ship`: expected a name that begins with"),
        (&["--format", "ecotaxa", "--metadata", "none.toml"], "none.toml: No such file"),
    ] {
        let (_, err) = expect(2, dir.path(), &[&run[..], arguments].concat());
        assert!(err.contains(reason), "{err}");
        assert!(!dir.path().join("out").exists());
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_one_sentence() {
    let dir = tempfile::tempdir().unwrap();
    plan_in(dir.path());
    // Not by permissions, which a test that runs as root passes over: /proc takes no files of anybody's.
    let (out, err) = expect(3, dir.path(), &["run", "threshold.mtm", "x.png", "--out", "/proc/microtome"]);
    assert!(out.is_empty() && err.starts_with("microtome: cannot write /proc/microtome: "), "{err}");
    assert_eq!(err.lines().count(), 1, "{err}");
}

#[test]
fn a_full_disk_leaves_whole_files_only() {
    let dir = ran("1", &["--format", "csv"]);
    let formats =
        ["masks", "labels", "label-tiff", "overlay", "csv", "jsonl", "ecotaxa", "roi", "geojson", "coco", "ome-tiff"];
    for format in formats.into_iter().chain(cfg!(feature = "zarr").then_some("ome-zarr")) {
        // A limit of 512 bytes per file, and the signal that comes with it ignored, fails a write as a full disk does.
        let line = format!(
            "trap '' XFSZ; ulimit -f 1; exec {} run nuclei.mtm sim/images --out full --format {format}",
            env!("CARGO_BIN_EXE_microtome")
        );
        let output = Command::new("sh").args(["-c", &line]).current_dir(dir.path()).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(3), "{format}: {err}");
        assert!(err.starts_with("microtome: cannot write full/") && err.contains("File too large"), "{format}: {err}");
        assert_eq!(err.lines().count(), 1, "{err}");
        assert!(names_in(&dir.path().join("full")).is_empty(), "{format}");
    }
}

/// What a recording gives its outputs of a frame of one object.
struct Frame {
    image: Image,
    mask: Mask,
    found: Found,
}

impl Frame {
    fn new() -> Self {
        let image = Image::new(1, 2, Channels::Grey, Samples::U8(vec![5, 7])).unwrap();
        let mask = Mask { height: 1, width: 2, classes: vec![1, 1] };
        let found = find(Task::Components { min_area: 1 }, &mask, &image).unwrap();
        Frame { image, mask, found }
    }

    fn item(&self) -> Item<'_> {
        Item::new("frame", &self.image, &self.mask, &self.found)
    }
}

/// Appends frames to a table, in a process whose files hold eight blocks of 512 bytes; returns how many it took.
fn frames_on_a_small_disk(path: &Path, test: &str) -> usize {
    let line = format!("trap '' XFSZ; ulimit -f 8; exec \"$0\" --exact {test} --nocapture");
    let output = Command::new("sh")
        .args([Path::new("-c"), Path::new(&line), &std::env::current_exe().unwrap()])
        .env(PATH, path)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{text}");
    let (_, count) = text.split_once("frames: ").unwrap();
    count.lines().next().unwrap().parse().unwrap()
}

const PATH: &str = "MICROTOME_TEST_PATH";

#[test]
fn a_growing_table_keeps_its_complete_lines_on_a_full_disk() {
    let Some(path) = std::env::var_os(PATH) else {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("objects.jsonl");
        let count = frames_on_a_small_disk(&path, "a_growing_table_keeps_its_complete_lines_on_a_full_disk");
        let text = fs::read_to_string(&path).unwrap();
        assert!(count > 4 && text.ends_with('\n') && text.lines().count() == count, "{count} frames: {text}");
        assert!(text.lines().all(|line| serde_json::from_str::<Json>(line).unwrap()["frame"] == "frame"));
        return;
    };
    let frame = Frame::new();
    let mut lines = JsonLines::append_to(Path::new(&path), Columns::default()).unwrap();
    let mut count = 0;
    let error = loop {
        match lines.frame(&frame.item()) {
            Ok(()) => count += 1,
            Err(error) => break error,
        }
    };
    assert!(error.to_string().contains("File too large"), "{error}");
    // It can go on when there is room again, and until then says that there is none.
    assert!(lines.frame(&frame.item()).is_err());
    println!("frames: {count}");
}

#[test]
fn a_frame_that_cannot_be_written_leaves_the_frames_before() {
    let dir = tempfile::tempdir().unwrap();
    let frame = Frame::new();
    let settings = Settings { formats: vec![Format::Masks, Format::Csv], ..Settings::default() };
    let mut results = Results::open(dir.path(), &settings).unwrap();
    results.frame(&frame.item()).unwrap();
    let mut lost = frame.item();
    lost.name = "no/such/folder";
    assert!(results.frame(&lost).unwrap_err().to_string().contains("No such file"));
    assert_eq!(names_in(dir.path()), ["frame_mask.png"]);
    assert!(results.frame(&frame.item()).unwrap_err().to_string().ends_with("an output failed before"));
    assert!(results.finish().is_err());
}
