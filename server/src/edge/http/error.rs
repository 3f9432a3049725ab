//! Every failure of the API as its answer: status, headers, `ErrorBody`.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use parley_protocol::Code;
use parley_protocol::http::{ErrorBody, ErrorDetail};

use crate::accounts::AccountError;
use crate::edge::listen::UpgradeRefused;

/// A request that failed.
#[derive(Debug)]
pub struct ApiError {
    code: Code,
    text: String,
    retry_after_ms: Option<u64>,
}

impl ApiError {
    /// A failure with more to say than the table does.
    pub(super) fn new(code: Code, text: impl Into<String>) -> Self {
        Self { code, text: text.into(), retry_after_ms: None }
    }

    /// Its code.
    pub(super) const fn code(&self) -> Code {
        self.code
    }

    /// A failure that may pass; `retry_after_ms` when it is known how soon.
    pub(super) fn later(code: Code, retry_after_ms: Option<u64>) -> Self {
        Self { retry_after_ms, ..code.into() }
    }
}

impl From<Code> for ApiError {
    fn from(code: Code) -> Self {
        Self::new(code, code.text())
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        if let AccountError::Store(cause) = &error {
            tracing::error!(error = %cause, "the accounts could not be read");
        }
        Self { retry_after_ms: error.retry_after_ms(), ..error.code().into() }
    }
}

impl From<UpgradeRefused> for ApiError {
    fn from(refused: UpgradeRefused) -> Self {
        Self::new(refused.code, refused.text)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.code.http_status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = ErrorBody {
            error: ErrorDetail {
                code: self.code as u32,
                name: self.code.name().to_owned(),
                text: self.text,
                retry: self.code.retry().name().to_owned(),
                retry_after_ms: self.retry_after_ms,
            },
        };
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(wait_ms) = self.retry_after_ms {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(wait_ms.div_ceil(1000)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

pub(super) async fn method_not_allowed() -> ApiError {
    Code::MethodNotAllowed.into()
}
