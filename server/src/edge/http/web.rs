//! The web client at `/`: its files, the page of its addresses, and the headers
//! that keep everything else out of that page.
//!
//! What is no file and no part of the API is an address of the app, when a
//! browser navigates there; everything else that isn't there is `not_found`.

use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use parley_protocol::Code;

use super::{ApiError, Shared, WebTransport};

/// What a page may load and do, but for where it may connect: its own files and
/// nothing inline. Strings become markup or script addresses only through the
/// named policies: Svelte's for its own templates, the app's for its worker.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self' data: blob:; font-src 'self'; manifest-src 'self'; worker-src 'self'; \
    base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types svelte-trusted-html parley-sw";

/// No other window, frame or site gets hold of the page or its files.
const APART: [(HeaderName, HeaderValue); 3] = [
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("permissions-policy"),
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ),
];

/// What a build without the web client shows instead.
const MISSING: &str = "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Parley</title>\
    <h1>Parley runs, without its web client</h1>\
    <p>This build of the server holds no web client. <code>make run</code> builds both; \
    <code>web.folder</code> names the folder of one that was built apart.</p></html>";

/// Everything that is no route.
pub(super) async fn any(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let found = if method == Method::GET || method == Method::HEAD {
        page(&shared, uri.path(), &headers)
    } else {
        None
    };
    let Some(mut response) = found else {
        return ApiError::from(Code::NotFound).into_response();
    };
    let policy =
        format!("{POLICY}; connect-src {}", targets(shared.web_transport.as_ref(), &headers, &uri));
    if let Ok(policy) = HeaderValue::try_from(policy) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response.headers_mut().extend(APART);
    response
}

fn page(shared: &Shared, path: &str, headers: &HeaderMap) -> Option<Response> {
    let name = path.strip_prefix('/')?;
    if name.is_empty() || is_address(name, headers) {
        return shared.assets.index(headers).or_else(|| {
            let kind = HeaderValue::from_static("text/html; charset=utf-8");
            let page = (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, kind)], MISSING);
            Some(page.into_response())
        });
    }
    shared.assets.file(name, headers)
}

/// Whether a browser goes to an address of the app. A file that is gone, such
/// as one of an older build, must not look as if it were there.
fn is_address(name: &str, headers: &HeaderMap) -> bool {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    let navigates = accepted.is_some_and(|accepted| accepted.contains("text/html"));
    let (first, last) = (name.split('/').next(), name.rsplit('/').next());
    let reserved = matches!(first, Some("v1" | "assets" | "livez" | "readyz" | "metrics"));
    navigates && !reserved && !last.is_some_and(|last| last.contains('.'))
}

/// Where the page may connect: back here, spelled out for browsers to which
/// 'self' means no WebSocket, and to WebTransport's port.
fn targets(web_transport: Option<&WebTransport>, headers: &HeaderMap, uri: &Uri) -> String {
    let Some(host) = host(headers, uri) else { return "'self'".to_owned() };
    let mut targets = format!("'self' ws://{host} wss://{host}");
    let origin = web_transport.and_then(|wt| web_transport_origin(wt, headers, uri));
    if let Some(origin) = origin {
        targets.push(' ');
        targets.push_str(&origin);
    }
    targets
}

/// Where WebTransport is, for who asked this host by this name.
pub(super) fn web_transport_origin(
    wt: &WebTransport,
    headers: &HeaderMap,
    uri: &Uri,
) -> Option<String> {
    let host = host(headers, uri)?.parse::<Authority>().ok()?;
    Some(format!("https://{}:{}", host.host(), wt.port))
}

/// The host that was asked, if its name holds nothing that means something
/// elsewhere: it is the client's word.
fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // HTTP/2 has it in the URI.
    let host = host.or_else(|| uri.authority().map(Authority::as_str))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || ".:-[]".contains(c);
    (!host.is_empty() && host.chars().all(plain)).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asking(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let pair = |(name, value): &(&'static str, &str)| {
            (HeaderName::from_static(name), value.parse().unwrap())
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn addresses_of_the_app_are_what_browsers_go_to() {
        let browser = asking(&[("accept", "text/html,application/xhtml+xml,*/*;q=0.8")]);
        for yes in ["u/0/c/01890abc-def0-7abc-8def-000000000a11", "settings", "u/0/", "v2"] {
            assert!(is_address(yes, &browser), "{yes}");
        }
        for no in ["v1", "v1/nothing", "assets/old-1.js", "assets", "livez", "metrics", "x.js"] {
            assert!(!is_address(no, &browser), "{no}");
        }
        assert!(!is_address("settings", &asking(&[("accept", "*/*")])), "a script asks");
        assert!(!is_address("settings", &HeaderMap::new()));
    }

    #[test]
    fn pages_connect_to_their_own_host_and_its_name_adds_nothing() {
        let uri = Uri::from_static("/");
        let own = targets(None, &asking(&[("host", "chat.example:7443")]), &uri);
        assert_eq!(own, "'self' ws://chat.example:7443 wss://chat.example:7443");
        let http2 = Uri::from_static("https://[::1]:7443/");
        let wt = WebTransport { port: 9, certificate: std::sync::Arc::new(|| None) };
        assert_eq!(
            targets(Some(&wt), &HeaderMap::new(), &http2),
            "'self' ws://[::1]:7443 wss://[::1]:7443 https://[::1]:9"
        );
        for odd in ["x; script-src *", "a b", "a,b", "'unsafe-inline'", ""] {
            assert_eq!(targets(Some(&wt), &asking(&[("host", odd)]), &uri), "'self'", "{odd}");
        }
    }
}
