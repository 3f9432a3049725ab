//! What holds for every route: whose request it is, under which names this host is
//! asked, security headers, a count, and a panic that becomes an answer.

use std::sync::Arc;

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use parley_protocol::Code;
use tower_http::catch_panic::CatchPanicLayer;

use super::ApiError;
use crate::base::metrics::list as metric;
use crate::edge::listen::{HttpClient, HttpPeer, is_own_host};

/// Answers of the API are data: nothing in them may be shown, framed or run.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Browsers that came once with TLS come with nothing else for a year.
const SECURE: &str = "max-age=31536000";

/// What a port is guarded by.
#[derive(Clone)]
pub(super) struct Guard {
    /// The names this machine is asked by besides its own; `None` takes any.
    pub(super) hosts: Option<Arc<[String]>>,
    /// Whether browsers are told to come with TLS alone.
    pub(super) secure: bool,
}

/// Puts the guard around routes.
pub(super) fn wrap<S: Clone + Send + Sync + 'static>(routes: Router<S>, guard: Guard) -> Router<S> {
    let each = move |request: Request, next: Next| each(guard.clone(), request, next);
    routes.layer(CatchPanicLayer::custom(|_| panicked())).layer(middleware::from_fn(each))
}

/// Whom the request is of, if it may be answered.
fn admit(guard: &Guard, request: &Request) -> Result<Option<HttpClient>, ApiError> {
    let peer = request.extensions().get::<Arc<HttpPeer>>();
    let client = peer.map(|peer| peer.client(request.headers())).transpose();
    let client = client.map_err(|_| Code::TooManyConnections)?;
    let by_proxy = client.is_some_and(|client| client.by_proxy);
    if let Some(names) = guard.hosts.as_ref().filter(|_| !by_proxy)
        && let Some(host) = request.headers().get(header::HOST)
        && !host.to_str().is_ok_and(|host| is_own_host(host, names))
    {
        return Err(Code::HostUnknown.into());
    }
    Ok(client)
}

/// Whether the log says of an answer where it went, for whoever watches for guesses: a
/// sign-in that went through, or a wrong password. Both have passed a limit; a line for
/// what anybody can send at will would fill the disk, so the rest is for debugging.
fn is_sign_in(route: &str, status: StatusCode) -> bool {
    match route {
        "/v1/accounts" | "/v1/login" => status.is_success() || status == StatusCode::UNAUTHORIZED,
        // Here 401 is a bad token too, of which there is no limit.
        "/v1/account/password" => status.is_success(),
        _ => false,
    }
}

async fn each(guard: Guard, mut request: Request, next: Next) -> Response {
    // The pattern, not the path: the label must not grow with what is asked.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let admitted = admit(&guard, &request);
    let from = admitted.as_ref().ok().copied().flatten();
    let mut response = match admitted {
        Ok(client) => {
            if let Some(client) = client {
                request.extensions_mut().insert(client);
            }
            next.run(request).await
        }
        Err(error) => error.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The web client's files have their own.
    let data = HeaderValue::from_static(POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(data);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if guard.secure {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(SECURE));
    }
    let route = route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let status = response.status().as_u16().to_string();
    if let Some(client) = from {
        let from = client.address.ip();
        if is_sign_in(&route, response.status()) {
            tracing::info!(%from, route, status, "answered");
        } else {
            tracing::debug!(%from, route, status, "answered");
        }
    }
    metrics::counter!(metric::HTTP_REQUESTS, "route" => route, "status" => status).increment(1);
    response
}

fn panicked() -> Response {
    // The panic itself was printed by the hook, with its place.
    tracing::error!("a request handler panicked");
    ApiError::from(Code::Internal).into_response()
}
