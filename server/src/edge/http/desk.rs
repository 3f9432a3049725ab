//! Where requests go that are not about signing in: the same way as those of a
//! session. The node brings the two together; handlers only translate.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{ClientEnvelope, ServerEnvelope};
use parley_protocol::{Code, Message as _};

use super::browser::Slot;
use super::caller::{From, Shown};
use super::{ApiError, Shared};
use crate::accounts::Identity;

/// Why a request got no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// Why.
    pub code: Code,
    /// How long to wait before trying again, when that is known.
    pub after: Option<Duration>,
}

/// Answers requests as a session would.
pub trait Desk: Send + Sync + 'static {
    /// Answers one encoded envelope.
    fn request(
        &self,
        from: IpAddr,
        caller: Identity,
        envelope: Bytes,
    ) -> BoxFuture<'_, Result<ServerEnvelope, Unanswered>>;

    /// Ends the caller's account, if that is its password.
    fn delete_account(
        &self,
        from: IpAddr,
        caller: Identity,
        password: String,
    ) -> BoxFuture<'_, Result<(), Unanswered>>;

    /// Begins to give the caller's data out, as lines of JSON.
    ///
    /// # Errors
    /// [`Unanswered`] with `rate_limited`.
    fn export(
        &self,
        from: IpAddr,
        caller: Identity,
    ) -> Result<BoxStream<'static, Bytes>, Unanswered>;

    /// Bytes an envelope may have.
    fn frame_bytes(&self) -> usize;
}

/// The desk, for one caller.
pub(super) struct AtDesk {
    desk: Arc<dyn Desk>,
    from: IpAddr,
    caller: Identity,
    slot: Option<Slot>,
}

impl FromRequestParts<Shared> for AtDesk {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &Shared) -> Result<Self, ApiError> {
        let Shown { identity, slot, .. } = Shown::from_request_parts(parts, state).await?;
        let From(from) = From::from_request_parts(parts, state).await?;
        Ok(Self { desk: Arc::clone(&state.desk), from, caller: identity, slot })
    }
}

impl AtDesk {
    /// The answer to an encoded envelope.
    pub(super) async fn request(self, envelope: Bytes) -> Result<ServerEnvelope, ApiError> {
        Ok(self.desk.request(self.from, self.caller, envelope).await?)
    }

    pub(super) async fn delete_account(self, password: String) -> Result<(), ApiError> {
        Ok(self.desk.delete_account(self.from, self.caller, password).await?)
    }

    pub(super) fn export(self) -> Result<BoxStream<'static, Bytes>, ApiError> {
        Ok(self.desk.export(self.from, self.caller)?)
    }

    /// The place of the cookie that the caller showed, if it was one.
    pub(super) const fn slot(&self) -> Option<Slot> {
        self.slot
    }

    pub(super) fn frame_bytes(&self) -> usize {
        self.desk.frame_bytes()
    }

    /// The answer to a request; a failure of it is the caller's.
    pub(super) async fn ask(self, ask: Ask) -> Result<Answer, ApiError> {
        let envelope = ClientEnvelope { request: 1, kind: Some(ask) }.encode_to_vec();
        match self.request(envelope.into()).await?.kind {
            Some(Answer::Failure(failure)) => {
                let code = Code::from_number(failure.code).unwrap_or(Code::Internal);
                Err(ApiError::later(
                    code,
                    (failure.retry_after_ms > 0).then_some(failure.retry_after_ms),
                ))
            }
            Some(answer) => Ok(answer),
            None => Err(Code::Internal.into()),
        }
    }
}

impl std::convert::From<Unanswered> for ApiError {
    fn from(unanswered: Unanswered) -> Self {
        let ms = |after: Duration| u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1);
        Self::later(unanswered.code, unanswered.after.map(ms))
    }
}
