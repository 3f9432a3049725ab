//! What the server says, and what follows from it.

use parley_protocol::ids::{ConversationId, DeviceId, SessionId, UserId};
use parley_protocol::version;
use parley_protocol::wire::{self, server_envelope::Kind};

use super::connect::{Phase, Tick};
use super::requests::Pending;
use super::{Call, CallId, Conversation, Machine, Output, Reply, Save};
use crate::convert;
use crate::error::{Error, ErrorKind};
use crate::model::{Event, LocalId, SendStatus, Sent, Session, SignIn, To, User};

/// How long the machine waits after a failure the server may get over.
pub(super) const AGAIN_MS: u64 = 1_000;

/// Something in an envelope is not the protocol.
pub(super) struct Malformed;

impl Machine {
    /// An envelope came.
    pub fn handle_envelope(&mut self, tick: Tick, envelope: wire::ServerEnvelope) {
        self.liveness.handle_heard(tick.now_ms);
        let pending = match envelope.request {
            0 => None,
            request => self.requests.take(request),
        };
        // A kind this build doesn't know, or an answer nobody waits for any more.
        let Some(kind) = envelope.kind else { return };
        if self.handle_kind(tick, kind, pending).is_err() {
            let error = Error::new(ErrorKind::Protocol, "the server sent a malformed envelope");
            self.handle_failure(tick, error);
        }
        self.finish_input(tick.now_ms);
    }

    fn handle_kind(
        &mut self,
        tick: Tick,
        kind: Kind,
        pending: Option<Pending>,
    ) -> Result<(), Malformed> {
        match (kind, pending) {
            (Kind::Welcome(welcome), Some(Pending::Hello)) => self.handle_welcome(tick, welcome)?,
            (Kind::Pong(pong), _) => self.feed.handle_position(pong.feed_position, tick.now_ms),
            (Kind::Sent(sent), Some(Pending::Send(id))) => self.handle_sent(tick, id, &sent)?,
            (Kind::Deliver(deliver), _) => self.handle_deliver(tick, &deliver)?,
            (Kind::Fetched(page), Some(Pending::Fetch(id))) => {
                self.handle_gap_page(tick, id, &page);
            }
            (Kind::Fetched(page), Some(Pending::Refetch(id))) => {
                self.handle_refetched(tick, id, &page);
            }
            (Kind::Fetched(page), Some(Pending::Check(id))) => {
                self.handle_checked(tick, id, &page);
            }
            (Kind::Fetched(page), Some(Pending::Call(call))) => {
                self.handle_page(tick, call, &page)?;
            }
            (Kind::Receipt(receipt), _) => self.handle_receipt(&receipt)?,
            (Kind::Changes(changes), pending) => {
                self.handle_changes(tick, &changes, pending.is_some())?;
            }
            (Kind::Found(found), Some(Pending::Lookup(name))) => self.handle_found(&name, found)?,
            (Kind::Described(described), Some(Pending::Describe(id))) => {
                self.conversations.finish_description();
                self.handle_described(id, &described)?;
            }
            // Who asks for it as it comes wants what a description leaves out.
            (Kind::Described(described), Some(Pending::Call(call)))
                if !matches!(self.calls.get(call), Some(Call::Ask(_))) =>
            {
                let description = convert::description(&described).map_err(|_| Malformed)?;
                self.reply(call, Ok(Reply::Described(description)));
            }
            (Kind::Moved(moved), pending) => {
                self.handle_moved(&moved, pending.as_ref())?;
                self.answer(tick, pending.as_ref(), Kind::Moved(moved))?;
            }
            (Kind::Profile(profile), Some(Pending::Name(user))) => {
                let found = convert::profile(&profile).map_err(|_| Malformed)?.user;
                self.handle_name(user, (found.id == user).then_some(found));
            }
            (Kind::HiddenSeqs(hidden), Some(Pending::Hidden(id))) => {
                self.handle_hidden(id, &hidden);
            }
            (Kind::Typed(typed), None) => self.handle_typed(tick, &typed)?,
            (Kind::Presence(presence), _) => self.handle_presence(&presence)?,
            (Kind::Subscribed(subscribed), Some(Pending::Watch)) => {
                for presence in &subscribed.presence {
                    self.handle_presence(presence)?;
                }
            }
            (Kind::Profile(profile), None) => self.handle_profile(&profile)?,
            (Kind::AccountChanged(changed), None) => self.handle_revision(changed.revision),
            (Kind::SignedIn(signed_in), None) => self.handle_sign_in(signed_in)?,
            (Kind::Failure(failure), Some(pending)) => {
                let error = Error::from_code(failure.code, &failure.text, failure.retry_after_ms);
                self.handle_refusal(tick, pending, error);
            }
            (Kind::Close(close), _) => {
                let error = Error::from_code(close.code, &close.text, close.retry_after_ms);
                self.handle_failure(tick, error);
            }
            (Kind::Drain(drain), _) => self.connect.handle_drain(tick, drain.within_ms),
            // An answer that no request waits for.
            (_, None) => {}
            (kind, pending) => self.answer(tick, pending.as_ref(), kind)?,
        }
        Ok(())
    }

    /// Somebody signed in to the account.
    fn handle_sign_in(&mut self, signed_in: wire::SignedIn) -> Result<(), Malformed> {
        let wire::SignedIn { device, name, new_device, time_ms } = signed_in;
        let device = DeviceId::from_slice(&device).map_err(|_| Malformed)?;
        self.outputs.emit(Event::SignedIn(SignIn { device, name, new_device, time_ms }));
        Ok(())
    }

    /// The answer to a request of the application, as it came.
    fn answer(
        &mut self,
        tick: Tick,
        pending: Option<&Pending>,
        kind: Kind,
    ) -> Result<(), Malformed> {
        let Some(Pending::Call(call)) = pending else {
            // A cursor's answer was for the machine alone; anything else is of
            // another kind than the request.
            return if matches!(kind, Kind::Moved(_)) { Ok(()) } else { Err(Malformed) };
        };
        match &kind {
            Kind::Changed(_) => self.feed.resync_now(tick.now_ms),
            Kind::AccountChanged(changed) => {
                self.set_revision(changed.revision);
            }
            Kind::AccountState(state) => {
                self.set_revision(state.revision);
            }
            Kind::Profile(profile) if !profile.deleted => {
                self.names.learn(convert::profile(profile).map_err(|_| Malformed)?.user);
            }
            Kind::Subscribed(_)
            | Kind::Moved(_)
            | Kind::ReceiptList(_)
            | Kind::HiddenSeqs(_)
            | Kind::InviteLinks(_)
            | Kind::InvitePreview(_)
            | Kind::Profile(_)
            | Kind::Reported(_)
            | Kind::Described(_)
            | Kind::Typed(_) => {}
            Kind::Welcome(_)
            | Kind::Pong(_)
            | Kind::Sent(_)
            | Kind::Deliver(_)
            | Kind::Fetched(_)
            | Kind::Receipt(_)
            | Kind::Changes(_)
            | Kind::Found(_)
            | Kind::Failure(_)
            | Kind::Close(_)
            | Kind::Drain(_)
            | Kind::Presence(_)
            | Kind::SignedIn(_) => return Err(Malformed),
        }
        self.reply(*call, Ok(Reply::Answer(Box::new(kind))));
        Ok(())
    }

    /// The account's own data stand at this revision. Returns whether that is news.
    fn set_revision(&mut self, revision: u64) -> bool {
        let account = self.account.set_revision(revision);
        let news = account.is_some();
        if let Some(account) = account {
            self.outputs.save(Save::Account(account));
        }
        news
    }

    /// As [`Machine::set_revision`], when another device changed them.
    fn handle_revision(&mut self, revision: u64) {
        if self.set_revision(revision) {
            self.outputs.emit(Event::AccountChanged { revision });
        }
    }

    fn handle_welcome(&mut self, tick: Tick, welcome: wire::Welcome) -> Result<(), Malformed> {
        let (Phase::Handshaking { .. }, Some(transport)) =
            (self.connect.phase(), self.connect.transport())
        else {
            return Err(Malformed);
        };
        if !(version::OLDEST..=version::NEWEST).contains(&welcome.version) {
            return Err(Malformed);
        }
        let user = User { id: user_id(&welcome.user)?, name: welcome.user_name.as_str().into() };
        let device = DeviceId::from_slice(&welcome.device).map_err(|_| Malformed)?;
        if self.me().is_some_and(|known| known != user.id) {
            let error = Error::new(ErrorKind::Store, "the store belongs to another user");
            let step = self.connect.close(Some(error));
            self.apply_step(step, tick.now_ms);
            return Ok(());
        }
        let (revision, incarnation) = (welcome.account_revision, incarnation(&welcome)?);
        let is_other_life = self.account.is_other_life(incarnation);
        if is_other_life {
            self.drop_copy(tick);
        }
        let account = self.account.identify(user.clone(), device, revision, incarnation);
        if let Some(account) = account {
            self.outputs.save(Save::Account(account));
            self.learn_peers();
        }
        self.clock.handle_welcome(tick, welcome.server_time_ms);
        let limits = welcome.limits.unwrap_or_default();
        let session = Session {
            id: SessionId::from_slice(&welcome.session).map_err(|_| Malformed)?,
            user,
            device,
            transport,
            text_chars: limits.text_chars,
            group_members: limits.group_members,
            server_time_ms: welcome.server_time_ms,
        };
        self.requests.set_limit(limits.requests_in_flight);
        let heartbeats = (welcome.heartbeat_ms, welcome.background_heartbeat_ms);
        self.liveness.begin_session(tick.now_ms, heartbeats.0, heartbeats.1);
        self.presence.begin_session(tick.now_ms);
        self.account.begin_session(session);
        self.connect.handle_welcome(tick.now_ms);
        self.report_state(tick.now_ms);
        if is_other_life {
            // What changed since a position of the other life says nothing.
            self.outputs.emit(Event::AccountChanged { revision });
        } else {
            self.handle_revision(revision);
            self.handle_changes(tick, &welcome.changes.unwrap_or_default(), true)?;
        }
        self.resume();
        Ok(())
    }

    /// Looks at everything that an earlier session left open.
    fn resume(&mut self) {
        let tracked: Vec<ConversationId> = self.tracking.conversations().collect();
        self.conversations.resume(&tracked);
        let lookups = self.outbox.unresolved().chain(self.calls.lookups());
        self.names.set_lookups(lookups.map(str::to_owned));
    }

    /// The conversation, known from now on.
    pub(super) fn conversation(&mut self, id: ConversationId) -> &mut Conversation {
        let held = (!self.feed.is_fresh()).then_some(0);
        self.conversations.ensure(id, held)
    }

    fn handle_sent(
        &mut self,
        tick: Tick,
        local_id: LocalId,
        answer: &wire::Sent,
    ) -> Result<(), Malformed> {
        let conversation = conversation_id(&answer.conversation)?;
        let Some(item) = self.outbox.handle_sent(local_id) else { return Ok(()) };
        let (seq, time_ms) = (answer.seq, answer.time_ms);
        let sent = Sent { conversation, seq, time_ms, duplicate: answer.duplicate };
        self.outputs.save(Save::Done(local_id));
        self.outputs.status(local_id, SendStatus::Sent(sent));
        let client_message_id = item.client_message_id;
        self.outputs.emit(Event::Sent { local_id, client_message_id, sent });
        for gone in self.tracking.add(local_id, sent) {
            self.outputs.push(Output::Untrack(gone));
        }
        if let To::User(user) = item.to {
            self.conversations.set_direct(user, conversation);
            self.outbox.merge(&To::User(user), &To::Conversation(conversation));
        }
        let sender = self.me().map(UserId::to_wire).unwrap_or_default();
        let (ordinal, kind, body) = (answer.ordinal, item.kind, item.body);
        let entry =
            wire::Entry { seq, ordinal, time_ms, sender, kind, body, ..wire::Entry::default() };
        self.conversation(conversation).handle_sent(entry, answer.duplicate, tick.now_ms);
        self.drop_if_contradicted(tick, conversation);
        self.conversations.touch(conversation);
        self.advance(conversation);
        self.follow_cursors(conversation);
        self.advance_feed(answer.feed_position);
        Ok(())
    }

    fn handle_found(&mut self, asked: &str, found: wire::Found) -> Result<(), Malformed> {
        self.names.finish_lookup(asked);
        let user = found.user.ok_or(Malformed)?;
        let user = User { id: user_id(&user.id)?, name: user.name.as_str().into() };
        for call in
            self.calls.matching(|call| matches!(call, Call::Lookup { name } if name == asked))
        {
            self.reply(call, Ok(Reply::Found(user.clone())));
        }
        // The server may spell it differently; what was asked resolves all the same.
        let to = self.resolve(To::User(user.id));
        self.outbox.merge(&To::Name(asked.to_owned()), &to);
        self.learn_name(user);
        Ok(())
    }

    fn handle_described(
        &mut self,
        id: ConversationId,
        described: &wire::Described,
    ) -> Result<(), Malformed> {
        let description = convert::description(described).map_err(|_| Malformed)?;
        let (session, me) = (self.account.session_number(), self.me());
        let Some(conversation) = self.conversations.get_mut(id) else { return Ok(()) };
        conversation.handle_described(description, me, session);
        let Some(current) = conversation.description() else { return Ok(()) };
        if let Some(peer) = me.and_then(|me| conversation.peer(me)).cloned() {
            self.learn_peer(id, peer);
        }
        for call in self.describe_calls(id) {
            self.reply(call, Ok(Reply::Described(current.clone())));
        }
        self.conversations.mark_changed(id);
        self.advance(id);
        self.follow_cursors(id);
        Ok(())
    }

    pub(super) fn describe_calls(&self, id: ConversationId) -> Vec<CallId> {
        let same =
            |call: &Call| matches!(call, Call::Describe { conversation } if *conversation == id);
        self.calls.matching(same)
    }
}

fn incarnation(welcome: &wire::Welcome) -> Result<Option<[u8; 16]>, Malformed> {
    if welcome.incarnation.is_empty() {
        return Ok(None);
    }
    <[u8; 16]>::try_from(&*welcome.incarnation).map(Some).map_err(|_| Malformed)
}

pub(super) fn conversation_id(bytes: &[u8]) -> Result<ConversationId, Malformed> {
    ConversationId::from_slice(bytes).map_err(|_| Malformed)
}

pub(super) fn user_id(bytes: &[u8]) -> Result<UserId, Malformed> {
    UserId::from_slice(bytes).map_err(|_| Malformed)
}
