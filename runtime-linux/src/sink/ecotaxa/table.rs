//! The table: names in the first line, types in the second, then a line per object.

use std::f64::consts::PI;

use microtome_core::measure::Object;

use super::super::{Item, Settings};
use crate::outline::filled_area;

/// What EcoTaxa takes a column for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
}

/// An object and what follows from it for several columns.
struct Subject<'s> {
    object: &'s Object,
    label: usize,
    /// Pixels with those of its holes.
    filled: f64,
    width: f64,
    height: f64,
}

impl Subject<'_> {
    fn area(&self) -> f64 {
        self.object.area().into()
    }

    fn circularity(&self, area: f64) -> f64 {
        let perimeter = self.object.perimeter();
        4.0 * PI * area / (perimeter * perimeter)
    }
}

type Figure = (&'static str, fn(&Subject<'_>) -> f64);

/// Figures by the names and definitions of the PlanktoScope's segmenter: `area_exc` are an object's pixels, `area` those with its holes, and
/// `%area` is the holes' share. The grey levels (`mean`, `min`, `max`) are ZooProcess's. A figure that has no value (the circularity of a pixel,
/// which has no perimeter) is left empty.
const FIGURES: [Figure; 29] = [
    ("label", |s| s.label as f64),
    ("width", |s| s.width),
    ("height", |s| s.height),
    ("bx", |s| s.object.bounding_box().left.into()),
    ("by", |s| s.object.bounding_box().top.into()),
    ("circ.", |s| s.circularity(s.filled)),
    ("area_exc", |s| s.area()),
    ("area", |s| s.filled),
    ("%area", |s| 1.0 - s.area() / s.filled),
    ("major", |s| s.object.ellipse().major),
    ("minor", |s| s.object.ellipse().minor),
    ("y", |s| s.object.centroid().row),
    ("x", |s| s.object.centroid().column),
    ("perim.", |s| s.object.perimeter()),
    ("elongation", |s| s.object.ellipse().major / s.object.ellipse().minor),
    ("perimareaexc", |s| s.object.perimeter() / s.area()),
    ("perimmajor", |s| s.object.perimeter() / s.object.ellipse().major),
    ("circex", |s| s.circularity(s.area())),
    ("angle", |s| s.object.ellipse().orientation.to_degrees() + 90.0),
    ("bounding_box_area", |s| s.width * s.height),
    ("eccentricity", |s| s.object.ellipse().eccentricity),
    ("equivalent_diameter", |s| s.object.equivalent_diameter()),
    ("extent", |s| s.area() / (s.width * s.height)),
    ("local_centroid_col", |s| s.object.centroid().column - f64::from(s.object.bounding_box().left)),
    ("local_centroid_row", |s| s.object.centroid().row - f64::from(s.object.bounding_box().top)),
    ("mean", |s| s.object.intensity().map_or(f64::NAN, |i| i.mean)),
    ("min", |s| s.object.intensity().map_or(f64::NAN, |i| i.min.into())),
    ("max", |s| s.object.intensity().map_or(f64::NAN, |i| i.max.into())),
    ("touches_border", |s| f64::from(u8::from(s.object.touches_border()))),
];

/// Its columns, in order.
pub(super) struct Table {
    columns: Vec<(String, Kind)>,
}

impl Table {
    pub fn new(settings: &Settings) -> Self {
        let own = |name: &str, kind| (name.to_owned(), kind);
        let mut columns =
            vec![own("img_file_name", Kind::Text), own("img_rank", Kind::Number), own("object_id", Kind::Text)];
        if settings.columns.time {
            columns.extend([own("object_date", Kind::Text), own("object_time", Kind::Text)]);
        }
        columns.push(own("object_class", Kind::Text));
        let figures = FIGURES.iter().map(|(name, _)| *name).chain(settings.columns.extra.iter().map(String::as_str));
        columns.extend(figures.map(|name| (format!("object_{name}"), Kind::Number)));
        columns.extend([own("process_pixel", Kind::Text), own("process_software", Kind::Text)]);
        for (name, field) in settings.metadata.fields() {
            if !columns.iter().any(|(known, _)| known == name) {
                columns.push((name.into(), if field.is_number { Kind::Number } else { Kind::Text }));
            }
        }
        Table { columns }
    }

    /// The first two lines.
    pub fn header(&self) -> Vec<u8> {
        let kinds = self.columns.iter().map(|(_, kind)| if *kind == Kind::Number { "[f]" } else { "[t]" });
        [row(self.columns.iter().map(|(name, _)| name.as_str())), row(kinds)].concat()
    }

    /// The line of object `label`, whose vignette is `file`.
    pub fn line(&self, file: &str, item: &Item<'_>, label: usize, object: &Object, settings: &Settings) -> Vec<u8> {
        let bounds = object.bounding_box();
        let subject = Subject {
            object,
            label,
            filled: filled_area(item.polygons(label)) as f64,
            width: (bounds.right - bounds.left).into(),
            height: (bounds.bottom - bounds.top).into(),
        };
        let time = item.time.map(|time| humantime::format_rfc3339_seconds(time).to_string().replace(['-', ':'], ""));
        // 20261126T144647Z
        let (date, time) = time.as_deref().map_or(("", ""), |time| (&time[..8], &time[9..15]));
        let acquisition = settings.metadata.text("acq_id");
        let values = self.columns.iter().map(|(name, _)| match name.as_str() {
            "img_file_name" => file.into(),
            "img_rank" => "1".into(),
            // Frames of several acquisitions have the same names, and objects of a project must not.
            "object_id" => match acquisition {
                Some(id) => format!("{id}_{}_{label}", item.name),
                None => format!("{}_{label}", item.name),
            },
            "object_date" if settings.columns.time => date.into(),
            "object_time" if settings.columns.time => time.into(),
            "object_class" => settings.class_name(object.class()),
            "process_pixel" => match item.pixel_size_um {
                Some(size) => size.to_string(),
                None => settings.metadata.text(name).unwrap_or_default().into(),
            },
            "process_software" => concat!("microtome ", env!("CARGO_PKG_VERSION")).into(),
            name => figure(name, &subject, item, settings),
        });
        row(values.collect::<Vec<_>>().iter().map(String::as_str))
    }
}

/// A column of the object, or one that is the same for all.
fn figure(column: &str, subject: &Subject<'_>, item: &Item<'_>, settings: &Settings) -> String {
    let name = column.strip_prefix("object_").unwrap_or_default();
    if let Some((_, figure)) = FIGURES.iter().find(|(known, _)| *known == name) {
        return Some(figure(subject)).filter(|value| value.is_finite()).map_or_else(String::new, |v| v.to_string());
    }
    if settings.columns.extra.iter().any(|extra| extra == name) {
        return item.extra(name, subject.label).map_or_else(String::new, |v| v.to_string());
    }
    settings.metadata.text(column).unwrap_or_default().into()
}

/// EcoTaxa reads tabs between fields, and no quotes.
fn row<'s>(fields: impl Iterator<Item = &'s str>) -> Vec<u8> {
    let mut line = fields.collect::<Vec<_>>().join("\t").replace(['\n', '\r'], " ");
    line.push('\n');
    line.into_bytes()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::super::super::Columns;
    use super::super::super::tests::Sample;
    use super::*;

    #[test]
    fn a_line_has_what_the_header_says() {
        let sample = Sample::new();
        let mut item = sample.item("f");
        let extra = sample.extra("focus", 0.25);
        item.extra = &extra;
        item.pixel_size_um = Some(0.7);
        item.time = Some(UNIX_EPOCH + Duration::from_secs(86_400 + 3_600));
        let settings = Settings { columns: Columns { time: true, extra: vec!["focus".into()] }, ..Settings::default() };
        let table = Table::new(&settings);
        let (label, object) = item.objects().next().unwrap();
        let text = [table.header(), table.line("f_00001.png", &item, label, object, &settings)].concat();
        let text = String::from_utf8(text).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
        let value = |name: &str| {
            let at = lines[0].iter().position(|column| *column == name).unwrap();
            (lines[1][at], lines[2][at])
        };
        assert!(lines.iter().all(|line| line.len() == lines[0].len()));
        // A ring of eight pixels around one.
        assert_eq!(value("object_area_exc"), ("[f]", "8"));
        assert_eq!(value("object_area"), ("[f]", "9"));
        assert_eq!(value("object_id"), ("[t]", "f_1"));
        assert_eq!(value("object_focus"), ("[f]", "0.25"));
        assert_eq!((value("object_date").1, value("object_time").1), ("19700102", "010000"));
        assert_eq!(value("process_pixel").1, "0.7");
        let (label, object) = item.objects().nth(2).unwrap();
        let line = String::from_utf8(table.line("x", &item, label, object, &settings)).unwrap();
        assert!(!line.contains("NaN") && !line.contains("inf"), "{line}");
    }
}
