//! One session: a connected device, from its first frame to its last.
//!
//! The driver feeds whole envelopes to [`Session::handle_envelope`] and carries
//! out the one [`Action`] each returns; it says what it wrote to the device
//! (`handle_given`, `handle_answered`), and calls [`Session::handle_timeout`]
//! when [`Session::deadline_ms`] has passed. After [`Action::Close`] or
//! [`Action::End`] the session takes nothing more.
//!
//! The order is fixed: `Hello`, the driver's authentication, `Welcome`, then
//! requests in any order. What a frame says about its own author is never
//! believed: user and device come from the token.

mod act;
mod action;
mod hello;
mod query;
mod request;
mod window;

use std::collections::HashMap;
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::wire::{self, server_envelope};
use parley_protocol::{Code, ConversationId, DeviceId, Message, SessionId, UserId, limits};

use crate::conversation::{Given, Interval};
pub use act::act_of;
pub use action::{Action, Command, CursorMove, Request, RequestNumber, Subscription, To, Typing};
pub use hello::ValidatedHello;
pub use query::{InviteAct, InviteCode, Query, Range};
pub use request::{pong, request_without_session};
pub use window::{Overflow, Window};

/// What a session needs to know of the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// What `Welcome` announces and requests are held to.
    pub limits: wire::Limits,
    /// How often a client in the foreground is asked to send `Ping`.
    pub heartbeat_ms: u32,
    /// The same for one in the background.
    pub background_heartbeat_ms: u32,
    /// How long the client has to authenticate.
    pub handshake_ms: u64,
    /// Which life of the store this is, for `Welcome`.
    pub incarnation: [u8; 16],
}

/// Who a token speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The user.
    pub user: UserId,
    /// The user's name.
    pub name: Arc<str>,
    /// The device the token was given to.
    pub device: DeviceId,
}

/// The state of one session.
#[derive(Debug)]
pub struct Session {
    /// Shared by all sessions, of which there are many.
    options: Arc<Options>,
    id: SessionId,
    phase: Phase,
    /// When something last came in, or when the connection began.
    heard_ms: u64,
    background: bool,
    unanswered: u32,
    given: HashMap<ConversationId, Given>,
}

#[derive(Debug)]
enum Phase {
    AwaitHello,
    Authenticating { request: Option<RequestNumber>, version: u32, features: Vec<i32> },
    Open,
    Closed,
}

impl Session {
    /// A session on a connection that begins now.
    #[must_use]
    pub fn new(options: Arc<Options>, id: SessionId, now_ms: u64) -> Self {
        Self {
            options,
            id,
            phase: Phase::AwaitHello,
            heard_ms: now_ms,
            background: false,
            unanswered: 0,
            given: HashMap::new(),
        }
    }

    /// Its id, for logs.
    #[must_use]
    pub const fn id(&self) -> SessionId {
        self.id
    }

    /// Bytes one frame may have, once the session is open.
    #[must_use]
    pub fn frame_bytes(&self) -> u32 {
        self.options.limits.frame_bytes
    }

    /// Whether the app is in front of its user, as the device last said.
    #[must_use]
    pub const fn is_foreground(&self) -> bool {
        !self.background
    }

    /// Whether `Welcome` was given.
    #[must_use]
    pub const fn is_open(&self) -> bool {
        matches!(self.phase, Phase::Open)
    }

    /// Takes one envelope from the device.
    pub fn handle_envelope(&mut self, bytes: Bytes, now_ms: u64) -> Action {
        if matches!(self.phase, Phase::Closed) {
            return Action::Nothing;
        }
        // Before authentication only Hello counts as life: dripping frames
        // must not stretch the handshake.
        if self.is_open() {
            self.heard_ms = now_ms;
        }
        let action = match wire::ClientEnvelope::decode(bytes) {
            Err(_) => Action::Close(Code::BadEnvelope),
            Ok(envelope) => match self.phase {
                Phase::AwaitHello => self.hello(envelope),
                // The driver doesn't read while it authenticates; a client
                // that hurries ahead is held by the transport.
                Phase::Authenticating { .. } => Action::Close(Code::HelloExpected),
                Phase::Open => self.request(envelope),
                Phase::Closed => Action::Nothing,
            },
        };
        if matches!(action, Action::Close(_) | Action::End) {
            self.phase = Phase::Closed;
        }
        self.unanswered += u32::from(action.request().is_some());
        action
    }

    /// The token was good: returns `Welcome` with what changed, or `None` when
    /// the session was not waiting for it, for example after its deadline.
    /// `server_time_ms` is the wall clock; `now_ms` the session's own, which never
    /// steps.
    pub fn handle_authenticated(
        &mut self,
        identity: &Identity,
        changes: wire::Changes,
        account_revision: u64,
        server_time_ms: u64,
        now_ms: u64,
    ) -> Option<wire::ServerEnvelope> {
        let Phase::Authenticating { request, version, features } = &mut self.phase else {
            return None;
        };
        let (request, version, features) = (*request, *version, std::mem::take(features));
        self.phase = Phase::Open;
        self.heard_ms = now_ms;
        let welcome = reply(
            request,
            server_envelope::Kind::Welcome(wire::Welcome {
                version,
                features,
                session: self.id.to_wire(),
                user: identity.user.to_wire(),
                device: identity.device.to_wire(),
                user_name: identity.name.to_string(),
                limits: Some(self.options.limits),
                server_time_ms,
                heartbeat_ms: self.options.heartbeat_ms,
                changes: Some(changes),
                background_heartbeat_ms: self.options.background_heartbeat_ms,
                account_revision,
                incarnation: Bytes::copy_from_slice(&self.options.incarnation),
            }),
        );
        Some(welcome)
    }

    /// An answer to a request was handed to the transport.
    pub fn handle_answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// Entries of a conversation were handed to the transport.
    pub fn handle_given(&mut self, conversation: ConversationId, interval: Interval) {
        if self.given.len() >= limits::GIVEN_CONVERSATIONS
            && !self.given.contains_key(&conversation)
        {
            self.given.clear();
        }
        self.given.entry(conversation).or_default().add(interval);
    }

    /// Whether the driver may read another envelope: not while authenticating,
    /// and not while as many requests as allowed wait for an answer.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match self.phase {
            Phase::AwaitHello => true,
            Phase::Open => self.unanswered < self.options.limits.requests_in_flight,
            Phase::Authenticating { .. } | Phase::Closed => false,
        }
    }

    /// Whether an envelope is a heartbeat, which the driver may take before its turn.
    #[must_use]
    pub fn is_ping(envelope: &Bytes) -> bool {
        let decoded = wire::ClientEnvelope::decode(envelope.clone());
        decoded.is_ok_and(|it| matches!(it.kind, Some(wire::client_envelope::Kind::Ping(_))))
    }

    /// The driver could read nothing until now: the silence before is not the device's.
    pub const fn handle_deafness(&mut self, now_ms: u64) {
        if self.is_open() {
            self.heard_ms = now_ms;
        }
    }

    /// When the session ends for silence, unless something comes in before.
    #[must_use]
    pub fn deadline_ms(&self) -> u64 {
        let patience = if self.is_open() {
            let heartbeat_ms = if self.background {
                self.options.background_heartbeat_ms
            } else {
                self.options.heartbeat_ms
            };
            u64::from(heartbeat_ms) * u64::from(limits::MISSED_HEARTBEATS)
        } else {
            self.options.handshake_ms
        };
        self.heard_ms.saturating_add(patience)
    }

    /// Returns the code to close with, once the deadline has passed.
    pub fn handle_timeout(&mut self, now_ms: u64) -> Option<Code> {
        if now_ms < self.deadline_ms() || matches!(self.phase, Phase::Closed) {
            return None;
        }
        let code = if self.is_open() { Code::HeartbeatMissed } else { Code::HandshakeTimeout };
        self.phase = Phase::Closed;
        Some(code)
    }
}

/// An envelope that answers `request`, or the unnumbered one.
#[must_use]
pub fn reply(
    request: impl Into<Option<RequestNumber>>,
    kind: server_envelope::Kind,
) -> wire::ServerEnvelope {
    let request = request.into().map_or(0, RequestNumber::get);
    wire::ServerEnvelope { request, kind: Some(kind) }
}

/// An envelope that answers nothing: what the server says by itself.
#[must_use]
pub fn notice(kind: server_envelope::Kind) -> wire::ServerEnvelope {
    reply(None, kind)
}

/// The answer to a request that failed.
#[must_use]
pub fn failure(
    request: impl Into<Option<RequestNumber>>,
    code: Code,
    retry_after_ms: u64,
) -> wire::ServerEnvelope {
    let failure = wire::Failure { code: code as u32, text: code.text().to_owned(), retry_after_ms };
    reply(request, server_envelope::Kind::Failure(failure))
}

/// The last envelope of a session.
#[must_use]
pub fn close(code: Code, retry_after_ms: u64) -> wire::ServerEnvelope {
    let close = wire::Close { code: code as u32, text: code.text().to_owned(), retry_after_ms };
    notice(server_envelope::Kind::Close(close))
}

#[cfg(test)]
mod tests;
