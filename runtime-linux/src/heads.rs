//! Objects from networks whose outputs are no class mask: StarDist's star-convex polygons, Cellpose's flows.
//!
//! ```text
//! frame ─▶ engine ─▶ fields ─▶ heads ─▶ labels ─▶ objects, as of any other model
//!                    float     stars: suppress, paint
//!                              flows: follow, gather, judge
//! ```
//!
//! The network runs row by row, or in tract; this needs its outputs whole, in float, and runs on a host only. What comes out is a label image
//! that goes through [`objects::labelled`](crate::objects::labelled), so tables, outlines and scores are those of every model. Objects are
//! of class 1.
//!
//! A description chooses a method with `task = "star-convex"` or `task = "flows"` under `[output]`. A plan keeps it as a line `objects=` of its
//! provenance, as core has no part in it.
//!
//! After the network, a 640x480 frame with 125 nuclei takes 12 ms of one core as stars on every second pixel (4,159 of them above the threshold),
//! and 210 ms as flows, 30 of them to judge (52,000 pixels, 200 steps): x86-64, AMD EPYC, one run on a machine shared with other work.

pub mod flows;
pub mod stars;

use std::fmt;
use std::str::FromStr;

use microtome_core::plan::Post;

use crate::objects::Found;
use crate::objects::labelled::labelled;
use crate::source::Image;

/// An output of a network, for one frame: `[channels, rows, width]` real values.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Values per place.
    pub channels: usize,
    /// Rows.
    pub rows: usize,
    /// Places per row.
    pub width: usize,
    /// `channels × rows × width` values.
    pub values: Vec<f32>,
}

impl Field {
    /// All values of a channel, row by row.
    ///
    /// # Panics
    /// There is no such channel.
    pub fn plane(&self, channel: usize) -> &[f32] {
        let places = self.rows * self.width;
        &self.values[channel * places..][..places]
    }

    /// Pixels of a frame of `[rows, width]` per place, down and across: 2 where the field has half of the frame's sides, rounded up.
    ///
    /// # Errors
    /// One sentence when the sides are no such part of the frame's.
    pub fn stride(&self, frame: [usize; 2]) -> Result<[usize; 2], String> {
        let of = |frame: usize, side: usize| {
            let stride = frame.div_ceil(side.max(1));
            (stride > 0 && frame.div_ceil(stride) == side).then_some(stride)
        };
        match [of(frame[0], self.rows), of(frame[1], self.width)] {
            [Some(down), Some(across)] => Ok([down, across]),
            _ => Err(format!(
                "an output of {}x{} for a frame of {}x{}; expected the frame's sides, divided by a whole number",
                self.width, self.rows, frame[1], frame[0]
            )),
        }
    }
}

/// The channels of all fields, for messages.
fn channels(fields: &[Field]) -> String {
    match fields {
        [] => "no output".into(),
        [field] => format!("one output, of {} channels", field.channels),
        _ => {
            let all: Vec<String> = fields.iter().map(|field| field.channels.to_string()).collect();
            format!("outputs of {} channels", all.join(", "))
        }
    }
}

/// A label for every pixel of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labels {
    /// `rows × width` labels; 0 is no object.
    pub labels: Vec<u32>,
    /// The largest label; some may have no pixels.
    pub count: usize,
}

/// How objects are found in fields, apart from their threshold and least area.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Polygons around their centres.
    StarConvex {
        /// Of two stars that share more than this part of the smaller one, the less probable goes.
        overlap: f32,
    },
    /// Pixels that flow to the same place.
    Flows {
        /// Steps that a pixel takes.
        steps: u32,
        /// An object whose flows are, in the mean, farther from those that its shape asks for is none; 0 lets all be.
        flow_error: f32,
    },
}

impl Method {
    /// What a plan's provenance says; `None` where objects are made of a class mask.
    ///
    /// # Errors
    /// One sentence when its line cannot be read.
    pub fn of(provenance: &str) -> Result<Option<Method>, String> {
        provenance.lines().find_map(|line| line.strip_prefix("objects=")).map(str::parse).transpose()
    }
}

impl FromStr for Method {
    type Err = String;

    /// Reads what [`Display`](fmt::Display) writes: the method, and its rules as `key=value`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("objects are made by `{text}`; expected star-convex or flows, each with all of its rules");
        let mut words = text.split(' ');
        let name = words.next();
        let rules: Vec<(&str, &str)> = words.filter_map(|word| word.split_once('=')).collect();
        let rule = |key: &str| rules.iter().find(|rule| rule.0 == key).map(|rule| rule.1).ok_or_else(wrong);
        let real = |key: &str| rule(key)?.parse().ok().filter(|v: &f32| v.is_finite()).ok_or_else(wrong);
        match name {
            Some("star-convex") => Ok(Method::StarConvex { overlap: real("overlap")? }),
            Some("flows") => Ok(Method::Flows {
                steps: rule("steps")?.parse().map_err(|_| wrong())?,
                flow_error: real("flow_error")?,
            }),
            _ => Err(wrong()),
        }
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Method::StarConvex { overlap } => write!(f, "star-convex overlap={overlap}"),
            Method::Flows { steps, flow_error } => write!(f, "flows steps={steps} flow_error={flow_error}"),
        }
    }
}

/// How objects are made of a network's outputs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Heads {
    /// The method.
    pub method: Method,
    /// The probability above which a place is an object's.
    pub threshold: f32,
    /// Smallest object, in pixels.
    pub min_area: u32,
}

impl Heads {
    /// Of a method, and what a model's post-processing record says.
    pub fn new(method: Method, post: &Post) -> Heads {
        Heads { method, threshold: post.threshold, min_area: post.min_area }
    }

    /// The labels that `fields` give for a frame of `[rows, width]`.
    ///
    /// # Errors
    /// One sentence when their number, channels or sides are not the method's.
    pub fn labels(&self, fields: &[Field], frame: [usize; 2]) -> Result<Labels, String> {
        match self.method {
            Method::StarConvex { overlap } => stars::labels(fields, frame, self.threshold, overlap),
            Method::Flows { steps, flow_error } => {
                flows::labels(fields, frame, &flows::Rules { threshold: self.threshold, steps, flow_error })
            }
        }
    }

    /// The objects that `fields` give for `image`.
    ///
    /// # Errors
    /// Those of [`labels`](Self::labels), and one sentence when there are too many objects.
    pub fn find(&self, fields: &[Field], image: &Image) -> Result<Found, String> {
        let Labels { labels, count } = self.labels(fields, [image.height(), image.width()])?;
        let mut found = labelled(&labels, count, image)?;
        found.retain(|object| object.area() >= self.min_area);
        Ok(found)
    }
}

#[cfg(test)]
mod tests;
