//! The one error type of the SDK.
//!
//! An error says what failed ([`Error::kind`]), whether trying again can help
//! ([`Error::is_retryable`]) and, when the server said so, the stable number
//! from its error table ([`Error::code`]). It never holds message text, a
//! password or a token, so it may be logged.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use parley_protocol::errors::{Code, Retry};

/// What failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The URL or another argument is not usable.
    InvalidArgument,
    /// No connection: name resolution, refused, cut, unreachable.
    Network,
    /// The time limit passed. What was asked may still have happened.
    Timeout,
    /// The server's certificate is not trusted.
    Untrusted,
    /// The credentials or the token were refused.
    SignIn,
    /// The server refused the request; see [`Error::code`].
    Refused,
    /// The server sent something that is not the protocol.
    Protocol,
    /// The on-disk store failed.
    Store,
    /// The outbox, or the table of open requests, is full.
    Full,
    /// The send was aborted before it left.
    Aborted,
    /// The client is closed, or draining and takes nothing new.
    Closed,
}

/// Why an operation failed. Cheap to clone.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

struct Inner {
    kind: ErrorKind,
    code: Option<u32>,
    text: String,
    retry: Option<Retry>,
    retry_after: Option<Duration>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the client's own.
    #[must_use]
    pub fn new(kind: ErrorKind, text: impl Into<String>) -> Self {
        Self(Arc::new(Inner {
            kind,
            code: None,
            text: text.into(),
            retry: None,
            retry_after: None,
            source: None,
        }))
    }

    /// An error of the client's own that comes from another one.
    #[must_use]
    pub fn with_source(
        kind: ErrorKind,
        text: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self(Arc::new(Inner {
            kind,
            code: None,
            text: text.into(),
            retry: None,
            retry_after: None,
            source: Some(source.into()),
        }))
    }

    /// An error the server reported by number.
    #[must_use]
    pub fn from_code(number: u32, text: &str, retry_after_ms: u64) -> Self {
        let code = Code::from_number(number);
        let retry = verdict(number);
        let kind = match (code, retry) {
            (Some(Code::CredentialsWrong), _) | (_, Retry::SignIn) => ErrorKind::SignIn,
            _ => ErrorKind::Refused,
        };
        // The text comes from the network: bounded, and without control characters.
        let text: String = text.chars().filter(|c| !c.is_control()).take(300).collect();
        let text = match (text.is_empty(), code) {
            (true, Some(code)) => code.text().to_owned(),
            (true, None) => format!("the server answered with error {number}"),
            (false, _) => text,
        };
        Self(Arc::new(Inner {
            kind,
            code: Some(number),
            text,
            retry: Some(retry),
            retry_after: (retry_after_ms > 0).then(|| Duration::from_millis(retry_after_ms)),
            source: None,
        }))
    }

    /// The client is closed.
    #[must_use]
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the client is closed")
    }

    /// What failed.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The number from the error table (`docs/errors/`), when the server gave one.
    #[must_use]
    pub fn code(&self) -> Option<u32> {
        self.0.code
    }

    /// The stable name that goes with [`Error::code`], when this build knows it.
    #[must_use]
    pub fn code_name(&self) -> Option<&'static str> {
        self.0.code.and_then(Code::from_number).map(Code::name)
    }

    /// Whether the same call may succeed later without anything being changed.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        match self.0.retry {
            Some(retry) => matches!(retry, Retry::Now | Retry::After),
            None => {
                matches!(self.kind(), ErrorKind::Network | ErrorKind::Timeout | ErrorKind::Full)
            }
        }
    }

    /// How long to wait before trying again, when the server said so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after
    }
}

/// The retry class of a number, also of one this build doesn't know.
pub(crate) fn verdict(number: u32) -> Retry {
    match Code::from_number(number) {
        Some(code) => code.retry(),
        // 5xx is the server's condition, by the table's own order.
        None if (500..600).contains(&number) => Retry::After,
        None => Retry::Stop,
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("Error");
        out.field("kind", &self.0.kind).field("text", &self.0.text);
        if let Some(code) = self.0.code {
            out.field("code", &code);
        }
        if let Some(source) = &self.0.source {
            out.field("source", source);
        }
        out.finish()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)?;
        match (self.code_name(), self.0.code) {
            (Some(name), _) => write!(f, " ({name})"),
            (None, Some(code)) => write!(f, " (error {code})"),
            (None, None) => Ok(()),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_decides_what_is_retryable() {
        for code in Code::ALL {
            let error = Error::from_code(*code as u32, "", 0);
            let again = matches!(code.retry(), Retry::Now | Retry::After);
            assert_eq!(error.is_retryable(), again, "{code}");
            assert_eq!(error.code(), Some(*code as u32));
            assert_eq!(error.code_name(), Some(code.name()));
        }
        assert!(Error::from_code(599, "", 0).is_retryable());
        assert!(!Error::from_code(399, "", 0).is_retryable());
    }

    #[test]
    fn text_from_the_network_is_bounded_and_clean() {
        let error = Error::from_code(500, &"\u{1b}[31m".repeat(1000), 7);
        assert!(error.to_string().len() < 400);
        assert!(!error.to_string().contains('\u{1b}'));
        assert_eq!(error.retry_after(), Some(Duration::from_millis(7)));
    }
}
