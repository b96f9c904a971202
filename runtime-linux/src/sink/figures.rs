//! The figures of an object, each named once: the columns of tables, the keys of JSON, QuPath's measurements.

use std::time::SystemTime;

use microtome_core::measure::{InUm, Object};
use serde::{Serialize, Serializer};

use super::Item;

/// One figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'f> {
    /// Not known.
    None,
    /// A name.
    Text(&'f str),
    /// Something counted.
    Whole(i64),
    /// Something measured.
    Real(f64),
    /// Yes or no.
    Flag(bool),
    /// A moment.
    Time(SystemTime),
}

impl Serialize for Value<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match *self {
            Value::None => to.serialize_none(),
            Value::Text(text) => to.serialize_str(text),
            Value::Whole(number) => to.serialize_i64(number),
            Value::Real(number) => to.serialize_f64(number),
            Value::Flag(flag) => to.serialize_bool(flag),
            Value::Time(time) => to.collect_str(&humantime::format_rfc3339_millis(time)),
        }
    }
}

impl Value<'_> {
    /// The figure as a number, where it is one.
    pub fn number(&self) -> Option<f64> {
        match *self {
            Value::Whole(number) => Some(number as f64),
            Value::Real(number) => Some(number),
            _ => None,
        }
    }
}

/// An object in its frame, and what to say of it.
struct Subject<'s> {
    item: &'s Item<'s>,
    label: usize,
    object: &'s Object,
}

impl Subject<'_> {
    fn um(&self, figure: impl Fn(InUm<'_>) -> f64) -> Value<'static> {
        self.item.pixel_size_um.map_or(Value::None, |size| Value::Real(figure(self.object.in_um(size))))
    }
}

type Figure = (&'static str, for<'s> fn(&Subject<'s>) -> Value<'s>);

/// Which object it is, and what core measures of it: positions in pixels from the centre of the first pixel, the box's `max` sides exclusive.
const FIGURES: [Figure; 25] = [
    ("frame", |s| Value::Text(s.item.name)),
    ("label", |s| Value::Whole(s.label as i64)),
    ("class", |s| Value::Whole(s.object.class().into())),
    ("area_px", |s| Value::Whole(s.object.area().into())),
    ("centroid_x", |s| Value::Real(s.object.centroid().column)),
    ("centroid_y", |s| Value::Real(s.object.centroid().row)),
    ("bbox_min_x", |s| Value::Whole(s.object.bounding_box().left.into())),
    ("bbox_min_y", |s| Value::Whole(s.object.bounding_box().top.into())),
    ("bbox_max_x", |s| Value::Whole(s.object.bounding_box().right.into())),
    ("bbox_max_y", |s| Value::Whole(s.object.bounding_box().bottom.into())),
    ("perimeter_px", |s| Value::Real(s.object.perimeter())),
    ("major_axis_px", |s| Value::Real(s.object.ellipse().major)),
    ("minor_axis_px", |s| Value::Real(s.object.ellipse().minor)),
    ("orientation_rad", |s| Value::Real(s.object.ellipse().orientation)),
    ("eccentricity", |s| Value::Real(s.object.ellipse().eccentricity)),
    ("equivalent_diameter_px", |s| Value::Real(s.object.equivalent_diameter())),
    ("intensity_min", |s| s.object.intensity().map_or(Value::None, |i| Value::Whole(i.min.into()))),
    ("intensity_mean", |s| s.object.intensity().map_or(Value::None, |i| Value::Real(i.mean))),
    ("intensity_max", |s| s.object.intensity().map_or(Value::None, |i| Value::Whole(i.max.into()))),
    ("touches_border", |s| Value::Flag(s.object.touches_border())),
    ("area_um2", |s| s.um(|o| o.area())),
    ("perimeter_um", |s| s.um(|o| o.perimeter())),
    ("major_axis_um", |s| s.um(|o| o.ellipse().major)),
    ("minor_axis_um", |s| s.um(|o| o.ellipse().minor)),
    ("equivalent_diameter_um", |s| s.um(|o| o.equivalent_diameter())),
];

/// The column of [`Item::time`].
const TIME: &str = "time";

/// The columns of a table of objects: core's figures, the time where frames have one, and further columns by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// Whether frames have a time.
    pub time: bool,
    /// The names of [`Extra`](super::Extra) columns.
    pub extra: Vec<String>,
}

impl Columns {
    /// Their names, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let time = self.time.then_some(TIME);
        FIGURES.iter().map(|(name, _)| *name).chain(time).chain(self.extra.iter().map(String::as_str))
    }

    /// The row of an object, in the same order.
    pub fn values<'s>(
        &'s self,
        item: &'s Item<'s>,
        label: usize,
        object: &'s Object,
    ) -> impl Iterator<Item = Value<'s>> {
        let subject = Subject { item, label, object };
        let time = self.time.then(|| item.time.map_or(Value::None, Value::Time));
        let extra = self.extra.iter().map(move |name| item.extra(name, label).map_or(Value::None, Value::Real));
        FIGURES.iter().map(move |(_, figure)| figure(&subject)).chain(time).chain(extra)
    }

    /// Both, as a JSON object; what is not known is left out.
    pub fn object<'s>(&'s self, item: &'s Item<'s>, label: usize, object: &'s Object) -> impl Serialize + 's {
        Row { columns: self, item, label, object }
    }
}

struct Row<'s> {
    columns: &'s Columns,
    item: &'s Item<'s>,
    label: usize,
    object: &'s Object,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let values = self.columns.values(self.item, self.label, self.object);
        to.collect_map(self.columns.names().zip(values).filter(|(_, value)| *value != Value::None))
    }
}
