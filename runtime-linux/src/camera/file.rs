//! An image or a stack, played as if a camera took it.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{Camera, Shot, Trouble};
use crate::source::{self, Pages};

/// The pages of a file, one by one; at a rate, where one was asked for.
pub struct File {
    path: PathBuf,
    pages: Pages,
    interval: Option<Duration>,
    due: Instant,
}

impl File {
    /// # Errors
    /// When the file is no image.
    pub fn open(path: &Path, fps: Option<f64>) -> Result<Self, String> {
        let pages = source::open(path).map_err(|e| e.to_string())?;
        let interval = fps.map(|fps| Duration::from_secs_f64(1.0 / fps));
        Ok(File { path: path.into(), pages, interval, due: Instant::now() })
    }
}

impl Camera for File {
    fn next(&mut self, patience: Duration) -> Result<Shot, Trouble> {
        if let Some(interval) = self.interval {
            let wait = self.due.saturating_duration_since(Instant::now());
            std::thread::sleep(wait.min(patience));
            if wait > patience {
                return Err(Trouble::Late);
            }
            self.due += interval;
        }
        match self.pages.next() {
            Some(Ok(image)) => Ok(Shot::now(image)),
            Some(Err(error)) => Err(Trouble::Spoilt(error.to_string())),
            None => Err(Trouble::End),
        }
    }

    fn describe(&self) -> String {
        self.path.display().to_string()
    }

    fn is_live(&self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Channels, Image, Samples};

    #[test]
    fn every_page_comes_and_then_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("frame.png");
        let image = Image::new(2, 3, Channels::Grey, Samples::U8(vec![1, 2, 3, 4, 5, 6])).unwrap();
        crate::sink::frame(&path, &image).unwrap();
        let mut file = File::open(&path, Some(1000.0)).unwrap();
        assert_eq!(file.next(Duration::from_secs(9)).unwrap().image, image);
        assert_eq!(file.next(Duration::from_secs(9)).unwrap_err(), Trouble::End);
        assert!(File::open(&dir.path().join("none.png"), None).is_err());
    }
}
