//! Requests of an open session: the wire's form checked once, here.

use bytes::Bytes;
use parley_protocol::body::ValidatedBody;
use parley_protocol::wire::{self, client_envelope::Kind, fetch, lookup, send, server_envelope};
use parley_protocol::{ClientMessageId, Code, ConversationId, UserId};

use super::{Action, Command, Query, Range, Session, To, failure};
use crate::conversation::Move;

impl Session {
    pub(super) fn request(&self, envelope: wire::ClientEnvelope) -> Action {
        let request = envelope.request;
        let Some(kind) = envelope.kind else {
            // A newer client's request: refused, the session goes on.
            return Action::Reply(failure(request, Code::UnknownRequest, 0));
        };
        match self.parse(request, kind) {
            Ok(action) => action,
            Err(code) => Action::Reply(failure(request, code, 0)),
        }
    }

    fn parse(&self, request: u64, kind: Kind) -> Result<Action, Code> {
        match kind {
            Kind::Hello(_) => Ok(Action::Close(Code::HelloTwice)),
            Kind::Goodbye(_) => Ok(Action::End),
            // The answer needs the feed position, which is the home's.
            Kind::Ping(_) => Ok(Action::Query(request, Query::Ping)),
            Kind::Delivered(cursor) => {
                self.cursor(request, &cursor.conversation, Move::Delivered, cursor.up_to)
            }
            Kind::Read(cursor) => {
                self.cursor(request, &cursor.conversation, Move::Read, cursor.up_to)
            }
            // From here on the answer is the point: a number must name it.
            _ if request == 0 => Err(Code::BadRequest),
            Kind::Send(send) => self.send(send).map(|command| Action::Submit(request, command)),
            Kind::Fetch(fetch) => self.fetch(&fetch).map(|query| Action::Query(request, query)),
            Kind::Sync(sync) => {
                Ok(Action::Query(request, Query::Sync { since: sync.feed_position }))
            }
            Kind::Lookup(wanted) => look_up(wanted).map(|query| Action::Query(request, query)),
            Kind::Describe(describe) => conversation(&describe.conversation)
                .map(|conversation| Action::Query(request, Query::Describe(conversation))),
        }
    }

    fn send(&self, send: wire::Send) -> Result<Command, Code> {
        let to = match send.to.ok_or(Code::BadRequest)? {
            send::To::Conversation(id) => To::Conversation(conversation(&id)?),
            send::To::Peer(id) => To::Peer(user(&id)?),
        };
        let id = ClientMessageId::new(send.client_message_id).map_err(|_| Code::BadRequest)?;
        let body = ValidatedBody::new(send.kind, send.body, self.options.limits.text_chars)?;
        Ok(Command::Send { to, id, body })
    }

    fn fetch(&self, fetch: &wire::Fetch) -> Result<Query, Code> {
        let most = self.options.limits.fetch_entries;
        Ok(Query::Fetch {
            conversation: conversation(&fetch.conversation)?,
            range: match fetch.from.ok_or(Code::BadRequest)? {
                fetch::From::AfterSeq(seq) => Range::After(seq),
                fetch::From::BeforeSeq(seq) => Range::Before(seq),
                fetch::From::AroundSeq(seq) => Range::Around(seq),
            },
            limit: if fetch.limit == 0 { most } else { fetch.limit.min(most) },
        })
    }

    fn cursor(&self, request: u64, id: &Bytes, which: Move, up_to: u64) -> Result<Action, Code> {
        let conversation = conversation(id)?;
        let given = self.given.get(&conversation).copied().unwrap_or_default();
        Ok(Action::Submit(request, Command::MoveCursor { conversation, which, up_to, given }))
    }
}

fn look_up(wanted: wire::Lookup) -> Result<Query, Code> {
    match wanted.by.ok_or(Code::BadRequest)? {
        lookup::By::Name(name) => Ok(Query::FindByName(name)),
        lookup::By::User(id) => user(&id).map(Query::FindById),
    }
}

fn conversation(id: &Bytes) -> Result<ConversationId, Code> {
    ConversationId::from_slice(id).map_err(|_| Code::BadRequest)
}

fn user(id: &Bytes) -> Result<UserId, Code> {
    UserId::from_slice(id).map_err(|_| Code::BadRequest)
}

/// Answers a heartbeat.
#[must_use]
pub fn pong(request: u64, feed_position: u64, now_ms: u64) -> wire::ServerEnvelope {
    let pong = wire::Pong { feed_position, server_time_ms: now_ms };
    super::reply(request, server_envelope::Kind::Pong(pong))
}
