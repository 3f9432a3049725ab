//! What holds for every route: security headers, a count, and a panic that
//! becomes an answer.

use axum::Router;
use axum::extract::{MatchedPath, Request};
use axum::http::{HeaderValue, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use parley_protocol::Code;
use tower_http::catch_panic::CatchPanicLayer;

use super::ApiError;
use crate::base::metrics::list as metric;

/// Answers of the API are data: nothing in them may be shown, framed or run.
const POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

/// Puts the guard around routes.
pub(super) fn wrap<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(CatchPanicLayer::custom(|_| panicked())).layer(middleware::from_fn(each))
}

async fn each(request: Request, next: Next) -> Response {
    // The pattern, not the path: the label must not grow with what is asked.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The web client's files have their own.
    let data = HeaderValue::from_static(POLICY);
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(data);
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    let route = route.as_ref().map_or("none", MatchedPath::as_str).to_owned();
    let status = response.status().as_u16().to_string();
    metrics::counter!(metric::HTTP_REQUESTS, "route" => route, "status" => status).increment(1);
    response
}

fn panicked() -> Response {
    // The panic itself was printed by the hook, with its place.
    tracing::error!("a request handler panicked");
    ApiError::from(Code::Internal).into_response()
}
