//! The HTTP API: sign-up, login, devices, people, single requests, discovery,
//! health, metrics, the way to the WebSocket bridge, and the web client's files.
//!
//! The same router answers on the TLS port and on the loopback port; only the
//! latter has `/metrics`. Handlers translate, they decide nothing: the rules are
//! in `accounts` and behind the sessions' host. Every failure, also of routes and
//! bodies, is an `ErrorBody` from the error table; bad input never leads to a
//! 5xx. What a route takes and answers is in the OpenAPI document at
//! `/v1/openapi.json`.

mod account;
mod assets;
mod body;
mod browser;
mod caller;
mod error;
mod guard;
mod health;
mod openapi;
mod people;
mod request;
mod requests;
mod sign_ins;
mod web;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::http::{Request, Uri};
use axum::routing::{delete, get, patch, post, put};

use parley_protocol::Code;

use crate::accounts::{Accounts, Ending, Exports};
use crate::base::metrics::Metrics;
use crate::edge::listen::{Connections, Proof, SessionHost, WebSockets};
use crate::edge::session::Host;

pub use assets::Assets;
pub use error::ApiError;

/// What the API speaks for.
#[derive(Clone)]
pub struct Api<H> {
    /// What handlers work with.
    pub shared: Shared,
    /// The WebSocket bridge.
    pub websockets: WebSockets<H>,
}

/// What handlers work with. Cheap to clone.
#[derive(Clone)]
pub struct Shared {
    /// The accounts.
    pub accounts: Accounts,
    /// Ends accounts.
    pub ending: Ending,
    /// Exports accounts' data.
    pub exports: Exports,
    /// Answers what a session could ask.
    pub host: Host,
    /// The connections, for the load in discovery.
    pub connections: Connections,
    /// Whether the node takes clients.
    pub readiness: Readiness,
    /// The text of `/metrics`.
    pub metrics: Metrics,
    /// Where clients connect, best first.
    pub urls: Arc<[String]>,
    /// The web client.
    pub assets: Arc<Assets>,
    /// WebTransport, if it is on.
    pub web_transport: Option<WebTransport>,
}

/// Where browsers find WebTransport.
#[derive(Clone)]
pub struct WebTransport {
    /// The port of QUIC.
    pub port: u16,
    /// SHA-256 of the certificate in force there, when it is one of its own.
    pub certificate: Arc<dyn Fn() -> Option<[u8; 32]> + Send + Sync>,
}

/// Whose session a request's target says it will be, for other doors than the
/// WebSocket's. Uses up the ticket in it.
///
/// # Errors
/// `ticket_invalid`, `bad_request`.
pub fn proof(accounts: &Accounts, target: &Uri) -> Result<Option<Proof>, Code> {
    sign_ins::proof(accounts, target).map_err(|error| error.code())
}

/// Whether the node takes clients: not while it starts, not once it drains.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    ready: Arc<AtomicBool>,
}

impl Readiness {
    /// Changes it, for every clone.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
        metrics::gauge!(crate::base::metrics::list::READY).set(if ready { 1.0 } else { 0.0 });
    }

    /// Whether the node takes clients.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}

/// One of the two ports a request may come in at.
#[derive(Clone)]
struct Port {
    shared: Shared,
    /// Whether this is the port with TLS.
    encrypted: bool,
}

impl FromRef<Port> for Shared {
    fn from_ref(port: &Port) -> Self {
        port.shared.clone()
    }
}

impl FromRef<Port> for Accounts {
    fn from_ref(port: &Port) -> Self {
        port.shared.accounts.clone()
    }
}

impl FromRef<Port> for Ending {
    fn from_ref(port: &Port) -> Self {
        port.shared.ending.clone()
    }
}

impl FromRef<Port> for Exports {
    fn from_ref(port: &Port) -> Self {
        port.shared.exports.clone()
    }
}

/// The router of the TLS port.
pub fn tls_router<H: SessionHost>(api: Api<H>) -> Router {
    router(api, true, Router::new())
}

/// The router of the loopback port.
pub fn plain_router<H: SessionHost>(api: Api<H>) -> Router {
    router(api, false, Router::new().route("/metrics", get(health::metrics)))
}

fn router<H: SessionHost>(api: Api<H>, encrypted: bool, more: Router<Port>) -> Router {
    let Api { shared, websockets } = api;
    let upgrade = move |State(accounts): State<Accounts>, request: Request<Body>| async move {
        let proof = sign_ins::proof(&accounts, request.uri())?;
        websockets.upgrade(request, proof).map_err(ApiError::from)
    };
    let routes = more
        .route("/v1/accounts", post(account::sign_up))
        .route("/v1/login", post(account::login))
        .route("/v1/logout", post(account::logout))
        .route("/v1/sign-ins", get(sign_ins::sign_ins))
        .route("/v1/ticket", post(sign_ins::ticket))
        .route("/v1/account", get(account::account).delete(account::delete))
        .route("/v1/account/password", post(account::change_password))
        .route("/v1/account/export", get(account::export))
        .route("/v1/devices", get(account::devices).delete(account::revoke_others))
        .route("/v1/devices/{device_id}", delete(account::revoke))
        .route("/v1/users/{name}", get(people::user))
        .route("/v1/profiles/{user}", get(people::profile))
        .route("/v1/profile", get(people::own).patch(people::change_profile))
        .route("/v1/settings", patch(people::change_settings))
        .route("/v1/contacts", get(people::contacts))
        .route("/v1/contacts/{user}", put(people::add_contact).delete(people::remove_contact))
        .route("/v1/blocks", get(people::blocks))
        .route("/v1/blocks/{user}", put(people::block).delete(people::unblock))
        .route("/v1/reports", post(people::report))
        .route("/v1/request", post(request::request))
        .route("/v1/discovery", get(health::discovery))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/ws", get(upgrade))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(web::any);
    guard::wrap(routes).with_state(Port { shared, encrypted })
}

#[cfg(test)]
mod tests;
