//! The instrument profile: what a microscope and its user's choices are, as a small TOML file.
//!
//! Invariant: a [`Profile`] that was read is consistent. Every number is in its range, the objective in use exists and has a pixel size;
//! nobody after this module checks again.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::correct::Mode;
use super::density::Volume;
use super::drift::Watch;
use super::number::{Bits, Percent, Positive, Share, Window};
use super::split;
use crate::board::Pins;
use crate::error::{Error, Result};

/// An instrument, as its file describes it. `profiles/planktoscope.toml` shows every key.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The instrument's name, for people.
    pub name: String,
    /// The name of the objective in use; needed where there are several.
    #[serde(default)]
    pub in_use: Option<String>,
    /// The camera.
    #[serde(default)]
    pub camera: Camera,
    /// The objectives that there are.
    #[serde(default, rename = "objective")]
    pub objectives: Vec<Objective>,
    /// Sizes of objects that count.
    #[serde(default)]
    pub size: Size,
    /// What of the sample a frame shows; without it there is no density.
    #[serde(default)]
    pub flow_cell: Option<FlowCell>,
    /// How frames are lit.
    #[serde(default)]
    pub illumination: Illumination,
    /// What is done to frames before they are segmented.
    #[serde(default)]
    pub correction: Correction,
    /// When an object is two; without it none is.
    #[serde(default)]
    pub split: Option<split::Rules>,
    /// When to warn.
    #[serde(default)]
    pub alarms: Alarms,
    /// The pins of its light, trigger, stepper and status LED.
    #[serde(default)]
    pub board: Option<Pins>,
}

/// The camera, as far as its samples say something about the sample.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// Side of a pixel on the sensor, in µm.
    #[serde(default)]
    pub sensor_pixel_um: Option<Positive>,
    /// Sensor pixels per pixel of a frame, along a side (binning, or scaling down).
    #[serde(default)]
    pub binning: Option<Positive>,
    /// Bits that the samples use, where that is less than their file's 8 or 16.
    #[serde(default)]
    pub bits: Option<Bits>,
}

/// An objective; its pixel size is given, or follows from its magnification.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objective {
    /// Its name.
    pub name: String,
    /// Side of a pixel in the sample, in µm, as calibrated.
    #[serde(default)]
    pub pixel_size_um: Option<Positive>,
    /// From the sample to the sensor, tube lens included.
    #[serde(default)]
    pub magnification: Option<Positive>,
}

/// Equivalent spherical diameters (ESD) between which objects count, in µm.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Size {
    /// The smallest.
    #[serde(default)]
    pub min_esd_um: Option<Positive>,
    /// The largest.
    #[serde(default)]
    pub max_esd_um: Option<Positive>,
}

/// The volume that a frame shows.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FlowCell {
    /// Depth of the cell in µm: the volume is this times the frame's area.
    #[serde(default)]
    pub depth_um: Option<Positive>,
    /// The volume in mL, where it is known.
    #[serde(default)]
    pub volume_ml_per_frame: Option<Positive>,
}

/// The light of a frame without objects.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Illumination {
    /// The percentile of the samples that stands for the lamp: 50, the background, where light is transmitted.
    pub percentile: Percent,
    /// Its value in the frames' units, where it is known; otherwise the first frames' mean.
    pub brightness: Option<Positive>,
    /// Red over green, likewise.
    pub red_over_green: Option<Positive>,
    /// Blue over green, likewise.
    pub blue_over_green: Option<Positive>,
    /// How many first frames are the reference.
    pub reference_frames: u32,
}

impl Default for Illumination {
    fn default() -> Self {
        Illumination {
            percentile: Percent(50.0),
            brightness: None,
            red_over_green: None,
            blue_over_green: None,
            reference_frames: 10,
        }
    }
}

/// What is done to frames before they are segmented.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// An image without objects, or a stack of them; relative to the profile's folder.
    #[serde(default)]
    pub blank: Option<PathBuf>,
    /// The last frames of which the median is the background.
    #[serde(default)]
    pub running_median: Option<Window>,
    /// How the background is taken out.
    #[serde(default)]
    pub background: Mode,
}

/// Deviations that raise an alarm.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Alarms {
    /// Of the brightness, as a share of the reference.
    pub brightness: Share,
    /// Of red over green or blue over green, as a share of the reference.
    pub white_balance: Share,
    /// Share of samples at full scale.
    pub overexposed: Share,
    /// Share of samples at 0.
    pub underexposed: Share,
}

impl Default for Alarms {
    fn default() -> Self {
        Alarms {
            brightness: Share(0.1),
            white_balance: Share(0.05),
            overexposed: Share(0.01),
            underexposed: Share(0.2),
        }
    }
}

impl Profile {
    /// Reads the profile at `path`; paths in it are relative to its folder.
    ///
    /// # Errors
    /// [`Error::Usage`] that names the file, and the line or the key at fault.
    pub fn open(path: &Path) -> Result<Self> {
        let bad = |reason: String| Error::usage(format!("{}: {reason}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
        let mut profile = Self::parse(&text).map_err(bad)?;
        if let (Some(blank), Some(folder)) = (&mut profile.correction.blank, path.parent()) {
            *blank = folder.join(&*blank);
        }
        Ok(profile)
    }

    fn parse(text: &str) -> Result<Self, String> {
        let profile: Profile = toml::from_str(text).map_err(|error| match error.span() {
            Some(span) => {
                let line = text[..span.start].matches('\n').count() + 1;
                format!("line {line}: {}", error.message())
            }
            None => error.message().to_owned(),
        })?;
        profile.check()?;
        Ok(profile)
    }

    fn check(&self) -> Result<(), String> {
        self.board.as_ref().map_or(Ok(()), |pins| pins.check().map_err(|e| format!("board: {e}")))?;
        for (index, objective) in self.objectives.iter().enumerate() {
            let name = &objective.name;
            if self.objectives[..index].iter().any(|other| other.name == *name) {
                return Err(format!("there are two objectives \"{name}\""));
            }
            match (objective.pixel_size_um, objective.magnification) {
                (Some(_), None) => {}
                (None, Some(_)) if self.camera.sensor_pixel_um.is_some() => {}
                (None, Some(_)) => {
                    return Err(format!(
                        "objective \"{name}\" has a magnification, which needs camera.sensor_pixel_um beside it"
                    ));
                }
                _ => return Err(format!("objective \"{name}\": expected either pixel_size_um or magnification")),
            }
        }
        if let (Some(Positive(min)), Some(Positive(max))) = (self.size.min_esd_um, self.size.max_esd_um)
            && min >= max
        {
            return Err(format!("size.min_esd_um is {min}; expected less than size.max_esd_um, {max}"));
        }
        if let Some(cell) = &self.flow_cell
            && cell.depth_um.is_some() == cell.volume_ml_per_frame.is_some()
        {
            return Err("flow_cell: expected either depth_um or volume_ml_per_frame".into());
        }
        self.objective(None).map(|_| ())
    }

    /// The objective called `name`, or the one in use; `None` where the profile has no objectives.
    ///
    /// # Errors
    /// One sentence that lists the objectives, when there is none of that name, or several and none is in use.
    pub fn objective(&self, name: Option<&str>) -> Result<Option<&Objective>, String> {
        let names = || self.objectives.iter().map(|o| format!("\"{}\"", o.name)).collect::<Vec<_>>().join(", ");
        match (name.or(self.in_use.as_deref()), self.objectives.as_slice()) {
            (None, []) => Ok(None),
            (None, [only]) => Ok(Some(only)),
            (None, _) => Err(format!("which objective is in use? expected in_use to be one of {}", names())),
            (Some(name), []) => Err(format!("no objective \"{name}\"; the profile has none")),
            (Some(name), all) => match all.iter().find(|objective| objective.name == name) {
                Some(objective) => Ok(Some(objective)),
                None => Err(format!("no objective \"{name}\"; expected one of {}", names())),
            },
        }
    }

    /// The volume that a frame shows.
    pub fn volume(&self) -> Option<Volume> {
        let cell = self.flow_cell?;
        let per_frame = cell.volume_ml_per_frame.map(|ml| Volume::PerFrame(ml.0));
        per_frame.or(cell.depth_um.map(|um| Volume::Depth(um.0)))
    }

    /// Its alarms, before the first frame.
    pub fn watch(&self) -> Watch {
        Watch::new(&self.illumination, &self.alarms, self.camera.bits.map(|bits| bits.0))
    }

    /// Side of a pixel in the sample through `objective`, in µm.
    pub fn pixel_size_um(&self, objective: &Objective) -> Option<f64> {
        let by_magnification = || {
            let (Positive(sensor), Positive(magnification)) = (self.camera.sensor_pixel_um?, objective.magnification?);
            Some(sensor * self.camera.binning.map_or(1.0, |Positive(binning)| binning) / magnification)
        };
        objective.pixel_size_um.map(|Positive(size)| size).or_else(by_magnification)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Profile::parse(&format!("name = \"x\"\n{text}")).unwrap_err()
    }

    #[test]
    fn the_committed_profiles_are_sound() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("profiles");
        let size = |file: &str, name: Option<&str>| {
            let profile = Profile::open(&folder.join(file)).unwrap();
            let objective = profile.objective(name).unwrap().unwrap().clone();
            profile.pixel_size_um(&objective).unwrap()
        };
        assert_eq!(size("planktoscope.toml", None), 0.75);
        assert_eq!(size("planktoscope.toml", Some("f16")), 0.88);
        assert!((size("openflexure.toml", None) - 1.12 / 16.0).abs() < 1e-12);
    }

    #[test]
    fn a_name_is_enough_and_whole_numbers_are_numbers() {
        let profile = Profile::parse("name = \"x\"").unwrap();
        assert_eq!(profile.objective(None), Ok(None));
        assert_eq!(profile.alarms, Alarms::default());
        let profile = Profile::parse("name = \"x\"\n[flow_cell]\ndepth_um = 300").unwrap();
        assert_eq!(profile.flow_cell.unwrap().depth_um, Some(Positive(300.0)));
    }

    #[test]
    fn binning_enlarges_pixels() {
        let text = "name = \"x\"\n[camera]\nsensor_pixel_um = 1.5\nbinning = 2\n[[objective]]\nname = \"a\"\nmagnification = 4";
        let profile = Profile::parse(text).unwrap();
        assert_eq!(profile.pixel_size_um(&profile.objectives[0]), Some(0.75));
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let found = refusal("[size]\nmin_esd = 20");
        assert!(found.starts_with("line 3: unknown field `min_esd`, expected `min_esd_um` or `max_esd_um`"), "{found}");
        let found = refusal("\n[camera]\nsensor_pixel_um = -1.5");
        assert!(found.starts_with("line 4: -1.5 (expected a positive number)"), "{found}");
        let found = refusal("[correction]\nrunning_median = 4");
        assert!(found.starts_with("line 3: a median of 4 frames (expected an odd number, 3 to 15)"), "{found}");
        assert!(refusal("[correction]\nbackground = \"add\"").contains("expected `divide` or `subtract`"));
        assert!(refusal("[illumination]\npercentile = 101").starts_with("line 3: 101 (expected 0 to 100)"));
        assert!(refusal("[split]\nneck = 1").starts_with("line 3: 1 (expected more than 0 and less than 1)"));
        assert!(refusal("[camera]\nbits = 0").starts_with("line 3: 0 bits"));
        assert!(refusal("oops").starts_with("line 2: "));
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        let objective = |name: &str, rest: &str| format!("[[objective]]\nname = \"{name}\"\n{rest}\n");
        let (a, b) = (objective("a", "pixel_size_um = 1"), objective("b", "pixel_size_um = 2"));
        assert!(refusal(&[a.as_str(), &b].concat()).ends_with("one of \"a\", \"b\""));
        assert!(refusal(&[a.as_str(), &a].concat()).contains("two objectives \"a\""));
        assert!(refusal(&["in_use = \"c\"\n", &a].concat()).starts_with("no objective \"c\""));
        assert!(refusal("in_use = \"c\"").ends_with("the profile has none"));
        assert!(refusal(&objective("a", "magnification = 4")).contains("sensor_pixel_um"));
        assert!(refusal(&objective("a", "")).contains("either pixel_size_um or magnification"));
        assert!(refusal("[size]\nmin_esd_um = 20\nmax_esd_um = 10").contains("less than size.max_esd_um, 10"));
        assert!(refusal("[flow_cell]").contains("either depth_um or volume_ml_per_frame"));
    }
}
