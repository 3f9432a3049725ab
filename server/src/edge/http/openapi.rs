//! The OpenAPI document, but for what its routes bring: the router adds each
//! handler's part when it takes the handler.

use parley_protocol::http::ErrorBody;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

/// The WebSocket bridge: one binary message is one envelope of protocol `parley.v1`.
#[utoipa::path(
    get, path = "/v1/ws", tag = "node", security(()),
    params(("ticket" = Option<String>, Query, pattern = "^[0-9a-f]{64}$", description = "A ticket, in place of Hello's token.")),
    responses(
        (status = 101, description = "The connection is a WebSocket; the session opens with Hello."),
        (status = 400, description = "bad_request: not a WebSocket handshake of this protocol, or from a foreign page.", body = ErrorBody),
        (status = 401, description = "ticket_invalid.", body = ErrorBody),
    )
)]
#[expect(
    dead_code,
    reason = "only its description is used; the route is a closure over the bridge"
)]
async fn websocket() {}

/// This document.
#[utoipa::path(
    get, path = "/v1/openapi.json", tag = "node", security(()),
    responses((status = 200, description = "OpenAPI 3.1, as JSON."))
)]
#[expect(dead_code, reason = "only its description is used; the route holds the document")]
async fn document() {}

/// The document before the routes.
pub(super) fn frame() -> utoipa::openapi::OpenApi {
    Document::openapi()
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Parley",
        description = "Accounts, devices, people and discovery. Chatting itself is the framed protocol of docs/protocol.md; \
                       any of its requests can be made one by one with POST /v1/request. \
                       Every failure, also 404 and 405 of any path, has an ErrorBody; its code says what to do.",
    ),
    paths(document, websocket),
    components(schemas(ErrorBody)),
    security(("token" = []), ("cookie" = [])),
    modifiers(&Token),
)]
struct Document;

/// Adds the bearer token and the cookies.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let bearer = HttpBuilder::new()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("The session token of sign-up or login: 64 hex digits."))
            .build();
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("token", SecurityScheme::Http(bearer));
        // In browsers; the slot is in the header Parley-Account, and TLS adds the prefix __Host-.
        let text = "The session token in the cookie of the slot that the header Parley-Account names: \
                    parley-N, with TLS __Host-parley-N.";
        let cookie = ApiKey::Cookie(ApiKeyValue::with_description("parley-0", text));
        document
            .components
            .get_or_insert_default()
            .add_security_scheme("cookie", SecurityScheme::ApiKey(cookie));
    }
}
