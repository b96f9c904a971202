//! What an ONNX file does not say: how frames become its input, and what its output means (`model.toml`).

mod diffusion;

use std::path::Path;

use serde::Deserialize;

use crate::error::{Error, Result};

pub use diffusion::{Betas, Condition, Diffusion, Inputs, Prediction, Scheduler, Setting, Spacing};

/// Most steps along a flow.
const MOST_STEPS: u32 = 10_000;

/// The description beside a model. Every key is optional.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default)]
pub struct Description {
    /// The model's name.
    pub name: Option<String>,
    /// Preprocessing.
    pub input: Input,
    /// Meaning of the outputs.
    pub output: Output,
    /// How a model that takes noise out of pictures was trained.
    pub diffusion: Option<Diffusion>,
}

/// `[input]`: a camera value x becomes `(x − low) / (high − low) · gain + offset`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Input {
    /// Channels, where the model leaves them open; otherwise they must agree.
    pub channels: Option<usize>,
    /// Whether `low` and `high` are values or percentiles.
    pub normalization: Normalization,
    /// Becomes 0: a camera value (default 0) or a percentile (default 1).
    pub low: Option<f32>,
    /// Becomes 1: a camera value (default 255) or a percentile (default 99.8).
    pub high: Option<f32>,
    /// Whose percentiles.
    pub of: Of,
    /// Factor per channel, or one for all (default 1).
    pub gain: Vec<f32>,
    /// Added per channel, or one for all (default 0).
    pub offset: Vec<f32>,
    /// Order of colours.
    pub order: Order,
    /// What lies beyond the frame's borders.
    pub borders: Borders,
}

/// `borders`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Borders {
    /// What the network makes of them.
    #[default]
    Network,
    /// The frame, mirrored: for networks of valid convolutions, whose output is smaller than their input
    /// ([`mirrored`](crate::mirrored)).
    Mirror,
}

/// `normalization`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Normalization {
    /// `low` and `high` are camera values.
    #[default]
    Fixed,
    /// `low` and `high` are percentiles of the frame.
    Percentile,
}

/// `of`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Of {
    /// This frame's.
    #[default]
    Frame,
    /// The previous frame's, for video.
    #[serde(alias = "previous-frame", alias = "previous_frame")]
    Previous,
}

/// `order`.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Red first.
    #[default]
    Rgb,
    /// Blue first.
    Bgr,
}

/// `[output]`.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Class names, in the order of their indices.
    pub classes: Vec<String>,
    /// What the first output is. By default: components, if it is as large as the frame, else nothing.
    pub task: Option<Task>,
    /// Class of interiors (default 1).
    pub object: Option<u8>,
    /// Class of borders (default 2).
    pub border: Option<u8>,
    /// Probability above which a pixel is an object's (default 0.5).
    pub threshold: Option<f32>,
    /// Smallest object in pixels (default 0, of flows 15).
    pub min_area: Option<u32>,
    /// How far interiors grow back over the border, in pixels (default 0).
    pub grow: Option<f32>,
    /// Of two stars that share more than this part of the smaller one, the less probable goes (default 0.4).
    pub overlap: Option<f32>,
    /// Steps that a pixel follows the flow (default 200).
    pub steps: Option<u32>,
    /// Objects whose flows are, squared and in the mean, farther from those that their shape asks for are none (default 0.4;
    /// 0 lets all be).
    pub flow_error: Option<f32>,
}

/// `task`.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// No mask.
    None,
    /// Every class but 0 is a kind of object: the largest channel wins, or one channel's probability is thresholded.
    Components,
    /// Three classes: background, interior, border.
    InteriorBorder,
    /// StarDist's: one output of one channel, the probability, and one of the distances along each ray; or both in one.
    StarConvex,
    /// Cellpose's: an output of three channels, the flows down and to the right and a logit.
    Flows,
}

impl Output {
    /// How objects are made of outputs that are no class mask: the method, and its rules as `key=value`, as a plan's
    /// provenance holds them. `None` where they are made of a mask.
    pub fn method(&self) -> Option<String> {
        match self.task? {
            Task::StarConvex => Some(format!("star-convex overlap={}", self.overlap.unwrap_or(0.4))),
            Task::Flows => {
                let (steps, error) = (self.steps.unwrap_or(200), self.flow_error.unwrap_or(0.4));
                Some(format!("flows steps={steps} flow_error={error}"))
            }
            Task::None | Task::Components | Task::InteriorBorder => None,
        }
    }

    /// The smallest object, in pixels.
    pub fn least_area(&self) -> u32 {
        self.min_area.unwrap_or(if self.task == Some(Task::Flows) { 15 } else { 0 })
    }
}

impl Description {
    /// Reads TOML.
    ///
    /// # Errors
    /// It is not TOML, or a key or value is unknown.
    pub fn parse(text: &str) -> Result<Description> {
        let description: Description =
            toml::from_str(text).map_err(|e| Error::Description(e.to_string().trim().replace('\n', " ")))?;
        description.check()?;
        Ok(description)
    }

    /// The description beside a model (`model.toml` for `model.onnx`), or the defaults where there is none.
    ///
    /// # Errors
    /// The file exists, but cannot be read or is wrong.
    pub fn beside(model: &Path) -> Result<Description> {
        let path = model.with_extension("toml");
        match std::fs::read_to_string(&path) {
            Ok(text) => Description::parse(&text),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Description::default()),
            Err(source) => Err(Error::Read { path, source }),
        }
    }

    fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::Description(what));
        if let Some(threshold) = self.output.threshold.filter(|t| !(0.0..1.0).contains(t)) {
            return wrong(format!("threshold is {threshold}, expected a probability from 0 to below 1"));
        }
        if let Some(overlap) = self.output.overlap.filter(|o| !(0.0..=1.0).contains(o)) {
            return wrong(format!("overlap is {overlap}, expected a part from 0 to 1"));
        }
        if let Some(steps) = self.output.steps.filter(|steps| !(1..=MOST_STEPS).contains(steps)) {
            return wrong(format!("steps is {steps}, expected 1 to {MOST_STEPS}"));
        }
        if let Some(error) = self.output.flow_error.filter(|e| !e.is_finite() || *e < 0.0) {
            return wrong(format!("flow_error is {error}, expected 0 or more"));
        }
        if let Some(name) = self.output.classes.iter().find(|name| name.contains('\n')) {
            return wrong(format!("class name {name:?} has more than one line"));
        }
        if let Some(reason) = self.diffusion.as_ref().and_then(|diffusion| diffusion.check().err()) {
            return wrong(format!("[diffusion]: {reason}"));
        }
        for (key, values) in [("gain", &self.input.gain), ("offset", &self.input.offset)] {
            if values.len() > 3 || values.iter().any(|v| !v.is_finite()) {
                return wrong(format!("{key} is {values:?}, expected one number, or one per channel"));
            }
        }
        Ok(())
    }
}
