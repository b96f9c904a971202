//! The command line's words for a measurement, and what they and a profile add up to.

use std::path::PathBuf;

use super::analysis::Setup;
use super::correct::{Corrector, FlatField, RunningMedian};
use super::density::Volume;
use super::filter::Filter;
use super::number::Positive;
use super::profile::Profile;
use super::{split, track};
use crate::board::Pins;
use crate::error::{Error, Result};

/// How to measure. Without any of these nothing is corrected, left out or split.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Options {
    /// Instrument profile (TOML): objectives, sizes, flow cell, corrections, alarms; adds focus, light and density to the summary
    #[arg(long, value_name = "PROFILE")]
    instrument: Option<PathBuf>,
    /// The profile's objective in use, if not the one that it says
    #[arg(long, value_name = "NAME", requires = "instrument")]
    objective: Option<String>,
    /// Side of a pixel in micrometres, if not the objective's: fills the table's columns in µm
    #[arg(long, value_name = "UM")]
    pixel_size_um: Option<Positive>,
    /// Frame without objects, or a stack of them, to divide frames by
    #[arg(long, value_name = "FILE")]
    blank: Option<PathBuf>,
    /// Split objects that touch by their shape
    #[arg(long)]
    split: bool,
    /// Leave out objects of a smaller equivalent diameter, in micrometres
    #[arg(long, value_name = "UM")]
    min_esd_um: Option<Positive>,
    /// Leave out objects of a larger equivalent diameter, in micrometres
    #[arg(long, value_name = "UM")]
    max_esd_um: Option<Positive>,
    /// Leave out objects that the frame's edge cuts
    #[arg(long)]
    exclude_border: bool,
    /// Count an object once that stays in its place from frame to frame; frames are taken in the order of the inputs
    #[arg(long)]
    track: bool,
}

impl Options {
    /// What they ask for: the profile, with what else was said in place of its own.
    ///
    /// # Errors
    /// [`Error::Usage`] when the profile or the blank frame cannot be used, or sizes in µm are asked for without a pixel size.
    pub fn setup(&self) -> Result<Setup> {
        let profile = self.instrument.as_deref().map(Profile::open).transpose()?;
        let mut pixel_size_um = self.pixel_size_um.map(|size| size.0);
        if let (Some(profile), Some(file)) = (&profile, &self.instrument) {
            let objective = profile.objective(self.objective.as_deref());
            let objective = objective.map_err(|e| Error::usage(format!("{}: {e}", file.display())))?;
            pixel_size_um = pixel_size_um.or_else(|| objective.and_then(|objective| profile.pixel_size_um(objective)));
        }
        let setup = self.combined(profile, pixel_size_um)?;
        if pixel_size_um.is_none() && setup.filter.needs_pixel_size() {
            return Err(Error::usage(
                "a smallest or largest diameter in µm needs a pixel size (expected --pixel-size-um, or an objective in --instrument)",
            ));
        }
        if pixel_size_um.is_none() && matches!(setup.volume, Some(Volume::Depth(_))) {
            return Err(Error::usage(
                "a flow cell's depth needs a pixel size for a volume (expected --pixel-size-um, or an objective in the profile)",
            ));
        }
        Ok(setup)
    }

    /// The files that they name, and that the profile names: what is in them decides too.
    ///
    /// # Errors
    /// [`Error::Usage`] when the profile cannot be used.
    pub fn files(&self) -> Result<Vec<PathBuf>> {
        let profile = self.instrument.as_deref().map(Profile::open).transpose()?;
        let blank = self.blank.clone().or(profile.and_then(|profile| profile.correction.blank));
        Ok(self.instrument.clone().into_iter().chain(blank).collect())
    }

    /// The pins of the instrument's board, if its profile names some.
    ///
    /// # Errors
    /// [`Error::Usage`] when the profile cannot be used.
    pub fn pins(&self) -> Result<Option<Pins>> {
        Ok(self.instrument.as_deref().map(Profile::open).transpose()?.and_then(|profile| profile.board))
    }

    fn combined(&self, profile: Option<Profile>, pixel_size_um: Option<f64>) -> Result<Setup> {
        let um = |said: Option<Positive>, profile: Option<Positive>| said.or(profile).map(|um| um.0);
        let size = profile.as_ref().map(|profile| profile.size).unwrap_or_default();
        let filter = Filter {
            min_esd_um: um(self.min_esd_um, size.min_esd_um),
            max_esd_um: um(self.max_esd_um, size.max_esd_um),
            exclude_border: self.exclude_border,
        };
        if let (Some(min), Some(max)) = (filter.min_esd_um, filter.max_esd_um)
            && min >= max
        {
            return Err(Error::usage(format!(
                "a smallest diameter of {min} µm (expected less than the largest, {max} µm)"
            )));
        }
        let correction = profile.as_ref().map(|profile| &profile.correction);
        let blank = self.blank.as_ref().or(correction.and_then(|correction| correction.blank.as_ref()));
        let background = correction.and_then(|correction| {
            correction.running_median.map(|window| RunningMedian::new(window, correction.background))
        });
        Ok(Setup {
            pixel_size_um,
            volume: profile.as_ref().and_then(Profile::volume),
            filter,
            split: profile.as_ref().and_then(|profile| profile.split).or(self.split.then(split::Rules::default)),
            track: self.track.then(track::Rules::default),
            corrector: Corrector { flat: blank.map(|path| FlatField::open(path)).transpose()?, background },
            watch: profile.as_ref().map(Profile::watch),
            figures: profile.is_some() || self.track,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(options: Options) -> String {
        options.setup().err().unwrap().to_string()
    }

    #[test]
    fn nothing_asked_for_is_nothing_done() {
        let setup = Options::default().setup().unwrap();
        assert!(setup.pixel_size_um.is_none() && setup.volume.is_none() && setup.split.is_none());
        assert!(setup.track.is_none() && setup.watch.is_none() && !setup.figures);
        assert!(setup.corrector.flat.is_none() && setup.corrector.background.is_none());
        assert_eq!(setup.filter, Filter::default());
    }

    #[test]
    fn what_is_said_goes_before_the_profile() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("scope.toml");
        let text = "name = \"x\"\nin_use = \"a\"\n[[objective]]\nname = \"a\"\npixel_size_um = 2\n[[objective]]\nname = \"b\"\n\
                    pixel_size_um = 3\n[size]\nmin_esd_um = 10\n[flow_cell]\ndepth_um = 100";
        std::fs::write(&file, text).unwrap();
        let options = Options { instrument: Some(file), ..Options::default() };
        let setup = options.setup().unwrap();
        assert_eq!((setup.pixel_size_um, setup.filter.min_esd_um), (Some(2.0), Some(10.0)));
        assert!(setup.volume == Some(Volume::Depth(100.0)) && setup.watch.is_some() && setup.figures);
        let options = Options { objective: Some("b".into()), min_esd_um: Some(Positive(5.0)), ..options };
        let setup = options.setup().unwrap();
        assert_eq!((setup.pixel_size_um, setup.filter.min_esd_um), (Some(3.0), Some(5.0)));
        let options = Options { pixel_size_um: Some(Positive(4.0)), ..options };
        assert_eq!(options.setup().unwrap().pixel_size_um, Some(4.0));
        let options = Options { max_esd_um: Some(Positive(5.0)), ..options };
        assert!(refusal(options.clone()).contains("expected less than the largest, 5 µm"));
        assert!(refusal(Options { objective: Some("c".into()), ..options }).contains("expected one of \"a\", \"b\""));
    }

    #[test]
    fn sizes_need_a_scale() {
        let error = refusal(Options { min_esd_um: Some(Positive(5.0)), ..Options::default() });
        assert!(error.contains("expected --pixel-size-um"), "{error}");
        let error = refusal(Options { blank: Some("none.png".into()), ..Options::default() });
        assert!(error.starts_with("none.png: "), "{error}");
    }
}
