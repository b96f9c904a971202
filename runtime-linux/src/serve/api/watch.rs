//! What there is to see: the newest frame, and the figures of the run.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{Answer, Shared, waiting};
use crate::serve::message::Status;
use crate::serve::publisher::Published;
use crate::serve::refusal::Refusal;
use crate::serve::run::{Second, Sizes};
use crate::serve::station::Station;
use crate::sink::encode_overlay;

pub(super) async fn status(State(station): Shared) -> Json<Status> {
    Json(station.status())
}

fn newest(station: &Station) -> Answer<Arc<Published>> {
    station.newest.borrow().clone().ok_or_else(|| Refusal::not_found("there is no frame yet"))
}

pub(super) async fn observation(State(station): Shared) -> Answer<Response> {
    let published = newest(&station)?;
    let text = waiting(move || published.shown(&station).text.clone()).await?;
    Ok(([(CONTENT_TYPE, "application/json")], text.as_str().to_owned()).into_response())
}

pub(super) async fn frame(State(station): Shared) -> Answer<Response> {
    let published = newest(&station)?;
    let jpeg = waiting(move || published.shown(&station).jpeg.clone()).await?;
    if jpeg.is_empty() {
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the frame cannot be encoded"));
    }
    Ok(([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

pub(super) async fn overlay(State(station): Shared) -> Answer<Response> {
    let published = newest(&station)?;
    let draw = move || {
        let mut png = Vec::new();
        let observation = &published.observation;
        encode_overlay(&mut png, &observation.shot.image, &observation.made.found.labels).map(|()| Bytes::from(png))
    };
    let png = waiting(draw).await?.map_err(|e| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, e))?;
    Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
}

pub(super) async fn histogram(State(station): Shared) -> Json<Sizes> {
    Json(station.run().sizes(station.pixel_size_um))
}

pub(super) async fn counts(State(station): Shared) -> Json<Vec<Second>> {
    Json(station.run().seconds())
}
