//! Requests of the framed protocol that come over HTTP: they go the way of a
//! session's, so that the same rules, rates and answers hold. Handlers only
//! translate.

use axum::body::Bytes;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use parley_protocol::Code;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::server_envelope::Kind as Answer;
use parley_protocol::wire::{ClientEnvelope, ServerEnvelope};

use super::caller::{Caller, ClientAddress};
use super::{ApiError, Port};
use crate::edge::session::{Host, Requester, Unanswered};

/// The requests of one caller.
pub(super) struct Requests {
    host: Host,
    requester: Requester,
}

impl FromRequestParts<Port> for Requests {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, port: &Port) -> Result<Self, ApiError> {
        let Caller(identity) = Caller::from_request_parts(parts, port).await?;
        let ClientAddress(from) = ClientAddress::from_request_parts(parts, port).await?;
        Ok(Self { host: port.shared.host.clone(), requester: Requester { identity, from } })
    }
}

impl Requests {
    /// Bytes an encoded envelope may have.
    pub(super) fn frame_bytes(&self) -> usize {
        self.host.frame_bytes()
    }

    /// The answer to an encoded envelope; a request that failed is in it.
    pub(super) async fn encoded(self, envelope: Bytes) -> Result<ServerEnvelope, ApiError> {
        Ok(self.host.answer_encoded(&self.requester, envelope).await?)
    }

    /// The answer to a request; a failure of it is the caller's.
    pub(super) async fn ask(self, ask: Ask) -> Result<Answer, ApiError> {
        let envelope = ClientEnvelope { request: 1, kind: Some(ask) };
        match self.host.answer(&self.requester, envelope).await?.kind {
            Some(Answer::Failure(failure)) => {
                let code = Code::from_number(failure.code).unwrap_or(Code::Internal);
                let after_ms = (failure.retry_after_ms > 0).then_some(failure.retry_after_ms);
                Err(ApiError::later(code, after_ms))
            }
            Some(answer) => Ok(answer),
            None => Err(Code::Internal.into()),
        }
    }
}

impl From<Unanswered> for ApiError {
    fn from(unanswered: Unanswered) -> Self {
        let ms = |after: std::time::Duration| {
            u64::try_from(after.as_millis()).unwrap_or(u64::MAX).max(1)
        };
        Self::later(unanswered.code, unanswered.after.map(ms))
    }
}
