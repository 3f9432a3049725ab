//! What an envelope asks of the driver, its form checked.
//!
//! An [`Action`] is what one envelope of a session leads to. What makes sense
//! without a session too, as HTTP brings it, is a [`Request`]; a heartbeat, a
//! cursor and a subscription belong to a connected device.

use std::num::NonZeroU64;

use parley_protocol::body::ValidatedBody;
use parley_protocol::{ClientMessageId, Code, ConversationId, UserId, wire};

use super::{InviteCode, Query, ValidatedHello};
use crate::conversation::{Act, Given, Move};

/// The number a client gave a request, under which it is answered. On the wire
/// 0 stands for none.
pub type RequestNumber = NonZeroU64;

/// What the driver does after an envelope. A request without a number wants no
/// answer, not even that it failed.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Look the token up and call
    /// [`Session::handle_authenticated`](super::Session::handle_authenticated).
    Authenticate(ValidatedHello),
    /// Write this.
    Reply(wire::ServerEnvelope),
    /// Answer a heartbeat by [`pong`](super::pong), also one without a number.
    Ping(Option<RequestNumber>),
    /// Hand this to the conversation's shard.
    MoveCursor(Option<RequestNumber>, CursorMove),
    /// Answer how these people are and tell this session of them from now on.
    Subscribe(RequestNumber, Subscription),
    /// Carry this out.
    Request(Request),
    /// Nothing to do.
    Nothing,
    /// Write `Close` with this code and end the connection.
    Close(Code),
    /// The client said goodbye: end the connection without a word.
    End,
}

impl Action {
    /// The number under which the driver owes an answer, if it owes one.
    #[must_use]
    pub const fn request(&self) -> Option<RequestNumber> {
        match self {
            Self::Ping(request) | Self::MoveCursor(request, _) => *request,
            Self::Subscribe(request, _) => Some(*request),
            Self::Request(request) => request.number(),
            Self::Authenticate(_) | Self::Reply(_) | Self::Nothing | Self::Close(_) | Self::End => {
                None
            }
        }
    }
}

/// What may be asked in a session, and without one by anybody with a token.
#[derive(Debug, Clone, PartialEq)]
pub enum Request {
    /// Hand this to the conversation's shard; it is answered once committed.
    Submit(RequestNumber, Command),
    /// Tell the others of a conversation that the user types, or stopped.
    Typing(Option<RequestNumber>, Typing),
    /// Read this, or change it outside the logs.
    Query(RequestNumber, Query),
}

impl Request {
    /// The number under which it is to be answered, if it is.
    #[must_use]
    pub const fn number(&self) -> Option<RequestNumber> {
        match self {
            Self::Submit(request, _) | Self::Query(request, _) => Some(*request),
            Self::Typing(request, _) => *request,
        }
    }
}

/// What appends an entry: the only way into a conversation's log.
#[derive(Debug, Clone, PartialEq)]
pub struct Command {
    /// The conversation, or what leads to it.
    pub to: To,
    /// What the device calls this send.
    pub id: ClientMessageId,
    /// The content, checked.
    pub body: ValidatedBody,
    /// What the entry does.
    pub act: Act,
}

/// The target of a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    /// A conversation the sender is a member of.
    Conversation(ConversationId),
    /// The 1:1 conversation with this user.
    Peer(UserId),
    /// The group that this send makes.
    NewGroup,
    /// The group of the invite link with this code.
    Invite(InviteCode),
}

/// A cursor of the session's user, and where it is to go.
#[derive(Debug, Clone, PartialEq)]
pub struct CursorMove {
    /// The conversation it is in.
    pub conversation: ConversationId,
    /// Which of the user's cursors there.
    pub which: Move,
    /// The seq it moves to.
    pub up_to: u64,
    /// What this session was given of the conversation.
    pub given: Given,
}

/// The user types in a conversation, or stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Typing {
    /// The conversation they type in.
    pub conversation: ConversationId,
    /// They stopped.
    pub stopped: bool,
}

/// Whom a session wants to be told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// From now on also of these.
    pub users: Vec<UserId>,
    /// No longer of these.
    pub drop: Vec<UserId>,
}
