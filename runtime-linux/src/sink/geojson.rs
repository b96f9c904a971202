//! Objects as GeoJSON, as QuPath 0.4 and later imports them: detections with a class and measurements, in pixels from the frame's corner.

use std::io::{self, Write};

use serde_json::{Map, Value as Json, json};

use super::overlay::COLOURS;
use super::{Item, Settings};
use crate::outline::{Polygon, Ring};

/// Figures that are no measurements: the object's name and its class say them.
const NAMES: [&str; 2] = ["label", "class"];

pub(super) fn encode(mut to: impl Write, item: &Item<'_>, settings: &Settings) -> io::Result<()> {
    to.write_all(b"{\"type\":\"FeatureCollection\",\"features\":[")?;
    for (label, object) in item.objects() {
        let values = settings.columns.values(item, label, object);
        let measurements: Map<String, Json> = settings
            .columns
            .names()
            .zip(values)
            .filter(|(name, _)| !NAMES.contains(name))
            .filter_map(|(name, value)| Some((name.to_owned(), value.number()?.into())))
            .collect();
        let class = object.class();
        let feature = json!({
            "type": "Feature",
            "geometry": geometry(item.polygons(label)),
            "properties": {
                "objectType": "detection",
                "name": format!("{} {label}", item.name),
                "classification": {
                    "name": settings.class_name(class),
                    "color": COLOURS[usize::from(class.saturating_sub(1)) % COLOURS.len()],
                },
                "measurements": measurements,
            },
        });
        to.write_all(if label == 1 { b"\n" } else { b",\n" })?;
        serde_json::to_writer(&mut to, &feature)?;
    }
    to.write_all(b"\n]}\n")
}

fn geometry(polygons: &[Polygon]) -> Json {
    let rings = |polygon: &Polygon| -> Vec<Json> {
        std::iter::once(&polygon.outer).chain(&polygon.holes).map(closed).collect()
    };
    match polygons {
        [polygon] => json!({ "type": "Polygon", "coordinates": rings(polygon) }),
        _ => json!({ "type": "MultiPolygon", "coordinates": polygons.iter().map(rings).collect::<Vec<_>>() }),
    }
}

/// GeoJSON repeats a ring's first corner at its end.
fn closed(ring: &Ring) -> Json {
    ring.corners().iter().chain(ring.corners().first()).map(|corner| json!(corner)).collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::Sample;
    use super::*;

    #[test]
    fn pieces_and_holes() {
        let sample = Sample::new();
        let mut text = Vec::new();
        encode(&mut text, &sample.item("f"), &Settings::default()).unwrap();
        let json: Json = serde_json::from_slice(&text).unwrap();
        let features = json["features"].as_array().unwrap();
        assert_eq!(features[0]["geometry"]["type"], "Polygon");
        let rings = json!([[[3, 0], [3, 3], [0, 3], [0, 0], [3, 0]], [[1, 1], [1, 2], [2, 2], [2, 1], [1, 1]]]);
        assert_eq!(features[0]["geometry"]["coordinates"], rings);
        assert_eq!(features[1]["geometry"]["type"], "MultiPolygon");
        assert_eq!(features[1]["properties"]["measurements"]["area_px"], 2.0);
        assert_eq!(features[2]["properties"]["classification"], json!({ "name": "class 2", "color": COLOURS[1] }));
    }
}
