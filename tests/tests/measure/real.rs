//! Masks made of real label images, where there are any.

use std::path::{Path, PathBuf};

use microtome_core::measure::Task;

use crate::naive;
use crate::stream::{Image, intensities, stream};

/// Label images taken of each folder: the naive reference is slow.
const IMAGES: usize = 4;

fn data() -> Option<PathBuf> {
    if let Some(folder) = std::env::var_os("MICROTOME_DATA") {
        return Some(folder.into());
    }
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    beside.is_dir().then_some(beside)
}

fn label_images(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "png"));
    paths.sort();
    let step = paths.len().div_ceil(IMAGES).max(1);
    paths.into_iter().step_by(step).collect()
}

/// A grey PNG of 8 or 16 bits.
fn read_labels(path: &Path) -> Image<u16> {
    let file = std::io::BufReader::new(std::fs::File::open(path).expect("a readable label image"));
    let mut reader = png::Decoder::new(file).read_info().expect("a PNG");
    let mut bytes = vec![0; reader.output_buffer_size().expect("a size")];
    let info = reader.next_frame(&mut bytes).expect("a whole PNG");
    bytes.truncate(info.buffer_size());
    assert_eq!(info.color_type, png::ColorType::Grayscale, "{}", path.display());
    let pixels = match info.bit_depth {
        png::BitDepth::Eight => bytes.into_iter().map(u16::from).collect(),
        png::BitDepth::Sixteen => bytes.chunks_exact(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect(),
        depth => panic!("{}: {depth:?} bits, expected 8 or 16", path.display()),
    };
    Image { height: info.height as usize, width: info.width as usize, pixels }
}

/// Interior (1) where everything within `border` px is the same object; the rest of the objects is border (2).
fn three_classes(labels: &Image<u16>, border: usize) -> Image<u8> {
    let (height, width) = (labels.height, labels.width);
    let alone = |y: usize, x: usize, label: u16| {
        (y.saturating_sub(border)..height.min(y + border + 1)).all(|y| {
            labels.row(y)[x.saturating_sub(border)..width.min(x + border + 1)].iter().all(|&other| other == label)
        })
    };
    let class = |n: usize| match labels.pixels[n] {
        0 => 0,
        label if alone(n / width, n % width, label) => 1,
        _ => 2,
    };
    Image { height, width, pixels: (0..height * width).map(class).collect() }
}

#[test]
fn real_masks_are_measured_as_by_the_reference() {
    let Some(data) = data() else {
        println!("no data: MICROTOME_DATA is not set, and there is no shared/data beside the repository");
        return;
    };
    let (mut masks, mut objects) = (0, 0);
    for folder in ["nuclei", "phase"] {
        for path in label_images(&data.join(folder).join("labels")) {
            let labels = read_labels(&path);
            let pixels = intensities(labels.height, labels.width);
            for (border, task) in [
                (0, Task::Components { min_area: 0 }),
                (1, Task::InteriorBorder { object: 1, border: 2, grow_px: 1.5, min_area: 12 }),
                (2, Task::InteriorBorder { object: 1, border: 2, grow_px: 2.5, min_area: 12 }),
            ] {
                let mask = three_classes(&labels, border);
                let (labels, figures) = naive::measure(task, &mask, &pixels);
                let name = format!("{}, {task:?}", path.display());
                let found = stream(task, &mask, &pixels).unwrap_or_else(|e| panic!("{name}: {e}"));
                naive::compare(&found, &labels, &figures).unwrap_or_else(|e| panic!("{name}: {e}"));
                masks += 1;
                objects += figures.len();
            }
        }
    }
    println!("{masks} masks, {objects} objects");
    assert!(masks > 0, "{}: no label images", data.display());
}
