//! A run's frames, one after another, from what the camera gave to what is reported.
//!
//! ```text
//! image ─▶ correct ─▶ segment ─▶ split ─▶ filter ─▶ focus, track ─▶ columns per object
//!   └────▶ drift ─────────────────────────────┴──▶ density ──────▶ figures per frame, totals
//! ```
//!
//! Most steps need no other frame: those are [`Steps`], which several threads can take at the same time. What remembers the frames before is
//! [`Analysis`], which takes frames in their order.
//!
//! Invariant: a step that is not asked for does nothing, so that without any a frame's result is [`segment`]'s. The alarms see the frame
//! before it is corrected: a correction hides what they are for.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::correct::{Corrector, RunningMedian};
use super::density::{Density, Totals, Volume};
use super::drift::{Alarm, Exposure, Meter, Watch};
use super::filter::Filter;
use super::focus;
use super::plane::Plane;
use super::split::{self, split};
use super::track::{self, Tracked, Tracker};
use crate::engine::Engine;
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

/// The steps that need no other frame; a clone shares what it was made with.
#[derive(Clone)]
pub struct Steps {
    setup: Arc<Setup>,
    meter: Option<Meter>,
}

/// A frame after those steps.
pub struct Seen<'i> {
    image: Cow<'i, Image>,
    segmentation: Segmentation,
    light: Option<Exposure>,
    /// Of the frame and of its objects.
    focus: Option<(f64, Vec<f64>)>,
}

/// A measurement under way.
pub struct Analysis {
    steps: Steps,
    background: Option<RunningMedian>,
    watch: Option<Watch>,
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
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

impl Steps {
    /// Takes them with `image`.
    ///
    /// # Errors
    /// One sentence when the model or the blank frame does not go with `image`, or there are too many objects.
    pub fn take<'i>(&self, engine: &mut dyn Engine, image: Cow<'i, Image>) -> Result<Seen<'i>, String> {
        self.take_over(engine, image, None)
    }

    fn take_over<'i>(
        &self,
        engine: &mut dyn Engine,
        image: Cow<'i, Image>,
        background: Option<&mut RunningMedian>,
    ) -> Result<Seen<'i>, String> {
        let start = Instant::now();
        let setup = &self.setup;
        let light = self.meter.map(|meter| meter.read(&image));
        let corrected = match setup.corrector.apply(&image, background)? {
            Cow::Owned(corrected) => Some(corrected),
            Cow::Borrowed(_) => None,
        };
        let image = corrected.map_or(image, Cow::Owned);
        let mut made = segment(engine, &image)?;
        if let Some(rules) = &setup.split {
            made.found = split(made.found, &image, rules)?;
        }
        setup.filter.apply(&mut made.found, setup.pixel_size_um);
        let focus = setup.figures.then(|| {
            let plane = Plane::of(&image);
            (focus::frame(&plane), focus::objects(&plane, &made.found.labels, &made.found.objects))
        });
        made.elapsed = start.elapsed();
        Ok(Seen { image, segmentation: made, light, focus })
    }
}

impl Analysis {
    /// Before the first frame.
    pub fn new(mut setup: Setup) -> Self {
        let background = setup.corrector.background.take();
        let watch = setup.watch.take();
        let tracker = setup.track.map(Tracker::new);
        let steps = Steps { meter: watch.as_ref().map(Watch::meter), setup: Arc::new(setup) };
        Analysis { steps, background, watch, tracker, totals: Totals::default() }
    }

    /// The steps that need no other frame, unless all do because a running median comes before them.
    pub fn steps(&self) -> Option<Steps> {
        self.background.is_none().then(|| self.steps.clone())
    }

    /// What needs the frames before themselves, where their [`Figures`] are not enough for [`recall`](Self::recall).
    pub fn remembers(&self) -> Option<&'static str> {
        let median = self.background.as_ref().map(|_| "a running median");
        median.or(self.tracker.as_ref().map(|_| "--track"))
    }

    /// Side of a pixel in the sample, in µm.
    pub fn pixel_size_um(&self) -> Option<f64> {
        self.steps.setup.pixel_size_um
    }

    /// The names of the columns that [`frame`](Self::frame) gives.
    pub fn columns(&self) -> impl Iterator<Item = &'static str> {
        let focus = self.steps.setup.figures.then_some(FOCUS);
        let track = self.tracker.is_some().then_some([TRACK, TRACK_FRAMES]);
        focus.into_iter().chain(track.into_iter().flatten())
    }

    /// Sums over the frames so far, if figures are wanted.
    pub fn totals(&self) -> Option<&Totals> {
        self.steps.setup.figures.then_some(&self.totals)
    }

    /// Makes of the next frame what is asked for.
    ///
    /// # Errors
    /// One sentence when the model or the blank frame does not go with `image`, or there are too many objects.
    pub fn frame<'i>(&mut self, engine: &mut dyn Engine, image: &'i Image) -> Result<Analysed<'i>, String> {
        let seen = self.see(engine, Cow::Borrowed(image))?;
        Ok(self.add(seen))
    }

    /// The first half of [`frame`](Self::frame).
    ///
    /// # Errors
    /// Those of [`frame`](Self::frame).
    pub fn see<'i>(&mut self, engine: &mut dyn Engine, image: Cow<'i, Image>) -> Result<Seen<'i>, String> {
        self.steps.take_over(engine, image, self.background.as_mut())
    }

    /// The other half: what the frames before have to do with it. Frames come here in their order.
    pub fn add<'i>(&mut self, seen: Seen<'i>) -> Analysed<'i> {
        let start = Instant::now();
        let Seen { image, segmentation: mut made, light, focus } = seen;
        let alarms = light.and_then(|light| Some(self.watch.as_mut()?.judge(&light)));
        let tracked = self.tracker.as_mut().map(|tracker| tracker.see(&made.found));
        let mut columns = Vec::new();
        let mut figures = None;
        if let Some((focus, of_objects)) = focus {
            columns.push((FOCUS, of_objects));
            let new_objects = tracked.as_deref().map(new);
            let figures = figures.insert(self.figures(&image, made.found.objects.len(), new_objects, focus));
            (figures.exposure, figures.alarms) = (light, alarms.unwrap_or_default());
        }
        if let Some(tracked) = tracked {
            columns.push((TRACK, tracked.iter().map(|t| t.track.into()).collect()));
            columns.push((TRACK_FRAMES, tracked.iter().map(|t| t.frames.into()).collect()));
        }
        made.elapsed += start.elapsed();
        Analysed { image, segmentation: made, columns, figures }
    }

    /// Takes note of a frame that was done before, where nothing [`remembers`](Self::remembers) more than its figures.
    pub fn recall(&mut self, figures: &Figures) {
        self.totals.add(figures.new_objects.unwrap_or(figures.objects) as u64, figures.volume_ml);
        if let (Some(watch), Some(light)) = (&mut self.watch, &figures.exposure) {
            watch.judge(light);
        }
    }

    fn figures(&mut self, image: &Image, objects: usize, new_objects: Option<usize>, focus: f64) -> Figures {
        let Setup { volume, pixel_size_um, .. } = *self.steps.setup;
        let volume_ml = volume.and_then(|v| v.of_frame(image.height(), image.width(), pixel_size_um));
        self.totals.add(new_objects.unwrap_or(objects) as u64, volume_ml);
        let density = volume_ml.map(|ml| Density::new(objects as u64, ml));
        Figures { objects, new_objects, volume_ml, density, focus, exposure: None, alarms: Vec::new() }
    }
}

/// How many objects were never seen before.
fn new(tracked: &[Tracked]) -> usize {
    tracked.iter().filter(|object| object.frames == 1).count()
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
