//! JSON bodies of requests: bounded in bytes and time before they are parsed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use parley_protocol::Code;
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::ApiError;
use crate::listen::HttpPeer;

/// Bytes of a body. The largest that is valid has about 2 KiB.
const BODY_BYTES: usize = 64 * 1024;

/// How long a body may take when its connection doesn't say.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request's body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        if !is_json(request.headers()) {
            return Err(Code::MediaTypeUnsupported.into());
        }
        let too_large = || {
            ApiError::new(
                Code::BodyTooLarge,
                format!("a request body has {BODY_BYTES} bytes at most"),
            )
        };
        if declared(request.headers()).is_some_and(|length| length > BODY_BYTES as u64) {
            return Err(too_large());
        }
        let patience = request
            .extensions()
            .get::<Arc<HttpPeer>>()
            .map_or(BODY_TIMEOUT, |peer| peer.patience());
        let bytes = read(request.into_body(), patience, too_large).await?;
        // The text names the field and the place; it goes to the sender alone.
        serde_json::from_slice(&bytes)
            .map(Self)
            .map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
    }
}

async fn read(
    body: Body,
    patience: Duration,
    too_large: impl Fn() -> ApiError,
) -> Result<bytes::Bytes, ApiError> {
    let read = timeout(patience, to_bytes(body, BODY_BYTES)).await;
    let late = || ApiError::new(Code::HandshakeTimeout, "the request body took too long");
    read.map_err(|_| late())?.map_err(|error| {
        let limit = std::error::Error::source(&error)
            .is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>());
        if limit {
            too_large()
        } else {
            ApiError::new(Code::BadRequest, "the request body broke off")
        }
    })
}

fn is_json(headers: &HeaderMap) -> bool {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/json")
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
