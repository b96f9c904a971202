//! OME-Zarr 0.5: the frame as an image with axes (c,) y, x, and its labels below it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use zarrs::array::codec::GzipCodec;
use zarrs::array::{ArrayBuilder, DataType, Element, FillValue, data_type};
use zarrs::filesystem::FilesystemStore;
use zarrs::group::GroupBuilder;

use super::atomic::{folder_of, temporary_folder, underlying};
use super::results::Writer;
use super::{Batch, Item};
use crate::error::{Error, Result};
use crate::source::{Channels, Samples};

/// Pixels along a chunk's sides.
const CHUNK: usize = 1024;
const COMPRESSION: u32 = 1;
/// The name of the label image.
const LABELS: &str = "objects";

type Failure = Box<dyn std::error::Error + Send + Sync>;

pub(super) struct OmeZarr {
    folder: PathBuf,
}

impl OmeZarr {
    pub fn new(folder: &Path) -> Self {
        OmeZarr { folder: folder.into() }
    }
}

impl Writer for OmeZarr {
    fn frame(&mut self, item: &Item<'_>, files: &mut Batch) -> Result<()> {
        let path = self.folder.join(format!("{}.ome.zarr", item.name));
        let fail = |e: Failure| Error::output(&path, underlying(e));
        let folder = temporary_folder(folder_of(&path)).map_err(|e| fail(e.into()))?;
        fill(folder.path(), item).map_err(fail)?;
        files.add_folder(&path, folder);
        Ok(())
    }
}

fn fill(folder: &Path, item: &Item<'_>) -> Result<(), Failure> {
    let store = Arc::new(FilesystemStore::new(folder)?);
    group(&store, "/", json!({ "version": "0.5", "multiscales": [multiscale(item, item.name, axes(item))] }))?;
    match item.image.samples() {
        Samples::U8(v) => array(&store, "/0", item, data_type::uint8(), 0_u8, &planes(item, v))?,
        Samples::U16(v) => array(&store, "/0", item, data_type::uint16(), 0_u16, &planes(item, v))?,
    }
    group(&store, "/labels", json!({ "version": "0.5", "labels": [LABELS] }))?;
    let at = format!("/labels/{LABELS}");
    let image_label = json!({ "source": { "image": "../../" } });
    let metadata =
        json!({ "version": "0.5", "multiscales": [multiscale(item, LABELS, &["y", "x"])], "image-label": image_label });
    group(&store, &at, metadata)?;
    array(&store, &format!("{at}/0"), item, data_type::uint16(), 0_u16, &item.found.labels)
}

fn axes(item: &Item<'_>) -> &'static [&'static str] {
    match item.image.channels() {
        Channels::Grey => &["y", "x"],
        Channels::Rgb => &["c", "y", "x"],
    }
}

/// One resolution, the frame's own.
fn multiscale(item: &Item<'_>, name: &str, axes: &[&str]) -> Json {
    let described: Vec<Json> = axes
        .iter()
        .map(|&axis| match (axis, item.pixel_size_um) {
            ("c", _) => json!({ "name": axis, "type": "channel" }),
            (_, None) => json!({ "name": axis, "type": "space" }),
            (_, Some(_)) => json!({ "name": axis, "type": "space", "unit": "micrometer" }),
        })
        .collect();
    let scale: Vec<f64> =
        axes.iter().map(|&axis| if axis == "c" { 1.0 } else { item.pixel_size_um.unwrap_or(1.0) }).collect();
    json!({
        "name": name,
        "axes": described,
        "datasets": [{ "path": "0", "coordinateTransformations": [{ "type": "scale", "scale": scale }] }],
    })
}

fn group(store: &Arc<FilesystemStore>, path: &str, ome: Json) -> Result<(), Failure> {
    let attributes: Map<String, Json> = [("ome".to_owned(), ome)].into_iter().collect();
    GroupBuilder::new().attributes(attributes).build(store.clone(), path)?.store_metadata()?;
    Ok(())
}

/// Samples plane by plane, as the axes have them.
fn planes<T: Copy>(item: &Item<'_>, samples: &[T]) -> Vec<T> {
    let channels = item.image.channels().count();
    (0..channels).flat_map(|c| samples.iter().skip(c).step_by(channels).copied()).collect()
}

/// An array of two axes, or of three where there are more samples than pixels.
fn array<T: Element + Into<FillValue>>(
    store: &Arc<FilesystemStore>,
    path: &str,
    item: &Item<'_>,
    kind: DataType,
    fill: T,
    samples: &[T],
) -> Result<(), Failure> {
    let (height, width) = (item.image.height(), item.image.width());
    let channels = samples.len() / (height * width);
    let shape = [channels, height, width].map(|side| side as u64);
    let chunk = [1, height.min(CHUNK), width.min(CHUNK)].map(|side| side as u64);
    let (from, axes) = if channels == 1 { (1, &["y", "x"][..]) } else { (0, &["c", "y", "x"][..]) };
    let array = ArrayBuilder::new(shape[from..].to_vec(), chunk[from..].to_vec(), kind, fill.into())
        .bytes_to_bytes_codecs(vec![Arc::new(GzipCodec::new(COMPRESSION)?)])
        .dimension_names(axes.iter().copied().into())
        .build(store.clone(), path)?;
    array.store_metadata()?;
    array.store_array_subset(&array.subset_all(), samples)?;
    Ok(())
}
