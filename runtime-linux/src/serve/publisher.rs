//! What is done once per observation, whoever watches: figures of the run, and, only if somebody does, picture and outlines.
//!
//! Invariant: one picture is encoded at a time, of the newest observation, on a thread that the pipeline never waits for.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::ws::Utf8Bytes;

use super::message::{Exposure, Seen};
use super::station::Station;
use super::{picture, run};
use crate::live::Observation;

/// How long the thread looks away from the wish to stop.
const GLANCE: Duration = Duration::from_millis(100);

/// An observation as clients get it.
pub struct Published {
    pub observation: Arc<Observation>,
    shown: OnceLock<Shown>,
}

/// What is sent of it. Both are shared, not copied, by all who send them.
#[derive(Clone)]
pub struct Shown {
    /// The JSON of a [`Seen`].
    pub text: Utf8Bytes,
    /// The frame; empty where it cannot be encoded.
    pub jpeg: Bytes,
}

impl Published {
    fn new(observation: Arc<Observation>) -> Self {
        Published { observation, shown: OnceLock::new() }
    }

    /// Text and picture, if they have been made.
    pub fn made(&self) -> Option<&Shown> {
        self.shown.get()
    }

    /// Text and picture; the first who asks makes them, others wait. Takes some milliseconds.
    pub fn shown(&self, station: &Station) -> &Shown {
        self.shown.get_or_init(|| {
            let image = &self.observation.shot.image;
            let start = Instant::now();
            // Figures and outlines are worth showing without a picture, too.
            let jpeg = picture::jpeg(image).unwrap_or_default();
            let figures = self.observation.figures.as_ref();
            let focus = figures.map(|figures| station.run().focus(figures.focus));
            let exposure = Exposure::of(image, figures.and_then(|figures| figures.exposure));
            let seen = Seen::new(&self.observation, focus, exposure);
            // Numbers, strings and lists always are JSON.
            let text = serde_json::to_string(&seen).unwrap_or_default().into();
            station.run().encoded(run::ms(start.elapsed()));
            Shown { text, jpeg }
        })
    }
}

/// The thread's work, until the station stops.
pub fn publish(station: &Station) {
    let mut seen = 0;
    while !*station.stopping.borrow() {
        let Some((number, observation)) = station.pipeline.latest().newer(seen, GLANCE) else {
            if station.pipeline.latest().is_closed() {
                std::thread::sleep(GLANCE);
            }
            continue;
        };
        seen = number;
        station.run().see(&observation, Instant::now());
        let published = Arc::new(Published::new(observation));
        if station.newest.receiver_count() > 0 {
            published.shown(station);
        }
        station.newest.send_replace(Some(published));
    }
}
