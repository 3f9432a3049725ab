//! Any request of the framed protocol, one at a time.

use axum::extract::Request;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use parley_protocol::http::ErrorBody;
use parley_protocol::{Code, Message as _};

use super::ApiError;
use super::body;
use super::refusals::{BodyRefused, TokenRefused};
use super::requests::Requests;

/// The media type of envelopes.
const PROTOBUF: &str = "application/x-protobuf";

/// One request of the framed protocol, for clients that hold no session. The
/// body is one `ClientEnvelope`, the answer one `ServerEnvelope`, of protocol
/// version 1; a request that failed is a `Failure` in it, with status 200.
#[utoipa::path(
    post, path = "/v1/request", tag = "messages",
    request_body(content = String, content_type = "application/x-protobuf", description = "One ClientEnvelope."),
    responses(
        (status = 200, description = "One ServerEnvelope, also with a Failure in it.", body = String, content_type = "application/x-protobuf"),
        TokenRefused, BodyRefused,
        (status = 400, description = "bad_envelope.", body = ErrorBody),
        (status = 429, description = "rate_limited: too many bytes.", body = ErrorBody),
        (status = 503, description = "draining or overloaded; what was asked may have been done.", body = ErrorBody),
    )
)]
pub(super) async fn request(requests: Requests, request: Request) -> Result<Response, ApiError> {
    if !body::is_of_kind(request.headers(), PROTOBUF) {
        return Err(Code::MediaTypeUnsupported.into());
    }
    let envelope = body::bytes(request, requests.frame_bytes()).await?;
    let answer = requests.encoded(envelope).await?.encode_to_vec();
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static(PROTOBUF))], answer).into_response())
}
