//! Requests of an open session: the wire's form checked once, here.

use bytes::Bytes;
use parley_protocol::body::ValidatedBody;
use parley_protocol::wire::{
    self, EntryKind, client_envelope::Kind, fetch, lookup, send, server_envelope,
};
use parley_protocol::{ClientMessageId, Code};

use super::act::act;
use super::query::{self, conversation, user};
use super::{Action, Command, InviteCode, Query, Range, Session, To, failure};
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

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "what is left is a question: `ask` lists all"
    )]
    fn parse(&self, request: u64, kind: Kind) -> Result<Action, Code> {
        match kind {
            Kind::Hello(_) => Ok(Action::Close(Code::HelloTwice)),
            Kind::Goodbye(_) => Ok(Action::End),
            // The answer needs the feed position, which is the home's.
            Kind::Ping(ping) => {
                Ok(Action::Query(request, Query::Ping { background: ping.background }))
            }
            Kind::Delivered(cursor) => {
                self.cursor(request, &cursor.conversation, Move::Delivered, cursor.up_to)
            }
            Kind::Read(cursor) => {
                self.cursor(request, &cursor.conversation, Move::Read, cursor.up_to)
            }
            Kind::Typing(typing) => {
                let conversation = conversation(&typing.conversation)?;
                let stopped = typing.stopped;
                Ok(Action::Query(request, Query::Typing { conversation, stopped }))
            }
            // From here on the answer is the point: a number must name it.
            _ if request == 0 => Err(Code::BadRequest),
            Kind::Send(send) => self.send(send).map(|command| Action::Submit(request, command)),
            other => self.ask(other).map(|query| Action::Query(request, query)),
        }
    }

    fn ask(&self, kind: Kind) -> Result<Query, Code> {
        match kind {
            Kind::Fetch(fetch) => self.fetch(&fetch),
            Kind::Sync(sync) => Ok(Query::Sync { since: sync.feed_position }),
            Kind::Lookup(wanted) => look_up(wanted),
            Kind::Describe(describe) => conversation(&describe.conversation).map(Query::Describe),
            Kind::Receipts(wanted) => Ok(Query::Receipts {
                conversation: conversation(&wanted.conversation)?,
                seq: wanted.seq,
            }),
            Kind::Subscribe(subscribe) => query::subscribe(&subscribe),
            Kind::SetPreferences(preferences) => query::set_preferences(preferences),
            Kind::Hide(hide) => query::hide(hide),
            Kind::Hidden(hidden) => Ok(Query::Hidden {
                conversation: conversation(&hidden.conversation)?,
                after: hidden.after,
            }),
            Kind::Invites(invites) => query::invites(&invites),
            Kind::PeekInvite(peek) => Ok(Query::PeekInvite(InviteCode(peek.code))),
            Kind::GetProfile(wanted) => user(&wanted.user).map(Query::GetProfile),
            Kind::GetAccount(_) => Ok(Query::GetAccount),
            Kind::UpdateAccount(update) => query::update_account(update),
            Kind::Report(report) => query::report(report),
            // The caller took these.
            Kind::Hello(_)
            | Kind::Ping(_)
            | Kind::Send(_)
            | Kind::Delivered(_)
            | Kind::Read(_)
            | Kind::Typing(_)
            | Kind::Goodbye(_) => Err(Code::UnknownRequest),
        }
    }

    fn send(&self, send: wire::Send) -> Result<Command, Code> {
        let to = match send.to.ok_or(Code::BadRequest)? {
            send::To::Conversation(id) => To::Conversation(conversation(&id)?),
            send::To::Peer(id) => To::Peer(user(&id)?),
            send::To::NewGroup(true) => To::NewGroup,
            send::To::NewGroup(false) => return Err(Code::BadRequest),
            send::To::Invite(code) => To::Invite(InviteCode(code)),
        };
        let id = ClientMessageId::new(send.client_message_id).map_err(|_| Code::BadRequest)?;
        let body = ValidatedBody::new(send.kind, send.body, self.options.limits.text_chars)?;
        // These two kinds and these two targets belong together.
        let begins = body.kind() == EntryKind::GroupCreated;
        let joins = body.kind() == EntryKind::MemberJoined;
        if begins != (to == To::NewGroup) || joins != matches!(to, To::Invite(_)) {
            return Err(Code::BadRequest);
        }
        let act = act(&body)?;
        Ok(Command::Send { to, id, body, act })
    }

    fn fetch(&self, fetch: &wire::Fetch) -> Result<Query, Code> {
        let most = self.options.limits.fetch_entries;
        Ok(Query::Fetch {
            conversation: conversation(&fetch.conversation)?,
            range: match fetch.from.ok_or(Code::BadRequest)? {
                fetch::From::AfterSeq(seq) => Range::After(seq),
                fetch::From::BeforeSeq(seq) => Range::Before(seq),
                fetch::From::AroundSeq(seq) => Range::Around(seq),
                fetch::From::AroundTimeMs(time_ms) => Range::AroundTime(time_ms),
                fetch::From::MentionsBefore(seq) => Range::MentionsBefore(seq),
                fetch::From::Pinned(_) => Range::Pinned,
                fetch::From::EditsOf(seq) => Range::EditsOf(seq),
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

/// Answers a heartbeat.
#[must_use]
pub fn pong(request: u64, feed_position: u64, now_ms: u64) -> wire::ServerEnvelope {
    let pong = wire::Pong { feed_position, server_time_ms: now_ms };
    super::reply(request, server_envelope::Kind::Pong(pong))
}
