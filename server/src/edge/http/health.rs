//! Where to connect, whether the node lives, whether it takes clients, and
//! what it counts.

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use parley_protocol::Code;
use parley_protocol::http::{DiscoveredNode, Discovery, ErrorBody, WebTransport};

use super::{ApiError, Shared, web};
use crate::base::space::Level;

/// How long clients may keep the answer of discovery, in milliseconds.
const DISCOVERY_TTL_MS: u64 = 60_000;

/// Where to connect, best first.
#[utoipa::path(
    get, path = "/v1/discovery", tag = "node", security(()),
    responses((status = 200, description = "The nodes that take clients.", body = Discovery))
)]
pub(super) async fn discovery(
    State(shared): State<Shared>,
    headers: HeaderMap,
    uri: Uri,
) -> Json<Discovery> {
    let node = DiscoveredNode {
        urls: shared.urls.to_vec(),
        draining: !shared.readiness.is_ready(),
        load: shared.connections.load(),
        wt: web_transport(&shared, &headers, &uri),
    };
    Json(Discovery { nodes: vec![node], ttl_ms: DISCOVERY_TTL_MS })
}

/// WebTransport at the name under which this host was asked: browsers mind names.
fn web_transport(shared: &Shared, headers: &HeaderMap, uri: &Uri) -> Option<WebTransport> {
    let wt = shared.web_transport.as_ref()?;
    let certificate_sha256 = (wt.certificate)().map(|hash| BASE64_STANDARD.encode(hash));
    let url = format!("{}/v1/wt", web::web_transport_origin(wt, headers, uri)?);
    Some(WebTransport { url, certificate_sha256 })
}

/// Whether the process answers at all.
#[utoipa::path(
    get, path = "/livez", tag = "node", security(()),
    responses((status = 200, description = "It does.", body = String, content_type = "text/plain"))
)]
pub(super) async fn livez() -> &'static str {
    "alive\n"
}

/// Whether the node takes clients.
#[utoipa::path(
    get, path = "/readyz", tag = "node", security(()),
    responses(
        (status = 200, description = "It does: `ready`. With a second line `storage_low` it \
         takes nothing new, as its disk is almost full.", body = String,
         content_type = "text/plain"),
        (status = 503, description = "draining: it starts or closes. storage_failed: its disk \
         does not answer.", body = ErrorBody),
    )
)]
///
/// A node whose disk is almost full takes clients: they read, and are told of the rest.
pub(super) async fn readyz(State(shared): State<Shared>) -> Result<&'static str, ApiError> {
    let readiness = &shared.readiness;
    if !readiness.is_ready() {
        Err(Code::Draining.into())
    } else if readiness.is_stalled() {
        Err(ApiError::new(Code::StorageFailed, "The disk does not answer; requests wait for it."))
    } else if shared.space.level() > Level::Plenty {
        Ok("ready\nstorage_low\n")
    } else {
        Ok("ready\n")
    }
}

/// What the node counts, in Prometheus' text format. Only for operators.
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, kind)], shared.metrics.render()).into_response()
}
