//! How the API says no.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::error::Error;

/// A status and one sentence, sent as `{"error": "…"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    status: StatusCode,
    text: String,
}

impl Refusal {
    /// A refusal with this status.
    pub fn new(status: StatusCode, text: impl ToString) -> Self {
        Refusal { status, text: text.to_string() }
    }

    /// There is no such thing.
    pub fn not_found(text: impl ToString) -> Self {
        Refusal::new(StatusCode::NOT_FOUND, text)
    }

    /// As things are, that cannot be done.
    pub fn conflict(text: impl ToString) -> Self {
        Refusal::new(StatusCode::CONFLICT, text)
    }

    /// Too many ask for the same.
    pub fn busy(text: impl ToString) -> Self {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }
}

impl From<JsonRejection> for Refusal {
    fn from(rejection: JsonRejection) -> Self {
        Refusal::new(rejection.status(), rejection.body_text())
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::Output { .. } | Error::Stdout(_) => StatusCode::INSUFFICIENT_STORAGE,
            Error::Usage(_) | Error::Model { .. } | Error::Input { .. } => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Refusal::new(status, error)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.text }))).into_response()
    }
}
