//! The page's own files, built into the program.

use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

/// A file of the page: its path, its type, what it holds.
pub struct Asset {
    pub path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const HTML: &str = "text/html; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const SCRIPT: &str = "text/javascript; charset=utf-8";

/// All of them.
pub const ASSETS: [Asset; 9] = [
    Asset { path: "/", kind: HTML, text: include_str!("page/index.html") },
    Asset { path: "/style.css", kind: STYLE, text: include_str!("page/style.css") },
    Asset { path: "/app.js", kind: SCRIPT, text: include_str!("page/app.js") },
    Asset { path: "/stream.js", kind: SCRIPT, text: include_str!("page/stream.js") },
    Asset { path: "/view.js", kind: SCRIPT, text: include_str!("page/view.js") },
    Asset { path: "/charts.js", kind: SCRIPT, text: include_str!("page/charts.js") },
    Asset { path: "/controls.js", kind: SCRIPT, text: include_str!("page/controls.js") },
    Asset { path: "/icon.svg", kind: "image/svg+xml", text: include_str!("page/icon.svg") },
    Asset { path: "/openapi.json", kind: "application/json", text: include_str!("openapi.json") },
];

impl IntoResponse for &'static Asset {
    fn into_response(self) -> Response {
        ([(CONTENT_TYPE, self.kind)], self.text).into_response()
    }
}
