//! `coco.json`: the annotations of all frames, in the format of COCO.
//!
//! An object without holes is polygons; one with holes is run lengths, because COCO's polygons have none. Categories are the model's classes,
//! under their numbers. Annotations go to the file as frames come; only the list of images waits in memory.

use std::collections::BTreeSet;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use microtome_core::measure::Object;
use serde_json::{Map, Value as Json, json};

use super::atomic::Temporary;
use super::results::Writer;
use super::{Batch, Item, Settings};
use crate::error::{Error, Result};

pub(super) struct Coco {
    path: PathBuf,
    writer: BufWriter<Temporary>,
    settings: Settings,
    images: Vec<Json>,
    annotations: usize,
    classes: BTreeSet<u8>,
}

impl Coco {
    pub fn new(path: &Path, settings: Settings) -> Result<Self> {
        let mut writer = BufWriter::new(Temporary::for_path(path)?);
        writer.write_all(b"{\"annotations\":[").map_err(|e| Error::output(path, e))?;
        // Also a class that no object has is a category, or files of two runs could not be joined.
        let named = (0..=u8::MAX).zip(&settings.classes).skip(1).filter(|(_, name)| !name.is_empty());
        let classes = named.map(|(class, _)| class).collect();
        Ok(Coco { path: path.into(), writer, settings, images: Vec::new(), annotations: 0, classes })
    }

    fn add(&mut self, item: &Item<'_>) -> io::Result<()> {
        let image = self.images.len() + 1;
        let file = item.file.filter(|_| item.page.is_none()).and_then(Path::file_name);
        let mut entry = json!({
            "id": image,
            "file_name": file.map_or_else(|| item.name.into(), |name| name.to_string_lossy()),
            "width": item.image.width(),
            "height": item.image.height(),
        });
        if let Some(time) = item.time {
            entry["date_captured"] = humantime::format_rfc3339_seconds(time).to_string().into();
        }
        self.images.push(entry);
        for (label, object) in item.objects() {
            self.classes.insert(object.class());
            self.annotations += 1;
            let bounds = object.bounding_box();
            let mut annotation = json!({
                "id": self.annotations,
                "image_id": image,
                "category_id": object.class(),
                "segmentation": segmentation(item, label, object),
                "area": object.area(),
                "bbox": [bounds.left, bounds.top, bounds.right - bounds.left, bounds.bottom - bounds.top],
                "iscrowd": 0,
            });
            let extra = &self.settings.columns.extra;
            let extra: Map<String, Json> =
                extra.iter().filter_map(|name| Some((name.clone(), item.extra(name, label)?.into()))).collect();
            if !extra.is_empty() {
                annotation["attributes"] = extra.into();
            }
            self.writer.write_all(if self.annotations == 1 { b"\n" } else { b",\n" })?;
            serde_json::to_writer(&mut self.writer, &annotation)?;
        }
        Ok(())
    }

    fn end(&mut self) -> io::Result<()> {
        let categories: Vec<Json> =
            self.classes.iter().map(|&class| json!({ "id": class, "name": self.settings.class_name(class) })).collect();
        self.writer.write_all(b"\n],\n\"categories\":")?;
        serde_json::to_writer(&mut self.writer, &categories)?;
        self.writer.write_all(b",\n\"images\":")?;
        serde_json::to_writer(&mut self.writer, &self.images)?;
        self.writer.write_all(b",\n\"info\":")?;
        let info = json!({ "description": concat!("microtome ", env!("CARGO_PKG_VERSION")) });
        serde_json::to_writer(&mut self.writer, &info)?;
        self.writer.write_all(b"}\n")
    }
}

impl Writer for Coco {
    fn frame(&mut self, item: &Item<'_>, _: &mut Batch) -> Result<()> {
        self.add(item).map_err(|e| Error::output(&self.path, e))
    }

    fn finish(mut self: Box<Self>, files: &mut Batch) -> Result<()> {
        self.end().map_err(|e| Error::output(&self.path, e))?;
        let file = self.writer.into_inner().map_err(|e| Error::output(&self.path, e.into_error()))?;
        files.add(&self.path, file);
        Ok(())
    }
}

fn segmentation(item: &Item<'_>, label: usize, object: &Object) -> Json {
    let polygons = item.polygons(label);
    if polygons.iter().all(|polygon| polygon.holes.is_empty()) {
        return polygons.iter().map(|polygon| json!(polygon.outer.corners().concat())).collect();
    }
    json!({ "size": [item.image.height(), item.image.width()], "counts": run_lengths(item, label, object) })
}

/// Pixels outside and inside in turn, down the columns.
fn run_lengths(item: &Item<'_>, label: usize, object: &Object) -> Vec<usize> {
    let (height, width) = (item.image.height(), item.image.width());
    let bounds = object.bounding_box();
    let mut runs = Vec::new();
    let mut end = 0;
    for x in usize::from(bounds.left)..bounds.right.into() {
        for y in usize::from(bounds.top)..bounds.bottom.into() {
            let at = x * height + y;
            match (usize::from(item.found.labels[y * width + x]) == label, runs.last_mut()) {
                (false, _) => continue,
                (true, Some(run)) if end == at => *run += 1,
                (true, _) => runs.extend([at - end, 1]),
            }
            end = at + 1;
        }
    }
    runs.push(height * width - end);
    runs
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sample;
    use super::*;

    #[test]
    fn holes_become_run_lengths_and_pieces_polygons() {
        let dir = tempfile::tempdir().unwrap();
        let sample = Sample::new();
        let path = dir.path().join("coco.json");
        let classes = vec!["background".into(), "cell".into(), "".into(), "never".into()];
        let mut coco = Box::new(Coco::new(&path, Settings { classes, ..Settings::default() }).unwrap());
        let mut files = Batch::default();
        coco.frame(&sample.item("f"), &mut files).unwrap();
        coco.finish(&mut files).unwrap();
        files.commit().unwrap();
        let json: Json = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let annotation = |index: usize| &json["annotations"][index];
        // Columns of four pixels: three of the object and one not, but for the hole in the second.
        assert_eq!(annotation(0)["segmentation"]["counts"], json!([0, 3, 1, 1, 1, 1, 1, 3, 13]));
        assert_eq!(annotation(1)["segmentation"].as_array().unwrap().len(), 2);
        assert_eq!(annotation(1)["bbox"], json!([4, 1, 2, 2]));
        let category = |id: u8, name: &str| json!({ "id": id, "name": name });
        assert_eq!(json["categories"], json!([category(1, "cell"), category(2, "class 2"), category(3, "never")]));
        assert_eq!(json["images"][0]["file_name"], "f");
    }
}
