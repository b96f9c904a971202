//! `objects.csv`: one line per object.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use microtome_core::measure::Object;
use serde::Serialize;

use super::atomic::temporary;
use crate::error::{Error, Result};

/// One object as a line of the table. Positions are in pixels from the centre of the first pixel; the box's `max` sides are exclusive.
#[derive(Debug, Clone, Serialize)]
#[allow(missing_docs, reason = "the names are the documentation, and the columns of the table")]
pub struct Record<'f> {
    pub frame: &'f str,
    pub label: usize,
    pub class: u8,
    pub area_px: u32,
    pub centroid_x: f64,
    pub centroid_y: f64,
    pub bbox_min_x: u16,
    pub bbox_min_y: u16,
    pub bbox_max_x: u16,
    pub bbox_max_y: u16,
    pub perimeter_px: f64,
    pub major_axis_px: f64,
    pub minor_axis_px: f64,
    pub orientation_rad: f64,
    pub eccentricity: f64,
    pub equivalent_diameter_px: f64,
    pub intensity_min: Option<i32>,
    pub intensity_mean: Option<f64>,
    pub intensity_max: Option<i32>,
    pub touches_border: bool,
    pub area_um2: Option<f64>,
    pub perimeter_um: Option<f64>,
    pub major_axis_um: Option<f64>,
    pub minor_axis_um: Option<f64>,
    pub equivalent_diameter_um: Option<f64>,
}

impl<'f> Record<'f> {
    /// The line of object `label` of `frame`; the columns in µm are empty where the pixel size is not known.
    pub fn new(frame: &'f str, label: usize, object: &Object, pixel_size_um: Option<f64>) -> Self {
        let (centre, bounds, ellipse, intensity) =
            (object.centroid(), object.bounding_box(), object.ellipse(), object.intensity());
        let um = pixel_size_um.map(|size| object.in_um(size));
        Record {
            frame,
            label,
            class: object.class(),
            area_px: object.area(),
            centroid_x: centre.column,
            centroid_y: centre.row,
            bbox_min_x: bounds.left,
            bbox_min_y: bounds.top,
            bbox_max_x: bounds.right,
            bbox_max_y: bounds.bottom,
            perimeter_px: object.perimeter(),
            major_axis_px: ellipse.major,
            minor_axis_px: ellipse.minor,
            orientation_rad: ellipse.orientation,
            eccentricity: ellipse.eccentricity,
            equivalent_diameter_px: object.equivalent_diameter(),
            intensity_min: intensity.map(|i| i.min),
            intensity_mean: intensity.map(|i| i.mean),
            intensity_max: intensity.map(|i| i.max),
            touches_border: object.touches_border(),
            area_um2: um.map(|o| o.area()),
            perimeter_um: um.map(|o| o.perimeter()),
            major_axis_um: um.map(|o| o.ellipse().major),
            minor_axis_um: um.map(|o| o.ellipse().minor),
            equivalent_diameter_um: um.map(|o| o.equivalent_diameter()),
        }
    }
}

/// A table that grows frame by frame and appears under its name when it is finished.
pub struct ObjectTable {
    path: PathBuf,
    writer: csv::Writer<BufWriter<tempfile::NamedTempFile>>,
}

/// The header, for tables without objects too.
const COLUMNS: [&str; 25] = [
    "frame",
    "label",
    "class",
    "area_px",
    "centroid_x",
    "centroid_y",
    "bbox_min_x",
    "bbox_min_y",
    "bbox_max_x",
    "bbox_max_y",
    "perimeter_px",
    "major_axis_px",
    "minor_axis_px",
    "orientation_rad",
    "eccentricity",
    "equivalent_diameter_px",
    "intensity_min",
    "intensity_mean",
    "intensity_max",
    "touches_border",
    "area_um2",
    "perimeter_um",
    "major_axis_um",
    "minor_axis_um",
    "equivalent_diameter_um",
];

impl ObjectTable {
    /// An empty table that will be `path`.
    ///
    /// # Errors
    /// When nothing can be written in its folder.
    pub fn new(path: &Path) -> Result<Self> {
        let folder = path.parent().unwrap_or(Path::new("."));
        let file = temporary(folder).map_err(|e| Error::output(path, e))?;
        let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(BufWriter::new(file));
        writer.write_record(COLUMNS).map_err(|e| Error::output(path, e.into()))?;
        Ok(ObjectTable { path: path.into(), writer })
    }

    /// Adds the objects of a frame; the one at index `i` has label `i + 1`.
    ///
    /// # Errors
    /// When the disk is full.
    pub fn add(&mut self, frame: &str, objects: &[Object], pixel_size_um: Option<f64>) -> Result<()> {
        for (object, label) in objects.iter().zip(1..) {
            let record = Record::new(frame, label, object, pixel_size_um);
            self.writer.serialize(record).map_err(|e| Error::output(&self.path, e.into()))?;
        }
        Ok(())
    }

    /// Puts the table under its name.
    ///
    /// # Errors
    /// When the disk is full; nothing is left behind then.
    pub fn finish(self) -> Result<()> {
        let fail = |e: std::io::Error| Error::output(&self.path, e);
        let buffer = self.writer.into_inner().map_err(|e| fail(e.into_error()))?;
        let file = buffer.into_inner().map_err(|e| fail(e.into_error()))?;
        file.persist(&self.path).map_err(|e| fail(e.error))?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_records_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("objects.csv");
        let image =
            crate::source::Image::new(1, 2, crate::source::Channels::Grey, crate::source::Samples::U8(vec![5, 7]))
                .unwrap();
        let mask = crate::engine::Mask { height: 1, width: 2, classes: vec![1, 1] };
        let found =
            crate::objects::find(microtome_core::measure::Task::Components { min_area: 1 }, &mask, &image).unwrap();
        let mut table = ObjectTable::new(&path).unwrap();
        table.add("a, b", &found.objects, Some(0.5)).unwrap();
        assert!(!path.exists());
        table.finish().unwrap();

        let json = serde_json::to_value(Record::new("a, b", 1, &found.objects[0], Some(0.5))).unwrap();
        let mut reader = csv::Reader::from_path(&path).unwrap();
        assert_eq!(reader.headers().unwrap().len(), json.as_object().unwrap().len());
        let line: std::collections::HashMap<String, String> = reader.deserialize().next().unwrap().unwrap();
        for (column, value) in json.as_object().unwrap() {
            assert_eq!(line[column], value.as_str().map_or_else(|| value.to_string(), Into::into), "{column}");
        }
        assert_eq!((line["intensity_mean"].as_str(), line["area_um2"].as_str()), ("6.0", "0.5"));
    }
}
