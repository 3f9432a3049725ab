//! Requests of an open session, or without one: the wire's form checked once,
//! here.

use parley_protocol::body::ValidatedBody;
use parley_protocol::wire::{
    self, EntryKind, client_envelope::Kind, fetch, lookup, send, server_envelope,
};
use parley_protocol::{ClientMessageId, Code, ConversationId};

use super::act::act;
use super::query::{self, conversation, user};
use super::{
    Action, Command, CursorMove, InviteCode, Options, Query, Range, Request, RequestNumber,
    Session, Subscription, To, Typing, failure,
};
use crate::conversation::Move;

/// What an envelope asks.
#[expect(clippy::large_enum_variant, reason = "one at a time, moved on at once")]
enum Asked {
    /// Something of its session; without one it makes no sense.
    OfSession(OfSession),
    /// Something that needs no session.
    Request(Request),
}

/// What makes sense for a connected device only.
enum OfSession {
    Hello,
    Goodbye,
    Ping { background: bool },
    MoveCursor { conversation: ConversationId, which: Move, up_to: u64 },
    Subscribe(RequestNumber, Subscription),
}

/// Takes a request that comes without a session, over HTTP: the same form as in
/// an open one.
///
/// # Errors
/// [`Code::SessionNeeded`]; [`Code::UnknownRequest`] without a kind;
/// [`Code::BadRequest`] and what a body is refused with for a wrong form.
pub fn request_without_session(
    options: &Options,
    request: Option<RequestNumber>,
    kind: Option<Kind>,
) -> Result<Request, Code> {
    match asked(options, request, kind)? {
        Asked::Request(asked) => Ok(asked),
        Asked::OfSession(_) => Err(Code::SessionNeeded),
    }
}

impl Session {
    pub(super) fn request(&mut self, envelope: wire::ClientEnvelope) -> Action {
        let request = RequestNumber::new(envelope.request);
        match asked(&self.options, request, envelope.kind) {
            Ok(Asked::Request(asked)) => Action::Request(asked),
            Ok(Asked::OfSession(asked)) => self.of_session(request, asked),
            Err(code) => Action::Reply(failure(request, code, 0)),
        }
    }

    fn of_session(&mut self, request: Option<RequestNumber>, asked: OfSession) -> Action {
        match asked {
            OfSession::Hello => Action::Close(Code::HelloTwice),
            OfSession::Goodbye => Action::End,
            // The answer needs the feed position, which is the home's.
            OfSession::Ping { background } => {
                self.background = background;
                Action::Ping(request)
            }
            OfSession::MoveCursor { conversation, which, up_to } => {
                let given = self.given.get(&conversation).copied().unwrap_or_default();
                let wanted = CursorMove { conversation, which, up_to, given };
                Action::MoveCursor(request, wanted)
            }
            OfSession::Subscribe(request, wanted) => Action::Subscribe(request, wanted),
        }
    }
}

fn asked(
    options: &Options,
    request: Option<RequestNumber>,
    kind: Option<Kind>,
) -> Result<Asked, Code> {
    // Where the answer is the point, a number must name it.
    let numbered = request.ok_or(Code::BadRequest);
    let query = |query: Query| Ok(Asked::Request(Request::Query(numbered?, query)));
    // A newer client's request is refused, and the session goes on.
    match kind.ok_or(Code::UnknownRequest)? {
        Kind::Hello(_) => Ok(Asked::OfSession(OfSession::Hello)),
        Kind::Goodbye(_) => Ok(Asked::OfSession(OfSession::Goodbye)),
        Kind::Ping(wire::Ping { background }) => {
            Ok(Asked::OfSession(OfSession::Ping { background }))
        }
        Kind::Delivered(cursor) => cursor_move(&cursor.conversation, Move::Delivered, cursor.up_to),
        Kind::Read(cursor) => cursor_move(&cursor.conversation, Move::Read, cursor.up_to),
        Kind::Typing(typing) => {
            let conversation = conversation(&typing.conversation)?;
            let typing = Typing { conversation, stopped: typing.stopped };
            Ok(Asked::Request(Request::Typing(request, typing)))
        }
        Kind::Send(send) => Ok(Asked::Request(Request::Submit(numbered?, command(options, send)?))),
        Kind::Subscribe(asked) if asked.once => query(query::presence(&asked)?),
        Kind::Subscribe(asked) => {
            let subscription = query::subscription(&asked)?;
            Ok(Asked::OfSession(OfSession::Subscribe(numbered?, subscription)))
        }
        Kind::Fetch(fetch) => query(fetch_query(options, &fetch)?),
        Kind::Sync(sync) => query(Query::Sync { since: sync.feed_position }),
        Kind::Lookup(wanted) => query(look_up(wanted)?),
        Kind::Describe(asked) => query(Query::Describe(conversation(&asked.conversation)?)),
        Kind::Receipts(wanted) => query(query::receipts(&wanted)?),
        Kind::SetPreferences(preferences) => query(query::set_preferences(preferences)?),
        Kind::Hide(hide) => query(query::hide(hide)?),
        Kind::Hidden(hidden) => query(query::hidden(&hidden)?),
        Kind::Invites(invites) => query(query::invites(&invites)?),
        Kind::PeekInvite(peek) => query(Query::PeekInvite(InviteCode(peek.code))),
        Kind::GetProfile(wanted) => query(Query::GetProfile(user(&wanted.user)?)),
        Kind::GetAccount(_) => query(Query::GetAccount),
        Kind::UpdateAccount(update) => query(query::update_account(update)?),
        Kind::Report(report) => query(query::report(report)?),
    }
}

fn cursor_move(id: &[u8], which: Move, up_to: u64) -> Result<Asked, Code> {
    let conversation = conversation(id)?;
    Ok(Asked::OfSession(OfSession::MoveCursor { conversation, which, up_to }))
}

fn command(options: &Options, send: wire::Send) -> Result<Command, Code> {
    let to = match send.to.ok_or(Code::BadRequest)? {
        send::To::Conversation(id) => To::Conversation(conversation(&id)?),
        send::To::Peer(id) => To::Peer(user(&id)?),
        send::To::NewGroup(true) => To::NewGroup,
        send::To::NewGroup(false) => return Err(Code::BadRequest),
        send::To::Invite(code) => To::Invite(InviteCode(code)),
    };
    let id = ClientMessageId::new(send.client_message_id).map_err(|_| Code::BadRequest)?;
    let body = ValidatedBody::new(send.kind, send.body, options.limits.text_chars)?;
    // These two kinds and these two targets belong together.
    let begins = body.kind() == EntryKind::GroupCreated;
    let joins = body.kind() == EntryKind::MemberJoined;
    if begins != (to == To::NewGroup) || joins != matches!(to, To::Invite(_)) {
        return Err(Code::BadRequest);
    }
    let act = act(&body)?;
    Ok(Command { to, id, body, act })
}

fn fetch_query(options: &Options, fetch: &wire::Fetch) -> Result<Query, Code> {
    let most = options.limits.fetch_entries;
    Ok(Query::Fetch {
        conversation: conversation(&fetch.conversation)?,
        range: match fetch.from.ok_or(Code::BadRequest)? {
            fetch::From::AfterSeq(seq) => Range::After(seq),
            fetch::From::BeforeSeq(seq) => Range::Before(seq),
            fetch::From::AroundSeq(seq) => Range::Around(seq),
            fetch::From::AroundTimeMs(time_ms) => Range::AroundTime(time_ms),
            fetch::From::MentionsBefore(seq) => Range::MentionsBefore(seq),
            fetch::From::Pinned(true) => Range::Pinned,
            // A choice that says no asks for nothing.
            fetch::From::Pinned(false) => return Err(Code::BadRequest),
            fetch::From::EditsOf(seq) => Range::EditsOf(seq),
        },
        limit: if fetch.limit == 0 { most } else { fetch.limit.min(most) },
    })
}

fn look_up(wanted: wire::Lookup) -> Result<Query, Code> {
    match wanted.by.ok_or(Code::BadRequest)? {
        lookup::By::Name(name) => Ok(Query::FindByName(name)),
        lookup::By::User(id) => user(&id).map(Query::FindById),
    }
}

/// Answers a heartbeat.
#[must_use]
pub fn pong(
    request: Option<RequestNumber>,
    feed_position: u64,
    now_ms: u64,
) -> wire::ServerEnvelope {
    let pong = wire::Pong { feed_position, server_time_ms: now_ms };
    super::reply(request, server_envelope::Kind::Pong(pong))
}
