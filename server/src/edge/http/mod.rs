//! The HTTP API: sign-up, login, devices, people, single requests, discovery,
//! health, metrics, the way to the WebSocket bridge, and the web client's files.
//!
//! The same router answers on the TLS port and on the loopback port. Operators have
//! a port and a router of their own, with health and `/metrics`. Handlers translate, they decide nothing: the rules are
//! in `accounts` and behind the sessions' host. Every failure, also of routes and
//! bodies, is an `ErrorBody` from the error table; bad input never leads to a
//! 5xx. What a route takes and answers is in the OpenAPI document at
//! `/v1/openapi.json`.

mod account;
mod assets;
mod body;
mod browser;
mod caller;
mod credential;
mod error;
mod guard;
mod health;
mod openapi;
mod people;
mod refusals;
mod request;
mod requests;
mod sign_ins;
mod strict;
mod web;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::http::{Request, Uri};
use axum::routing::get;
use axum::{Json, Router};

use parley_protocol::Code;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::accounts::{Accounts, Ending, Exports};
use crate::base::metrics::Metrics;
use crate::base::space::Space;
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
    /// The room on the disk.
    pub space: Space,
    /// The text of `/metrics`.
    pub metrics: Metrics,
    /// Where clients connect, best first.
    pub urls: Arc<[String]>,
    /// The web client.
    pub assets: Arc<Assets>,
    /// WebTransport, if it is on.
    pub web_transport: Option<WebTransport>,
    /// Names of this machine besides its own.
    pub names: Arc<[String]>,
    /// Whether the certificate is the operator's own, so that browsers can be held to TLS.
    pub certified: bool,
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

/// Whether the node takes clients: not while it starts, not once it drains, and not
/// well while its disk doesn't answer.
#[derive(Debug, Clone, Default)]
pub struct Readiness {
    ready: Arc<AtomicBool>,
    stalled: Arc<AtomicBool>,
}

impl Readiness {
    /// Changes it, for every clone.
    pub fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Release);
        self.tell();
    }

    /// Says whether the disk doesn't answer, for every clone.
    pub fn set_stalled(&self, stalled: bool) {
        self.stalled.store(stalled, Ordering::Release);
        self.tell();
    }

    fn tell(&self) {
        let good = self.is_ready() && !self.is_stalled();
        metrics::gauge!(crate::base::metrics::list::READY).set(if good { 1.0 } else { 0.0 });
    }

    /// Whether the disk doesn't answer.
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.stalled.load(Ordering::Acquire)
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
    router(api, true)
}

/// The router of the loopback port.
pub fn plain_router<H: SessionHost>(api: Api<H>) -> Router {
    router(api, false)
}

/// The router of the operators' port. On loopback it answers under this machine's names
/// alone: a page must not get there by a name of its own.
pub fn operator_router(shared: Shared, on_loopback: bool) -> Router {
    let routes = Router::new()
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(async || ApiError::from(Code::NotFound));
    let hosts = on_loopback.then(|| Arc::clone(&shared.names));
    guard::wrap(routes, guard::Guard { hosts, secure: false }).with_state(shared)
}

fn router<H: SessionHost>(api: Api<H>, encrypted: bool) -> Router {
    let Api { shared, websockets } = api;
    let upgrade = move |State(accounts): State<Accounts>, request: Request<Body>| async move {
        let proof = sign_ins::proof(&accounts, request.uri())?;
        websockets.upgrade(request, proof).map_err(ApiError::from)
    };
    let (routes, document) = routes().split_for_parts();
    let routes = routes
        .route("/v1/openapi.json", get(async move || Json(document.clone())))
        .route("/v1/ws", get(upgrade))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(web::any);
    let guard = guard::Guard {
        hosts: (!encrypted).then(|| Arc::clone(&shared.names)),
        secure: encrypted && shared.certified,
    };
    guard::wrap(routes, guard).with_state(Port { shared, encrypted })
}

/// Every route that handlers answer by themselves. Its path, its method and its
/// part of the OpenAPI document stand at the handler.
fn routes() -> OpenApiRouter<Port> {
    OpenApiRouter::with_openapi(openapi::frame())
        .routes(routes!(account::sign_up))
        .routes(routes!(account::login))
        .routes(routes!(account::logout))
        .routes(routes!(account::account))
        .routes(routes!(account::delete))
        .routes(routes!(account::change_password))
        .routes(routes!(account::export))
        .routes(routes!(account::devices))
        .routes(routes!(account::revoke_others))
        .routes(routes!(account::revoke))
        .routes(routes!(sign_ins::sign_ins))
        .routes(routes!(sign_ins::ticket))
        .routes(routes!(people::user))
        .routes(routes!(people::profile))
        .routes(routes!(people::own))
        .routes(routes!(people::change_profile))
        .routes(routes!(people::change_settings))
        .routes(routes!(people::contacts))
        .routes(routes!(people::add_contact))
        .routes(routes!(people::remove_contact))
        .routes(routes!(people::blocks))
        .routes(routes!(people::block))
        .routes(routes!(people::unblock))
        .routes(routes!(people::report))
        .routes(routes!(request::request))
        .routes(routes!(health::discovery))
        .routes(routes!(health::livez))
        .routes(routes!(health::readyz))
}

#[cfg(test)]
mod tests;
