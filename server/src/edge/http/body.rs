//! Bodies of requests: bounded in bytes and time before they are parsed.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, header};
use parley_protocol::Code;
use parley_protocol::limits::{HTTP_BODY_BYTES, UNAUTHENTICATED_BODY_BYTES};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use super::{ApiError, strict};
use crate::edge::listen::HttpPeer;

/// How long a body may take when its connection doesn't say.
const BODY_TIMEOUT: Duration = Duration::from_secs(10);

/// A request's body, as JSON.
pub(super) struct JsonBody<T>(pub(super) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for JsonBody<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        if !is_of_kind(request.headers(), "application/json") {
            return Err(Code::MediaTypeUnsupported.into());
        }
        // Whoever has to be signed in is by now; strangers send names and passwords.
        let known =
            request.extensions().get::<Arc<HttpPeer>>().is_none_or(|peer| peer.is_signed_in());
        let most = if known { HTTP_BODY_BYTES } else { UNAUTHENTICATED_BODY_BYTES };
        let bytes = bytes(request, most).await?;
        // The text names the field and the place; it goes to the sender alone.
        strict::from_slice(&bytes)
            .map(Self)
            .map_err(|error| ApiError::new(Code::BadRequest, error.to_string()))
    }
}

/// The whole body, of at most `most` bytes.
pub(super) async fn bytes(request: Request, most: usize) -> Result<bytes::Bytes, ApiError> {
    let too_large =
        || ApiError::new(Code::BodyTooLarge, format!("a request body has {most} bytes at most"));
    if declared(request.headers()).is_some_and(|length| length > most as u64) {
        return Err(too_large());
    }
    let patience =
        request.extensions().get::<Arc<HttpPeer>>().map_or(BODY_TIMEOUT, |peer| peer.patience());
    let read = timeout(patience, to_bytes(request.into_body(), most)).await;
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

/// Whether the body says that it is of this media type.
pub(super) fn is_of_kind(headers: &HeaderMap, wanted: &str) -> bool {
    let kind =
        headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case(wanted)
}

fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}
