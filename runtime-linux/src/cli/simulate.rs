//! `microtome simulate`: frames with known truth, laid out as `eval` reads them.

use std::io::Write;
use std::path::PathBuf;

use super::progress::Progress;
use super::{Outcome, make_folder, say};
use crate::error::{Error, Result};
use crate::simulate::{Settings, scene};
use crate::sink::{self, LabelFormat, labels, write_whole};

/// Arguments of `microtome simulate`.
#[derive(clap::Args)]
pub struct Args {
    /// Folder for images/, labels/ and index.csv
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How many frames
    #[arg(long, default_value_t = 8)]
    frames: u64,
    /// Which set: the same seed and size give the same bytes on every machine
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Pixels per row
    #[arg(long, default_value_t = 320)]
    width: usize,
    /// Rows
    #[arg(long, default_value_t = 240)]
    height: usize,
}

/// Runs the command.
pub fn simulate(args: &Args) -> Result<Outcome> {
    let Args { out, frames, seed, width, height } = args;
    let settings = Settings { seed: *seed, height: *height, width: *width };
    settings.check().map_err(Error::usage)?;
    let [images, truth] = ["images", "labels"].map(|folder| out.join(folder));
    make_folder(&images)?;
    make_folder(&truth)?;
    let progress = Progress::new(*frames as usize);
    let mut index = String::from("id,width,height,kind,n_objects\n");
    for number in 0..*frames {
        let id = format!("simulated_{number:04}");
        progress.at(&id);
        let scene = scene(settings, number).map_err(Error::usage)?;
        sink::frame(&images.join(format!("{id}.png")), &scene.image)?;
        labels(&truth.join(format!("{id}.png")), &scene.labels, *width, LabelFormat::Png)?;
        index.push_str(&format!("{id},{width},{height},simulated,{}\n", scene.nuclei));
        progress.step();
    }
    progress.finish();
    write_whole(&out.join("index.csv"), |w| w.write_all(index.as_bytes()))?;
    say(format_args!("{frames} frames of {width}x{height} pixels with their labels in {}", out.display()))?;
    Ok(Outcome::Done)
}
