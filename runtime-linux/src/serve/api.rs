//! The routes. `openapi.json` describes them, and a test holds one against the other.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Request, State};
use axum::handler::Handler;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, body::Bytes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;

use super::access::{Access, guard};
use super::asset::ASSETS;
use super::message::Status;
use super::publisher::Published;
use super::recordings::Entry;
use super::refusal::Refusal;
use super::run::{Second, Sizes};
use super::station::Station;
use super::{download, stream};
use crate::live::Worker;
use crate::sink::encode_overlay;

/// Most bytes of a request's body.
const BODY: usize = 4 << 10;
/// Most time for a request, until its response begins.
const PATIENCE: Duration = Duration::from_secs(30);

type Shared = State<Arc<Station>>;
type Answer<T> = Result<T, Refusal>;
type Body<T> = Result<Json<T>, JsonRejection>;

/// A method and a path, and what answers.
struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "for the test that holds routes against their description"))]
    method: &'static str,
    path: &'static str,
    handler: MethodRouter<Arc<Station>>,
}

fn route<T: 'static>(method: &'static str, path: &'static str, handler: impl Handler<T, Arc<Station>>) -> Route {
    let filter = match method {
        "put" => MethodFilter::PUT,
        "post" => MethodFilter::POST,
        "delete" => MethodFilter::DELETE,
        _ => MethodFilter::GET,
    };
    Route { method, path, handler: on(filter, handler) }
}

fn routes() -> Vec<Route> {
    vec![
        route("get", "/api/status", status),
        route("get", "/api/observation", observation),
        route("get", "/api/frame.jpg", frame),
        route("get", "/api/overlay.png", overlay),
        route("get", "/api/histogram", histogram),
        route("get", "/api/counts", counts),
        route("get", "/api/stream", stream::stream),
        route("get", "/api/model", models),
        route("put", "/api/model", choose_model),
        route("get", "/api/threshold", threshold),
        route("put", "/api/threshold", set_threshold),
        route("get", "/api/led", led),
        route("put", "/api/led", set_led),
        route("get", "/api/recording", recording),
        route("post", "/api/recording", begin_recording),
        route("delete", "/api/recording", end_recording),
        route("get", "/api/recordings", recordings),
        route("get", "/api/recordings/{name}", files),
        route("get", "/api/recordings/{name}/{file}", file),
        route("get", "/api/archives/{file}", archive),
    ]
}

/// Everything that is served, behind the door.
pub fn router(station: Arc<Station>, access: Arc<Access>) -> Router {
    let mut router = Router::new();
    for Route { path, handler, .. } in routes() {
        router = router.route(path, handler);
    }
    for asset in &ASSETS {
        router = router.route(asset.path, on(MethodFilter::GET, move || async move { asset }));
    }
    router
        .fallback(|| async { Refusal::not_found("there is nothing here; openapi.json lists what there is") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "expected another method; see openapi.json")
        })
        .with_state(station)
        .layer(DefaultBodyLimit::max(BODY))
        .layer(middleware::from_fn(in_time))
        .layer(middleware::from_fn_with_state(access, guard))
        .layer(middleware::from_fn(harmless))
}

/// Ends what takes too long.
async fn in_time(request: Request, next: Next) -> Response {
    let late = || Refusal::new(StatusCode::REQUEST_TIMEOUT, "the request took too long").into_response();
    tokio::time::timeout(PATIENCE, next.run(request)).await.unwrap_or_else(|_| late())
}

/// What browsers are told about every response: nothing from elsewhere, in nobody else's frame, and always fresh.
const HEADERS: [(HeaderName, &str); 5] = [
    (
        HeaderName::from_static("content-security-policy"),
        "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (HeaderName::from_static("x-content-type-options"), "nosniff"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("referrer-policy"), "no-referrer"),
    (CACHE_CONTROL, "no-store"),
];

async fn harmless(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

/// Does something that waits, for the pipeline or the disk, on a thread that may.
async fn waiting<T: Send + 'static>(act: impl FnOnce() -> T + Send + 'static) -> Answer<T> {
    let failed = |_| Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "that failed; see the server's messages");
    tokio::task::spawn_blocking(act).await.map_err(failed)
}

fn ended() -> Refusal {
    Refusal::conflict("the camera's stream is over, and the pipeline with it")
}

async fn status(State(station): Shared) -> Json<Status> {
    Json(station.status())
}

fn newest(station: &Station) -> Answer<Arc<Published>> {
    station.newest.borrow().clone().ok_or_else(|| Refusal::not_found("there is no frame yet"))
}

async fn observation(State(station): Shared) -> Answer<Response> {
    let published = newest(&station)?;
    let text = waiting(move || published.shown(&station).text.clone()).await?;
    Ok(([(CONTENT_TYPE, "application/json")], text.as_str().to_owned()).into_response())
}

async fn frame(State(station): Shared) -> Answer<Response> {
    let published = newest(&station)?;
    let jpeg = waiting(move || published.shown(&station).jpeg.clone()).await?;
    if jpeg.is_empty() {
        return Err(Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the frame cannot be encoded"));
    }
    Ok(([(CONTENT_TYPE, "image/jpeg")], jpeg).into_response())
}

async fn overlay(State(station): Shared) -> Answer<Response> {
    let published = newest(&station)?;
    let draw = move || {
        let mut png = Vec::new();
        let observation = &published.observation;
        encode_overlay(&mut png, &observation.shot.image, &observation.made.found.labels).map(|()| Bytes::from(png))
    };
    let png = waiting(draw).await?.map_err(|e| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, e))?;
    Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
}

async fn histogram(State(station): Shared) -> Json<Sizes> {
    Json(station.run().sizes(station.pixel_size_um))
}

async fn counts(State(station): Shared) -> Json<Vec<Second>> {
    Json(station.run().seconds())
}

#[derive(Serialize)]
struct ModelNames {
    model: String,
    models: Vec<String>,
}

async fn models(State(station): Shared) -> Answer<Json<ModelNames>> {
    waiting(move || {
        let models = station.models.list().into_iter().map(|choice| choice.name).collect();
        Json(ModelNames { model: station.chosen().model, models })
    })
    .await
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelName {
    model: String,
}

async fn choose_model(State(station): Shared, body: Body<ModelName>) -> Answer<Json<Value>> {
    let Json(ModelName { model }) = body?;
    waiting(move || {
        let choice = station.models.named(&model).ok_or_else(|| Refusal::not_found("there is no such model"))?;
        station.choose(choice).ok_or_else(ended)??;
        Ok(Json(json!({ "model": model })))
    })
    .await?
}

async fn threshold(State(station): Shared) -> Json<Value> {
    Json(json!({ "threshold": station.chosen().threshold }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Threshold {
    threshold: f32,
}

async fn set_threshold(State(station): Shared, body: Body<Threshold>) -> Answer<Json<Value>> {
    let Json(Threshold { threshold }) = body?;
    if !(threshold > 0.0 && threshold < 1.0) {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "threshold: expected more than 0 and less than 1"));
    }
    waiting(move || {
        station.set_threshold(threshold).ok_or_else(ended)?.map_err(Refusal::conflict)?;
        Ok(Json(json!({ "threshold": threshold })))
    })
    .await?
}

#[derive(Serialize)]
struct Lamp {
    /// 0 to 1; absent where there is none.
    level: Option<f32>,
    /// Why there is none.
    reason: Option<String>,
}

async fn led(State(station): Shared) -> Json<Lamp> {
    Json(match &station.light {
        Ok(light) => {
            let light = light.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            Lamp { level: Some(light.level()), reason: None }
        }
        Err(reason) => Lamp { level: None, reason: Some(reason.clone()) },
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    level: f32,
}

async fn set_led(State(station): Shared, body: Body<Level>) -> Answer<Json<Value>> {
    let Json(Level { level }) = body?;
    if !(0.0..=1.0).contains(&level) {
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, "level: expected 0 to 1"));
    }
    waiting(move || {
        let light = station.light.as_ref().map_err(Refusal::conflict)?;
        let mut light = light.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        light.set_level(level).map_err(|e| Refusal::new(StatusCode::BAD_GATEWAY, e))?;
        Ok(Json(json!({ "level": light.level() })))
    })
    .await?
}

#[derive(Serialize)]
struct Recording {
    /// Its name, while one runs.
    recording: Option<String>,
    /// Whether there can be one.
    possible: bool,
}

async fn recording(State(station): Shared) -> Json<Recording> {
    Json(Recording { recording: station.status().recording, possible: station.recordings.are_possible() })
}

async fn begin_recording(State(station): Shared) -> Answer<(StatusCode, Json<Value>)> {
    waiting(move || {
        if !station.recordings.are_possible() {
            return Err(Refusal::conflict("nothing can be recorded without --out DIR"));
        }
        let begin = {
            let station = Arc::clone(&station);
            move |worker: &mut Worker| {
                if worker.standing().recording {
                    return Err(Refusal::conflict("a recording runs already; end it first"));
                }
                let (name, recorder) = station.recordings.begin(SystemTime::now())?;
                worker.record(recorder)?;
                Ok(name)
            }
        };
        let name = station.pipeline.ask(begin).ok_or_else(ended)??;
        Ok((StatusCode::CREATED, Json(json!({ "recording": name }))))
    })
    .await?
}

async fn end_recording(State(station): Shared) -> Answer<Json<Value>> {
    waiting(move || {
        let end = |worker: &mut Worker| {
            if !worker.standing().recording {
                return Err(Refusal::conflict("no recording runs"));
            }
            Ok(worker.stop_recording()?)
        };
        station.pipeline.ask(end).ok_or_else(ended)??;
        Ok(Json(json!({ "recording": station.recordings.current() })))
    })
    .await?
}

async fn recordings(State(station): Shared) -> Answer<Json<Vec<Entry>>> {
    waiting(move || Json(station.recordings.list())).await
}

fn no_recording() -> Refusal {
    Refusal::not_found("there is no such recording")
}

async fn files(State(station): Shared, Path(name): Path<String>) -> Answer<Json<Vec<Entry>>> {
    let files = waiting(move || station.recordings.files(&name)).await?.ok_or_else(no_recording)?;
    Ok(Json(files.into_iter().map(|(entry, _)| entry).collect()))
}

fn download_permit(station: &Station) -> Answer<OwnedSemaphorePermit> {
    let permit = Arc::clone(&station.downloads).try_acquire_owned();
    permit.map_err(|_| Refusal::busy("too many downloads at a time; try again later"))
}

async fn file(State(station): Shared, Path((name, file)): Path<(String, String)>) -> Answer<Response> {
    let permit = download_permit(&station)?;
    let files = waiting(move || station.recordings.files(&name)).await?.ok_or_else(no_recording)?;
    let found = files.into_iter().find(|(entry, _)| entry.name == file);
    let (entry, path) = found.ok_or_else(|| Refusal::not_found("the recording has no such file"))?;
    Ok(download::file(&entry, path, permit))
}

async fn archive(State(station): Shared, Path(file): Path<String>) -> Answer<Response> {
    let name = file.strip_suffix(".zip").ok_or_else(no_recording)?.to_owned();
    let permit = download_permit(&station)?;
    let files = waiting(move || station.recordings.files(&name)).await?.ok_or_else(no_recording)?;
    Ok(download::archive(&file, files, permit))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::num::NonZeroUsize;

    use microtome_core::Kernel;

    use super::*;
    use crate::camera::{Address, Options, Size};
    use crate::engine;
    use crate::instrument::{Analysis, Setup};
    use crate::live::Pipeline;
    use crate::machine::{Machine, Rows};
    use crate::serve::recordings::Tables;
    use crate::serve::{Light, Models, Parts, Recordings};

    struct Bulb(f32);

    impl Light for Bulb {
        fn level(&self) -> f32 {
            self.0
        }

        fn set_level(&mut self, level: f32) -> Result<(), String> {
            if level > 0.9 {
                return Err("the lamp is too hot".into());
            }
            self.0 = level;
            Ok(())
        }
    }

    /// A station over a small simulated camera.
    fn station(light: Result<Box<dyn Light>, String>) -> Shared {
        let camera = Options {
            source: Address::Simulator,
            size: Some(Size { width: 64, height: 48 }),
            fps: None,
            pixel_format: None,
            colour: false,
            every_frame: false,
        };
        let machine = Arc::new(Machine::of(Kernel::best(), NonZeroUsize::MIN, Rows::Exactly(1)).unwrap());
        let worker = move || Worker::new(machine, None, &engine::Options::default(), Analysis::new(Setup::default()));
        let pipeline = Pipeline::start(camera.feed().unwrap(), worker).unwrap();
        let models = Models::new(None, None).unwrap();
        let recordings = Recordings::new(None, Tables::factory()).unwrap();
        State(Arc::new(Station::new(Parts { pipeline, models, recordings, light, pixel_size_um: None })))
    }

    #[tokio::test]
    async fn a_lamp_is_set_or_says_why_not() {
        let lit = station(Ok(Box::new(Bulb(0.5))));
        let set = |station: &Shared, level| set_led(State(Arc::clone(&station.0)), Ok(Json(Level { level })));
        assert_eq!(set(&lit, 0.25).await.unwrap().0, json!({ "level": 0.25 }));
        assert_eq!(led(State(Arc::clone(&lit.0))).await.level, Some(0.25));
        assert_eq!(set(&lit, 1.0).await.unwrap_err(), Refusal::new(StatusCode::BAD_GATEWAY, "the lamp is too hot"));
        for bad in [-0.1, 1.1, f32::NAN] {
            assert!(set(&lit, bad).await.is_err());
        }
        assert_eq!(led(lit).await.level, Some(0.25));
        let dark = station(Err("there is no lamp".into()));
        assert_eq!(set(&dark, 0.25).await.unwrap_err(), Refusal::conflict("there is no lamp"));
        assert_eq!(led(dark).await.reason.as_deref(), Some("there is no lamp"));
    }

    #[test]
    fn the_description_has_all_routes_and_no_others() {
        let description: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
        let paths = description["paths"].as_object().unwrap();
        let described: BTreeSet<(String, String)> = paths
            .iter()
            .flat_map(|(path, methods)| methods.as_object().unwrap().keys().map(move |m| (m.clone(), path.clone())))
            .collect();
        let served = routes().into_iter().map(|Route { method, path, .. }| (method.to_owned(), path.to_owned()));
        assert_eq!(described, served.collect());
        // Every reference leads somewhere.
        let text = description.to_string();
        let references = text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap());
        for reference in references {
            assert!(description.pointer(reference).is_some(), "{reference}");
        }
    }
}
