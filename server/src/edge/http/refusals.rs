//! What the OpenAPI document says a request may be refused with: one set for
//! each reason that many routes share. Whatever is special to a route stands
//! there, behind the sets, and wins over them.

use std::collections::BTreeMap;

use parley_protocol::http::ErrorBody;
use utoipa::openapi::{ContentBuilder, RefOr, Response, ResponseBuilder};
use utoipa::{IntoResponses, ToSchema as _};

type Responses = BTreeMap<String, RefOr<Response>>;

/// Sets by name, with the status and the description of each refusal.
macro_rules! refusals {
    ($($(#[doc = $doc:literal])* $set:ident { $($status:literal: $description:literal,)* })*) => {$(
        $(#[doc = $doc])*
        pub(super) struct $set;

        impl IntoResponses for $set {
            fn responses() -> Responses {
                [$(($status, $description)),*].into_iter().map(refusal).collect()
            }
        }
    )*};
}

refusals! {
    /// Of every route of a signed-in device.
    TokenRefused {
        400: "bad_request: the header Parley-Account names no slot.",
        401: "token_invalid.",
        403: "forbidden: a page of another site asks with a cookie.",
        500: "internal.",
    }
    /// Of every route that takes a JSON body.
    BodyRefused {
        400: "bad_request.",
        408: "handshake_timeout: the body took too long.",
        413: "body_too_large.",
        415: "media_type_unsupported.",
    }
    /// Of every route whose path or body names somebody or something.
    NotFound {
        404: "not_found.",
    }
    /// Of every route that takes from a rate.
    RateLimited {
        429: "rate_limited.",
    }
    /// Of every route that writes.
    NotWritten {
        503: "overloaded, storage_failed or storage_low.",
    }
}

fn refusal((status, description): (u16, &str)) -> (String, RefOr<Response>) {
    let schema = RefOr::Ref(utoipa::openapi::Ref::from_schema_name(ErrorBody::name()));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let response =
        ResponseBuilder::new().description(description).content("application/json", content);
    (status.to_string(), response.build().into())
}
