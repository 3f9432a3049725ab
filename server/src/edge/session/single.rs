//! One request without a session, as HTTP brings them: the same rules, the same
//! checks and the same answer as in one.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parley_core::session::{Action, Command, Identity, Query, Session, failure};
use parley_protocol::wire::{ClientEnvelope, ServerEnvelope};
use parley_protocol::{Code, Message as _, SessionId};

use super::Host;
use super::refusal::Refusal;
use crate::chat::link::{Link, Next};

/// How long an answer may take. It waits for a commit, and for nobody else.
const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever asks, without a session.
#[derive(Debug, Clone)]
pub struct Asker {
    /// Whose token it was.
    pub identity: Identity,
    /// Where it came from.
    pub from: IpAddr,
}

/// Why there is no answer at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// Why.
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
    pub fn frame_bytes(&self) -> u32 {
        self.inner.options.rules.limits.frame_bytes
    }

    /// Answers one request. What fails is answered too; an error is for what is
    /// no request, or could not be answered. Dropped, it has been done or not.
    ///
    /// # Errors
    /// [`Unanswered`] with `bad_envelope`, `rate_limited`, `draining`, `overloaded`.
    pub async fn answer_one(
        &self,
        asker: &Asker,
        envelope: Bytes,
    ) -> Result<ServerEnvelope, Unanswered> {
        let Asker { identity, from } = asker;
        if self.inner.draining.is_cancelled() {
            return Err(Code::Draining.into());
        }
        let inbound = self.inner.rates.check_inbound(*from, identity.user, envelope.len());
        inbound.map_err(|after| Unanswered { code: Code::RateLimited, after: Some(after) })?;
        let id = some_id();
        let rules = self.inner.options.rules.clone();
        let mut session = Session::for_request(rules, id, self.now_ms());
        let action = session.handle_envelope(envelope.clone(), self.now_ms());
        if needs_session(&action) {
            // Not every such action has the number.
            let asked = ClientEnvelope::decode(envelope).map_err(|_| Code::BadEnvelope)?;
            return Ok(failure(asked.request, Code::SessionNeeded, 0));
        }
        if let Err(refusal) = self.charge(*from, identity.user, &action) {
            return Ok(refused(&action, refusal));
        }
        let link = self.nobodys_link(identity, id);
        match action {
            Action::Reply(envelope) => return Ok(envelope),
            // Nobody waits for an answer without a number, and here one does.
            Action::Submit(0, _) | Action::Query(0, _) => {
                return Ok(failure(0, Code::BadRequest, 0));
            }
            Action::Submit(request, command) => {
                self.submit(identity, &link, request, command).await;
            }
            Action::Query(request, query) => {
                if let Some(item) = self.ask(identity, &link, request, query).await {
                    return Ok(item.into_envelope());
                }
            }
            Action::Close(code) => return Err(code.into()),
            // An open session gives none of these for what it takes.
            Action::Nothing | Action::End | Action::Authenticate(_) => {
                return Err(Code::Internal.into());
            }
        }
        first_of(&link).await
    }

    /// A link that is no session's: what comes out of one command is there.
    pub(super) fn nobodys_link(&self, identity: &Identity, id: SessionId) -> Arc<Link> {
        let cap = self.inner.options.outbound_bytes;
        Arc::new(Link::new(id, identity.user, identity.device, false, cap))
    }
}

/// Without randomness the id is zeros; it only tells a user's own links apart.
pub(super) fn some_id() -> SessionId {
    let mut id = [0u8; 16];
    let _ = getrandom::fill(&mut id);
    SessionId::new(id)
}

/// The first thing pushed to a link.
pub(super) async fn first_of(link: &Link) -> Result<ServerEnvelope, Unanswered> {
    let answered = async {
        loop {
            match link.next(1) {
                Next::Write(items, _) => {
                    if let Some((item, _)) = items.into_iter().next() {
                        return Ok(item.into_envelope());
                    }
                }
                Next::End(code) => return Err(code.into()),
                Next::Idle => link.woken().await,
            }
        }
    };
    // A log that closes or fails drops what it could not commit.
    let answered = tokio::time::timeout(PATIENCE, answered).await;
    answered.unwrap_or(Err(Code::Overloaded.into()))
}

/// Whether the request makes sense in a session only.
const fn needs_session(action: &Action) -> bool {
    matches!(
        action,
        Action::Submit(_, Command::MoveCursor { .. })
            | Action::Query(_, Query::Ping { .. } | Query::Subscribe { once: false, .. })
            | Action::End
            | Action::Close(Code::HelloTwice)
    )
}

fn refused(action: &Action, refusal: Refusal) -> ServerEnvelope {
    match action {
        Action::Submit(request, _) | Action::Query(request, _) => refusal.answer(*request),
        Action::Authenticate(_)
        | Action::Reply(_)
        | Action::Nothing
        | Action::Close(_)
        | Action::End => refusal.answer(0),
    }
}
