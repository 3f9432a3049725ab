//! The WebSocket bridge: one binary message is one envelope.
//!
//! The router hands `GET /v1/ws` to [`WebSockets::upgrade`], which checks the
//! request and goes on with the bare connection. Batching: messages gather in a
//! small write buffer until a flush. Failure: a text message or an oversize one
//! ends the session with its code. There is no compression.

mod stream;

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use hyper::upgrade::OnUpgrade;
use parley_protocol::Code;
use parley_protocol::version::WEBSOCKET_PROTOCOL;
use tokio::time::{Instant, timeout_at};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_util::task::TaskTracker;

use super::Options;
use super::connection::{Peer, Proof, SessionHost};
use super::http_peer::{HttpClient, HttpPeer};
use super::origin;
use super::transport::Transport;
use crate::base::clock;

/// Why a request did not become a WebSocket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct UpgradeRefused {
    /// The code to answer with.
    pub code: Code,
    /// What was wrong, for a person.
    pub text: &'static str,
}

/// Turns HTTP requests into sessions. Cheap to clone.
#[derive(Clone)]
pub struct WebSockets<H> {
    host: H,
    options: Arc<Options>,
    sessions: TaskTracker,
}

impl<H: SessionHost> WebSockets<H> {
    /// A bridge to `host`.
    #[must_use]
    pub fn new(host: H, options: Options) -> Self {
        Self { host, options: Arc::new(options), sessions: TaskTracker::new() }
    }

    /// Answers a request for an upgrade; the session runs on by itself. A
    /// `proof` goes to the host with it.
    ///
    /// # Errors
    /// [`UpgradeRefused`] when the request is not a WebSocket handshake of this
    /// protocol or comes from a foreign web page.
    pub fn upgrade(
        &self,
        mut request: Request<Body>,
        proof: Option<Proof>,
    ) -> Result<Response<Body>, UpgradeRefused> {
        let key = check(&request, &self.options.origins)?;
        let missing =
            UpgradeRefused { code: Code::BadRequest, text: "this connection cannot be upgraded" };
        let on_upgrade = request.extensions_mut().remove::<OnUpgrade>().ok_or(missing)?;
        let peer = request.extensions().get::<Arc<HttpPeer>>().ok_or(missing)?;
        let client = request.extensions().get::<HttpClient>();
        let address = client.map_or(peer.address(), |client| client.address);
        // The connection's, not a new one, while nobody has said who they are.
        let deadline = if peer.is_signed_in() {
            Instant::from(clock::now()) + self.options.handshake
        } else {
            peer.deadline()
        };
        let spent = peer.hand_over();
        let mut permit = peer.take_permit().ok_or(missing)?;
        permit.set_transport(Transport::WebSocket);
        let peer = Peer { address, transport: Transport::WebSocket, proof };
        let (host, options) = (self.host.clone(), Arc::clone(&self.options));
        let sessions = self.sessions.clone();
        self.sessions.spawn(async move {
            if let Ok(Ok(upgraded)) = timeout_at(deadline, on_upgrade).await {
                let (reader, writer) =
                    stream::pair(upgraded, deadline, options.frame_bytes, spent).await;
                // Its own task has no room for the upgrade.
                sessions.spawn(async move { host.serve(reader, writer, peer, permit).await });
            }
        });
        Ok(switching(&key))
    }

    /// Resolves when every session has ended; no upgrade is taken afterwards.
    pub async fn closed(&self) {
        self.sessions.close();
        self.sessions.wait().await;
    }
}

fn switching(key: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(WEBSOCKET_PROTOCOL));
    // Base64 is always a valid header value.
    if let Ok(accept) = HeaderValue::from_str(&derive_accept_key(key.as_bytes())) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    response
}

/// Checks the handshake of RFC 6455 section 4.2.1; returns the key.
fn check(request: &Request<Body>, origins: &[String]) -> Result<String, UpgradeRefused> {
    let bad = |text| UpgradeRefused { code: Code::BadRequest, text };
    let headers = request.headers();
    if request.method() != Method::GET || request.version() != Version::HTTP_11 {
        return Err(bad("a WebSocket starts with GET over HTTP/1.1"));
    }
    if !has_token(headers, header::CONNECTION, "upgrade")
        || !has_token(headers, header::UPGRADE, "websocket")
    {
        return Err(bad("the request asks for no upgrade to websocket"));
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(bad("the WebSocket version must be 13"));
    }
    if !has_token(headers, header::SEC_WEBSOCKET_PROTOCOL, WEBSOCKET_PROTOCOL) {
        return Err(bad("the WebSocket subprotocol must be parley.v1"));
    }
    if !origin::may_upgrade(headers, origins) {
        return Err(bad("web pages of this origin may not connect"));
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).and_then(|key| key.to_str().ok());
    key.filter(|key| key.len() == 24)
        .map(str::to_owned)
        .ok_or_else(|| bad("the WebSocket key is missing"))
}

fn has_token(headers: &HeaderMap, name: header::HeaderName, token: &str) -> bool {
    headers
        .get_all(name)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .any(|part| part.trim().eq_ignore_ascii_case(token))
}
