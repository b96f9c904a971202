//! Files and archives as response bodies, read while they are sent.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use hyper::body::Frame;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, mpsc};
use tokio::time::timeout;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::recordings::Entry;

/// Bytes per chunk.
const CHUNK: usize = 64 << 10;
/// Chunks that wait to be sent; the reading thread waits when there are so many.
const WAITING: usize = 4;
/// A client that takes no chunk for so long is gone.
const PATIENCE: Duration = Duration::from_secs(60);

/// A file, under its name.
pub fn file(entry: &Entry, path: PathBuf, permit: OwnedSemaphorePermit) -> Response {
    let send = move |to: &mut dyn Write| io::copy(&mut File::open(path)?, &mut { to }).map(drop);
    let headers = [(CONTENT_TYPE, content_type(&entry.name)), (CONTENT_DISPOSITION, attachment(&entry.name))];
    (headers, body(permit, send)).into_response()
}

/// Files, as an archive.
pub fn archive(name: &str, files: Vec<(Entry, PathBuf)>, permit: OwnedSemaphorePermit) -> Response {
    let send = move |to: &mut dyn Write| {
        let mut archive = ZipWriter::new_stream(to);
        for (entry, path) in files {
            let options = SimpleFileOptions::default().large_file(entry.bytes >= u64::from(u32::MAX));
            archive.start_file(entry.name, options)?;
            io::copy(&mut File::open(path)?, &mut archive)?;
        }
        archive.finish()?;
        Ok(())
    };
    let headers = [(CONTENT_TYPE, "application/zip".into()), (CONTENT_DISPOSITION, attachment(name))];
    (headers, body(permit, send)).into_response()
}

/// What `send` writes, from a thread of its own. A failure breaks the connection: the client sees that something is missing.
fn body(permit: OwnedSemaphorePermit, send: impl FnOnce(&mut dyn Write) -> io::Result<()> + Send + 'static) -> Body {
    let (to, from) = mpsc::channel(WAITING);
    let runtime = Handle::current();
    tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let mut writer = BufWriter::with_capacity(CHUNK, Pipe { to: to.clone(), runtime });
        let sent = send(&mut writer).and_then(|()| writer.flush());
        if let Err(error) = sent {
            // Nobody reads any more where this fails.
            let _ = to.try_send(Err(error));
        }
    });
    Body::new(Chunks(from))
}

/// The thread's end.
struct Pipe {
    to: mpsc::Sender<io::Result<Bytes>>,
    runtime: Handle,
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len().min(CHUNK);
        let chunk = Bytes::copy_from_slice(&bytes[..len]);
        match self.runtime.block_on(timeout(PATIENCE, self.to.send(Ok(chunk)))) {
            Ok(Ok(())) => Ok(len),
            Ok(Err(_)) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(_) => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The connection's end.
struct Chunks(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Chunks {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(cx).map(|chunk| chunk.map(|chunk| chunk.map(Frame::data)))
    }
}

fn content_type(name: &str) -> String {
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    match extension {
        "csv" => "text/csv; charset=utf-8",
        "json" | "geojson" => "application/json",
        "png" => "image/png",
        "tif" | "tiff" => "image/tiff",
        "zip" => "application/zip",
        _ => "application/octet-stream",
    }
    .into()
}

/// Names are those of our own files, but for what a person put there: whatever a header cannot hold becomes an underscore.
fn attachment(name: &str) -> String {
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
    format!("attachment; filename=\"{plain}\"")
}
