//! The HTTP API: sign-up, login, devices, discovery, health, metrics, and the
//! door to the WebSocket bridge.
//!
//! The same router answers on the TLS port and on the loopback port; only the
//! latter has `/metrics`. Handlers translate, they decide nothing: the rules
//! are in `accounts`. Every failure, also of routes and bodies, is an
//! `ErrorBody` from the error table; bad input never gives a 5xx. What a route
//! takes and gives is in the OpenAPI document at `/v1/openapi.json`.

mod account;
mod body;
mod caller;
mod error;
mod guard;
mod health;
mod openapi;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::FromRef;
use axum::http::Request;
use axum::routing::{delete, get, post};

use crate::accounts::Accounts;
use crate::listen::{Connections, SessionHost, WebSockets};
use crate::metrics::Metrics;

pub use error::ApiError;

/// What the API speaks for.
#[derive(Clone)]
pub struct Api<H> {
    /// The accounts.
    pub accounts: Accounts,
    /// The connections, for the load in discovery.
    pub connections: Connections,
    /// The WebSocket bridge.
    pub websockets: WebSockets<H>,
    /// Whether the node takes clients.
    pub readiness: Readiness,
    /// The text of `/metrics`.
    pub metrics: Metrics,
    /// Where clients connect, best first.
    pub urls: Vec<String>,
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
        metrics::gauge!(crate::metrics::list::READY).set(if ready { 1.0 } else { 0.0 });
    }

    /// Whether the node takes clients.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Acquire)
    }
}

/// What handlers see; the host's type stays out of it.
#[derive(Clone)]
struct Shared {
    accounts: Accounts,
    connections: Connections,
    readiness: Readiness,
    metrics: Metrics,
    urls: Arc<[String]>,
}

impl FromRef<Shared> for Accounts {
    fn from_ref(shared: &Shared) -> Self {
        shared.accounts.clone()
    }
}

/// The router of the TLS port.
pub fn tls_router<H: SessionHost>(api: Api<H>) -> Router {
    router(api, Router::new())
}

/// The router of the loopback port.
pub fn plain_router<H: SessionHost>(api: Api<H>) -> Router {
    router(api, Router::new().route("/metrics", get(health::metrics)))
}

fn router<H: SessionHost>(api: Api<H>, more: Router<Shared>) -> Router {
    let Api { accounts, connections, websockets, readiness, metrics, urls } = api;
    let shared = Shared { accounts, connections, readiness, metrics, urls: urls.into() };
    let upgrade = move |request: Request<Body>| async move {
        websockets.upgrade(request).map_err(ApiError::from)
    };
    let routes = more
        .route("/v1/accounts", post(account::sign_up))
        .route("/v1/login", post(account::login))
        .route("/v1/logout", post(account::logout))
        .route("/v1/account", get(account::account))
        .route("/v1/devices", get(account::devices))
        .route("/v1/devices/{device_id}", delete(account::revoke))
        .route("/v1/users/{name}", get(account::user))
        .route("/v1/discovery", get(health::discovery))
        .route("/v1/openapi.json", get(openapi::document))
        .route("/v1/ws", get(upgrade))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .method_not_allowed_fallback(error::method_not_allowed)
        .fallback(error::not_found);
    guard::wrap(routes).with_state(shared)
}

#[cfg(test)]
mod tests;
