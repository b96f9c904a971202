//! The routes. `openapi.json` describes them, and a test holds one against the other.

mod choose;
mod record;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Json, Router};

use super::access::{Access, guard};
use super::asset::ASSETS;
use super::refusal::Refusal;
use super::station::Station;
use super::stream;

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
        route("get", "/api/status", watch::status),
        route("get", "/api/observation", watch::observation),
        route("get", "/api/frame.jpg", watch::frame),
        route("get", "/api/overlay.png", watch::overlay),
        route("get", "/api/histogram", watch::histogram),
        route("get", "/api/counts", watch::counts),
        route("get", "/api/stream", stream::stream),
        route("get", "/api/model", choose::models),
        route("put", "/api/model", choose::set_model),
        route("get", "/api/threshold", choose::threshold),
        route("put", "/api/threshold", choose::set_threshold),
        route("get", "/api/led", choose::led),
        route("put", "/api/led", choose::set_led),
        route("get", "/api/recording", record::now),
        route("post", "/api/recording", record::begin),
        route("delete", "/api/recording", record::end),
        route("get", "/api/recordings", record::list),
        route("get", "/api/recordings/{name}", record::files),
        route("get", "/api/recordings/{name}/{file}", record::file),
        route("get", "/api/archives/{file}", record::archive),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    #[test]
    fn the_description_has_all_routes_and_no_others() {
        let description: Value = serde_json::from_str(include_str!("../openapi.json")).unwrap();
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
