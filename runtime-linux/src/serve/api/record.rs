//! Recordings: to begin, to end, to take home.

use std::sync::Arc;
use std::time::SystemTime;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::{Answer, Shared, waiting};
use crate::live::Worker;
use crate::serve::download;
use crate::serve::recordings::Entry;
use crate::serve::refusal::Refusal;
use crate::serve::station::Station;

#[derive(Serialize)]
pub(super) struct Recording {
    /// Its name, while one runs.
    recording: Option<String>,
    /// Whether there can be one.
    possible: bool,
}

pub(super) async fn now(State(station): Shared) -> Json<Recording> {
    Json(Recording { recording: station.status().recording, possible: station.recordings.are_possible() })
}

pub(super) async fn begin(State(station): Shared) -> Answer<(StatusCode, Json<Value>)> {
    waiting(move || {
        if !station.recordings.are_possible() {
            return Err(Refusal::conflict("nothing can be recorded without --out DIR"));
        }
        let start = {
            let station = Arc::clone(&station);
            move |worker: &mut Worker| {
                if worker.standing().recording {
                    return Err(Refusal::conflict("a recording runs already; end it first"));
                }
                let (name, recorder) = station.recordings.begin(SystemTime::now(), worker)?;
                worker.record(recorder)?;
                Ok(name)
            }
        };
        let name = station.ask(start)??;
        Ok((StatusCode::CREATED, Json(json!({ "recording": name }))))
    })
    .await?
}

pub(super) async fn end(State(station): Shared) -> Answer<Json<Value>> {
    waiting(move || {
        let finish = |worker: &mut Worker| {
            if !worker.standing().recording {
                return Err(Refusal::conflict("no recording runs"));
            }
            Ok(worker.stop_recording()?)
        };
        station.ask(finish)??;
        Ok(Json(json!({ "recording": station.recordings.current() })))
    })
    .await?
}

pub(super) async fn list(State(station): Shared) -> Answer<Json<Vec<Entry>>> {
    waiting(move || Json(station.recordings.list())).await
}

fn no_recording() -> Refusal {
    Refusal::not_found("there is no such recording")
}

pub(super) async fn files(State(station): Shared, Path(name): Path<String>) -> Answer<Json<Vec<Entry>>> {
    let files = waiting(move || station.recordings.files(&name)).await?.ok_or_else(no_recording)?;
    Ok(Json(files.into_iter().map(|(entry, _)| entry).collect()))
}

fn download_permit(station: &Station) -> Answer<OwnedSemaphorePermit> {
    let permit = Arc::clone(&station.downloads).try_acquire_owned();
    permit.map_err(|_| Refusal::busy("too many downloads at a time; try again later"))
}

pub(super) async fn file(State(station): Shared, Path((name, file)): Path<(String, String)>) -> Answer<Response> {
    let permit = download_permit(&station)?;
    let files = waiting(move || station.recordings.files(&name)).await?.ok_or_else(no_recording)?;
    let found = files.into_iter().find(|(entry, _)| entry.name == file);
    let (entry, path) = found.ok_or_else(|| Refusal::not_found("the recording has no such file"))?;
    Ok(download::file(&entry, path, permit))
}

pub(super) async fn archive(State(station): Shared, Path(file): Path<String>) -> Answer<Response> {
    let name = file.strip_suffix(".zip").ok_or_else(no_recording)?.to_owned();
    let permit = download_permit(&station)?;
    let files = waiting(move || station.recordings.files(&name)).await?.ok_or_else(no_recording)?;
    Ok(download::archive(&file, files, permit))
}
