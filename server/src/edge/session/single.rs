//! One request without a session, as HTTP brings it: the same form, the same
//! rates, rules and answers as in one.

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use parley_core::session::{Identity, Request, RequestNumber, failure, request_without_session};
use parley_protocol::wire::{ClientEnvelope, ServerEnvelope};
use parley_protocol::{Code, Message as _};

use super::Host;
use super::dispatch::Begun;
use crate::chat::link::Link;

/// Who makes a request without a session.
#[derive(Debug, Clone)]
pub struct Requester {
    /// Whose token it was.
    pub identity: Identity,
    /// The address the request came from.
    pub from: IpAddr,
}

/// Why a request got no answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// The reason, for the client.
    pub code: Code,
    /// How long to wait before trying again, when that is known.
    pub after: Option<Duration>,
}

impl From<Code> for Unanswered {
    fn from(code: Code) -> Self {
        Self { code, after: None }
    }
}

impl Host {
    /// Bytes one envelope may have.
    #[must_use]
    pub fn frame_bytes(&self) -> usize {
        usize::try_from(self.inner.options.rules.limits.frame_bytes).unwrap_or(usize::MAX)
    }

    /// Answers one encoded request. What fails is answered too; an error is for
    /// what is no request, or could not be answered. Dropped, it has been done
    /// or not.
    ///
    /// # Errors
    /// [`Unanswered`] with `bad_envelope`, `rate_limited`, `draining`, `overloaded`.
    pub async fn answer_encoded(
        &self,
        requester: &Requester,
        envelope: Bytes,
    ) -> Result<ServerEnvelope, Unanswered> {
        self.admit(requester, envelope.len())?;
        let envelope = ClientEnvelope::decode(envelope).map_err(|_| Code::BadEnvelope)?;
        self.answer_admitted(requester, envelope).await
    }

    /// Answers one request, as [`Host::answer_encoded`]. It takes as many of its
    /// user's bytes as it would have encoded.
    ///
    /// # Errors
    /// [`Unanswered`] with `rate_limited`, `draining`, `overloaded`.
    pub async fn answer(
        &self,
        requester: &Requester,
        envelope: ClientEnvelope,
    ) -> Result<ServerEnvelope, Unanswered> {
        self.admit(requester, envelope.encoded_len())?;
        self.answer_admitted(requester, envelope).await
    }

    /// Takes a request's bytes out of its user's bucket.
    fn admit(&self, requester: &Requester, bytes: usize) -> Result<(), Unanswered> {
        if self.inner.draining.is_cancelled() {
            return Err(Code::Draining.into());
        }
        let inbound = self.inner.rates.check_inbound(requester.identity.user, bytes);
        inbound.map_err(|after| Unanswered { code: Code::RateLimited, after: Some(after) })
    }

    async fn answer_admitted(
        &self,
        requester: &Requester,
        envelope: ClientEnvelope,
    ) -> Result<ServerEnvelope, Unanswered> {
        let Requester { identity, from } = requester;
        let number = RequestNumber::new(envelope.request);
        let rules = &self.inner.options.rules;
        let request = match request_without_session(rules, number, envelope.kind) {
            Ok(request) => request,
            Err(code) => return Ok(failure(number, code, 0)),
        };
        if let Err(refusal) = self.charge(*from, identity.user, &request) {
            return Ok(refusal.answer(number));
        }
        if let Request::Typing(None, _) = request {
            // Without a number nobody waits for an answer, and here somebody does.
            return Ok(failure(None, Code::BadRequest, 0));
        }
        let link = Link::of_no_session(identity, self.inner.options.outbound_bytes);
        match self.begin(identity, *from, &link, request) {
            Begun::Command(command) => command.await,
            Begun::Query(query) => {
                if let Some(item) = query.await {
                    return Ok(item.into_envelope());
                }
            }
        }
        Ok(link.first_answer().await?)
    }
}
