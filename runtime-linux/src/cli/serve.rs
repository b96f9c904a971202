//! `microtome serve`: a page over a camera.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::live::tell_changes;
use super::{Outcome, say, signals};
use crate::camera::{self, State};
use crate::engine::Options;
use crate::error::Result;
use crate::instrument::{self, Analysis};
use crate::live::{Pipeline, Worker};
use crate::machine::{self, Machine};
use crate::record;
use crate::serve::{Models, Parts, Recordings, Server, Station, Token, light, recordings};

/// Arguments of `microtome serve`.
#[derive(clap::Args)]
pub struct Args {
    /// A plan (.mtm) or an ONNX model [default: the bundled `nuclei`]
    model: Option<PathBuf>,
    #[command(flatten)]
    camera: camera::Options,
    /// Address and port to listen on; port 0 takes a free one. Beyond loopback (0.0.0.0:8080), --token is needed
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// What the page asks for: auto makes one up and prints an address with it; or at least 12 letters and digits of your own
    #[arg(long, value_name = "TOKEN")]
    token: Option<Token>,
    /// Folder of plans (.mtm) that the page offers
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Folder for recordings
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    keep: record::Options,
    #[command(flatten)]
    instrument: instrument::Options,
    #[command(flatten)]
    options: Options,
    #[command(flatten)]
    machine: machine::Options,
}

/// Runs the command.
pub fn serve(args: &Args) -> Result<Outcome> {
    let stop = signals::stop_flag()?;
    let server = Server::bind(args.listen, args.token.clone())?;
    let models = Models::new(args.models.clone(), args.model.clone(), args.options.clone())?;
    let setup = args.instrument.setup()?.watched();
    let pixel_size_um = setup.pixel_size_um;
    let analysis = Analysis::new(setup);
    let recordings = Recordings::new(args.out.clone(), recordings::factory(args.keep.keep()?))?;
    let machine = Arc::new(Machine::new(&args.machine)?);
    let (model, options) = (args.model.clone(), args.options.clone());
    let worker = move || Worker::new(machine, model, &options, analysis);
    let pipeline = Pipeline::start(args.camera.clone().feed()?, worker)?;
    let light = light::open(args.instrument.pins()?.as_ref());
    let parts = Parts { pipeline, models, recordings, light, pixel_size_um };
    say(format_args!("serving {}", server.url()))?;
    let station = Arc::new(Station::new(parts));
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&station, &stop));
        let served = server.run(Arc::clone(&station), &stop);
        stop.store(true, Ordering::Relaxed);
        served
    })?;
    Ok(Outcome::Done)
}

/// Between two looks at the camera.
const GLANCE: Duration = Duration::from_millis(200);

/// Tells what becomes of the camera: in a service's journal there is no page to look at.
fn watch(station: &Station, stop: &AtomicBool) {
    let mut before = State::Opening;
    while !stop.load(Ordering::Relaxed) {
        tell_changes(&station.camera(), &mut before);
        std::thread::sleep(GLANCE);
    }
}
