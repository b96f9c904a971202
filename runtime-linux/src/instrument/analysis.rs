//! A run's frames, one after another, from what the camera gave to what is reported.
//!
//! ```text
//! image ─▶ correct ─▶ segment ─▶ split ─▶ filter ─▶ focus, track ─▶ columns per object
//!   └────▶ drift ─────────────────────────────┴──▶ density ──────▶ figures per frame, totals
//! ```
//!
//! Invariant: a step that is not asked for does nothing, so that without any a frame's result is [`segment`]'s. The alarms see the frame
//! before it is corrected: a correction hides what they are for.

use std::borrow::Cow;
use std::time::Instant;

use serde::Serialize;

use super::correct::Corrector;
use super::density::{Density, Totals, Volume};
use super::drift::{Alarm, Exposure, Watch};
use super::filter::Filter;
use super::focus;
use super::plane::Plane;
use super::split::{self, split};
use super::track::{self, Tracked, Tracker};
use crate::engine::Engine;
use crate::objects::Found;
use crate::segment::{Segmentation, segment};
use crate::source::Image;

/// What to do with the frames of a run.
#[derive(Default)]
pub struct Setup {
    /// Side of a pixel in the sample, in µm.
    pub pixel_size_um: Option<f64>,
    /// The volume that a frame shows.
    pub volume: Option<Volume>,
    /// Which objects count.
    pub filter: Filter,
    /// When an object is two.
    pub split: Option<split::Rules>,
    /// When an object is one that was counted before.
    pub track: Option<track::Rules>,
    /// What is done to a frame before it is segmented.
    pub corrector: Corrector,
    /// The alarms.
    pub watch: Option<Watch>,
    /// Whether focus and figures are wanted.
    pub figures: bool,
}

impl Setup {
    /// With figures and alarms, also where no profile says what the light should be: then it should stay as it was.
    pub fn watched(mut self) -> Self {
        self.figures = true;
        self.watch.get_or_insert_with(|| Watch::new(&Default::default(), &Default::default(), None));
        self
    }
}

/// A measurement under way.
pub struct Analysis {
    setup: Setup,
    tracker: Option<Tracker>,
    totals: Totals,
}

/// One more number for every object: a column's name, and the values in the order of the objects.
pub type Column = (&'static str, Vec<f64>);

const FOCUS: &str = "focus";
const TRACK: &str = "track";
const TRACK_FRAMES: &str = "track_frames";

/// What was made of a frame.
pub struct Analysed<'i> {
    /// The frame that was segmented, and whose intensities were measured.
    pub image: Cow<'i, Image>,
    /// Its mask, the objects that count, and the time of all steps.
    pub segmentation: Segmentation,
    /// What core does not measure of objects: `focus` in rad per px; `track` from 1, and `track_frames`, the frames that it was seen in.
    pub columns: Vec<Column>,
    /// What there is to say of the frame, if that is wanted.
    pub figures: Option<Figures>,
}

/// A frame in numbers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Objects that count.
    pub objects: usize,
    /// Those that no frame before had; unknown without tracking.
    pub new_objects: Option<usize>,
    /// The volume shown, in mL.
    pub volume_ml: Option<f64>,
    /// Objects in that volume.
    pub density: Option<Density>,
    /// Sharpness, in rad per px.
    pub focus: f64,
    /// The light, as the camera saw it.
    pub exposure: Option<Exposure>,
    /// The alarms that are on.
    pub alarms: Vec<Alarm>,
}

impl Analysis {
    /// Before the first frame.
    pub fn new(setup: Setup) -> Self {
        let tracker = setup.track.map(Tracker::new);
        Analysis { setup, tracker, totals: Totals::default() }
    }

    /// Side of a pixel in the sample, in µm.
    pub fn pixel_size_um(&self) -> Option<f64> {
        self.setup.pixel_size_um
    }

    /// The names of the columns that [`frame`](Self::frame) gives.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        let focus = self.setup.figures.then_some(FOCUS);
        let track = self.tracker.is_some().then_some([TRACK, TRACK_FRAMES]);
        focus.into_iter().chain(track.into_iter().flatten())
    }

    /// Sums over the frames so far, if figures are wanted.
    pub fn totals(&self) -> Option<&Totals> {
        self.setup.figures.then_some(&self.totals)
    }

    /// Makes of the next frame what is asked for.
    ///
    /// # Errors
    /// One sentence when the model or the blank frame does not go with `image`, or there are too many objects.
    pub fn frame<'i>(&mut self, engine: &mut dyn Engine, image: &'i Image) -> Result<Analysed<'i>, String> {
        let start = Instant::now();
        let corrected = self.setup.corrector.apply(image)?;
        let mut made = segment(engine, &corrected)?;
        if let Some(rules) = &self.setup.split {
            made.found = split(made.found, &corrected, rules)?;
        }
        self.setup.filter.apply(&mut made.found, self.setup.pixel_size_um);
        let light = self.setup.watch.as_mut().map(|watch| watch.see(image));
        let tracked = self.tracker.as_mut().map(|tracker| tracker.see(&made.found));
        let mut columns = Vec::new();
        let mut figures = None;
        if self.setup.figures {
            let plane = Plane::of(&corrected);
            columns.push((FOCUS, focus::objects(&plane, &made.found.labels, &made.found.objects)));
            figures = Some(self.figures(&made.found, &plane, light, tracked.as_deref()));
        }
        if let Some(tracked) = tracked {
            columns.push((TRACK, tracked.iter().map(|t| t.track.into()).collect()));
            columns.push((TRACK_FRAMES, tracked.iter().map(|t| t.frames.into()).collect()));
        }
        made.elapsed = start.elapsed();
        Ok(Analysed { image: corrected, segmentation: made, columns, figures })
    }

    fn figures(
        &mut self,
        found: &Found,
        plane: &Plane,
        light: Option<(Exposure, Vec<Alarm>)>,
        tracked: Option<&[Tracked]>,
    ) -> Figures {
        let objects = found.objects.len();
        let new_objects = tracked.map(|tracked| tracked.iter().filter(|object| object.frames == 1).count());
        let volume = self.setup.volume;
        let volume_ml = volume.and_then(|v| v.of_frame(plane.height, plane.width, self.setup.pixel_size_um));
        self.totals.add(new_objects.unwrap_or(objects) as u64, volume_ml);
        let (exposure, alarms) = light.map_or((None, Vec::new()), |(exposure, alarms)| (Some(exposure), alarms));
        Figures {
            objects,
            new_objects,
            volume_ml,
            density: volume_ml.map(|ml| Density::new(objects as u64, ml)),
            focus: focus::frame(plane),
            exposure,
            alarms,
        }
    }
}

#[cfg(test)]
mod tests {
    use microtome_core::plan::{Post, Task};

    use super::*;
    use crate::engine::Mask;
    use crate::instrument::correct::{FlatField, Mode, RunningMedian};
    use crate::instrument::number::Window;
    use crate::source::{Channels, Samples};

    /// Whatever is darker than 100 is an object.
    struct Dark;

    impl Engine for Dark {
        fn mask(&mut self, image: &Image) -> Result<Mask, String> {
            let (height, width) = (image.height(), image.width());
            let classes = (0..height * width).map(|pixel| u8::from(image.luma(pixel) < 100)).collect();
            Ok(Mask { height, width, classes })
        }

        fn post(&self) -> Post {
            Post { task: Task::Components, min_area: 1, grow: 0.0, threshold: 0.5 }
        }
    }

    const SIDES: (usize, usize) = (40, 80);

    /// A lamp that falls off to the right, dark squares of side 6 at these corners.
    fn frame(squares: &[(usize, usize)]) -> Image {
        let (height, width) = SIDES;
        let lamp = |x: usize| 220 - 2 * x;
        let inside = |y: usize, x: usize| {
            squares.iter().any(|&(top, left)| (top..top + 6).contains(&y) && (left..left + 6).contains(&x))
        };
        let samples = (0..height * width).map(|pixel| {
            let (y, x) = (pixel / width, pixel % width);
            (if inside(y, x) { lamp(x) / 3 } else { lamp(x) }) as u8
        });
        Image::new(height, width, Channels::Grey, Samples::U8(samples.collect())).unwrap()
    }

    fn areas(analysed: &Analysed) -> Vec<u32> {
        analysed.segmentation.found.objects.iter().map(|object| object.area()).collect()
    }

    #[test]
    fn nothing_asked_for_is_what_segment_makes() {
        let image = frame(&[(2, 2), (20, 40)]);
        let mut analysis = Analysis::new(Setup::default());
        let analysed = analysis.frame(&mut Dark, &image).unwrap();
        let made = segment(&mut Dark, &image).unwrap();
        assert_eq!((analysed.segmentation.mask, analysed.segmentation.found), (made.mask, made.found));
        assert!(matches!(analysed.image, Cow::Borrowed(_)));
        assert!(analysed.columns.is_empty() && analysed.figures.is_none() && analysis.totals().is_none());
    }

    #[test]
    fn a_blank_frame_brings_out_what_the_lamp_hides() {
        let image = frame(&[(2, 2), (20, 40)]);
        let mut analysis = Analysis::new(Setup::default());
        // The dark side of the frame passes for an object.
        assert!(areas(&analysis.frame(&mut Dark, &image).unwrap()).iter().any(|&area| area > 600));
        let flat = FlatField::of(&[frame(&[])]).unwrap();
        let corrector = Corrector { flat: Some(flat), background: None };
        let mut analysis = Analysis::new(Setup { corrector, ..Setup::default() });
        assert_eq!(areas(&analysis.frame(&mut Dark, &image).unwrap()), [36, 36]);
    }

    #[test]
    fn dirt_goes_particles_are_counted_once_and_the_sum_is_theirs() {
        let background = Some(RunningMedian::new(Window::try_from(3).unwrap(), Mode::Divide));
        let corrector = Corrector { flat: None, background };
        let setup = Setup { corrector, figures: true, volume: Some(Volume::PerFrame(0.5)), ..Setup::default() };
        let mut analysis = Analysis::new(Setup { track: Some(track::Rules::default()), ..setup });
        // Dirt at (30, 2) from the beginning; from the third frame on it and the lamp are known.
        let mut last = None;
        for step in 0..6 {
            let image = frame(&[(30, 2), (10, 10 * (step % 3))]);
            let figures = analysis.frame(&mut Dark, &image).unwrap().figures.unwrap();
            if step >= 2 {
                assert_eq!((figures.objects, figures.new_objects), (1, Some(1)), "{step}");
            }
            last = Some(figures);
        }
        let last = last.unwrap();
        assert_eq!(last.density, Some(Density::new(1, 0.5)));
        assert!(last.focus > 0.0);
        let totals = analysis.totals().unwrap();
        assert_eq!((totals.frames, totals.volume_ml), (6, Some(3.0)));
    }

    #[test]
    fn columns_have_a_value_for_every_object() {
        let setup = Setup { figures: true, track: Some(track::Rules::default()), ..Setup::default() };
        let mut analysis = Analysis::new(setup);
        let image = frame(&[(2, 2), (20, 20)]);
        for frames in 1..3 {
            let analysed = analysis.frame(&mut Dark, &image).unwrap();
            let count = analysed.segmentation.found.objects.len();
            assert_eq!(analysed.columns.iter().map(|c| c.0).collect::<Vec<_>>(), ["focus", "track", "track_frames"]);
            assert!(analysed.columns.iter().all(|column| column.1.len() == count && count == 3));
            assert_eq!(analysed.columns[2].1, [f64::from(frames); 3]);
        }
        assert_eq!(analysis.totals().unwrap().objects, 3);
    }
}
