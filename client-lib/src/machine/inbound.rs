//! What the server says, and what follows from it.

use std::sync::Arc;

use parley_protocol::ids::{ConversationId, DeviceId, SessionId, UserId};
use parley_protocol::version;
use parley_protocol::wire::{self, server_envelope::Kind};

use super::connect::{Phase, Tick};
use super::conversation::Conversation;
use super::requests::Pending;
use super::{Call, CallId, Machine, Output, Reply, Save, SavedAccount};
use crate::convert;
use crate::error::{Error, ErrorKind};
use crate::model::{Event, LocalId, SendStatus, Sent, Session, To, User};

/// How long the machine waits after a failure the server may get over.
pub(super) const AGAIN_MS: u64 = 1_000;

/// Something in an envelope is not the protocol.
pub(super) struct Malformed;

impl Machine {
    /// An envelope came.
    pub fn handle_envelope(&mut self, tick: Tick, envelope: wire::ServerEnvelope) {
        self.heard_ms = tick.now_ms;
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
        self.settle(tick.now_ms);
    }

    fn handle_kind(
        &mut self,
        tick: Tick,
        kind: Kind,
        pending: Option<Pending>,
    ) -> Result<(), Malformed> {
        match (kind, pending) {
            (Kind::Welcome(welcome), Some(Pending::Hello)) => self.handle_welcome(tick, welcome)?,
            (Kind::Pong(pong), _) => {
                if pong.feed_position > self.feed_position && self.sync_at_ms.is_none() {
                    self.sync_at_ms = Some(tick.now_ms);
                }
            }
            (Kind::Sent(sent), Some(Pending::Send(id))) => self.handle_sent(tick, id, &sent)?,
            (Kind::Deliver(deliver), _) => self.handle_deliver(tick, &deliver)?,
            (Kind::Fetched(page), Some(Pending::Fetch(id))) => {
                self.handle_gap_page(tick, id, &page);
            }
            (Kind::Fetched(page), Some(Pending::Cover(id))) => self.handle_cover(tick, id, &page),
            (Kind::Fetched(page), Some(Pending::Page(call))) => {
                self.handle_page(tick, call, &page)?;
            }
            (Kind::Receipt(receipt), _) => self.handle_receipt(&receipt)?,
            (Kind::Changes(changes), pending) => {
                self.handle_changes(tick, &changes, pending.is_some())?;
            }
            (Kind::Found(found), Some(Pending::Lookup(name))) => self.handle_found(&name, found)?,
            (Kind::Described(described), Some(Pending::Describe(id))) => {
                self.describing = self.describing.saturating_sub(1);
                self.call_next_in_line();
                self.handle_described(id, &described)?;
            }
            (Kind::Described(described), Some(Pending::Page(call))) => {
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
            (Kind::Failure(failure), Some(pending)) => {
                let error = Error::from_code(failure.code, &failure.text, failure.retry_after_ms);
                self.handle_refusal(tick, pending, error);
            }
            (Kind::Close(close), _) => {
                let error = Error::from_code(close.code, &close.text, close.retry_after_ms);
                self.handle_failure(tick, error);
            }
            (Kind::Drain(drain), _) => self.connect.handle_drain(tick, drain.within_ms),
            // Nobody waits for it.
            (_, None) => {}
            (kind, pending) => self.answer(tick, pending.as_ref(), kind)?,
        }
        Ok(())
    }

    /// The answer to a request of the application, as it came.
    fn answer(
        &mut self,
        tick: Tick,
        pending: Option<&Pending>,
        kind: Kind,
    ) -> Result<(), Malformed> {
        let Some(Pending::Page(call)) = pending else {
            // A cursor's answer was for the machine alone; anything else is of
            // another kind than the request.
            return if matches!(kind, Kind::Moved(_)) { Ok(()) } else { Err(Malformed) };
        };
        match &kind {
            Kind::Changed(_) => self.ask_feed_now(tick),
            Kind::AccountChanged(changed) => self.note_revision(changed.revision),
            Kind::AccountState(state) => self.note_revision(state.revision),
            Kind::Profile(profile) if !profile.deleted => {
                self.know(convert::profile(profile).map_err(|_| Malformed)?.user);
            }
            Kind::Subscribed(_)
            | Kind::Moved(_)
            | Kind::ReceiptList(_)
            | Kind::HiddenSeqs(_)
            | Kind::InviteLinks(_)
            | Kind::InvitePreview(_)
            | Kind::Profile(_)
            | Kind::Reported(_)
            | Kind::Typed(_) => {}
            Kind::Welcome(_)
            | Kind::Pong(_)
            | Kind::Sent(_)
            | Kind::Deliver(_)
            | Kind::Fetched(_)
            | Kind::Receipt(_)
            | Kind::Changes(_)
            | Kind::Found(_)
            | Kind::Described(_)
            | Kind::Failure(_)
            | Kind::Close(_)
            | Kind::Drain(_)
            | Kind::Presence(_) => return Err(Malformed),
        }
        self.reply(*call, Ok(Reply::Answer(Box::new(kind))));
        Ok(())
    }

    /// The account's own data stand at this revision.
    fn note_revision(&mut self, revision: u64) {
        if let Some(account) = &mut self.account
            && revision > account.revision
        {
            account.revision = revision;
            let account = account.clone();
            self.save(Save::Account(account));
        }
    }

    /// As [`Machine::note_revision`], when somebody else changed them.
    fn handle_revision(&mut self, revision: u64) {
        if self.account.as_ref().is_some_and(|account| revision > account.revision) {
            self.note_revision(revision);
            self.outputs.push_back(Output::Emit(Event::AccountChanged { revision }));
        }
    }

    fn handle_welcome(&mut self, tick: Tick, welcome: wire::Welcome) -> Result<(), Malformed> {
        let (Phase::Handshaking { .. }, Some(transport)) = (self.connect.phase(), self.transport)
        else {
            return Err(Malformed);
        };
        if !(version::OLDEST..=version::NEWEST).contains(&welcome.version) {
            return Err(Malformed);
        }
        let user = User { id: user_id(&welcome.user)?, name: welcome.user_name.as_str().into() };
        let device = DeviceId::from_slice(&welcome.device).map_err(|_| Malformed)?;
        // A device that knew nothing yet has nothing to catch up with.
        let known = self.account.as_ref().map(|known| known.revision);
        let revision = known.unwrap_or(welcome.account_revision);
        let account = SavedAccount { user: user.clone(), device, revision };
        if self.account.as_ref().is_some_and(|known| known.user.id != user.id) {
            let error = Error::new(ErrorKind::Store, "the store belongs to another user");
            self.fail(tick, error);
            return Ok(());
        }
        if self.account.as_ref() != Some(&account) {
            self.save(Save::Account(account.clone()));
            self.account = Some(account);
            self.learn_peers();
        }
        let limits = welcome.limits.unwrap_or_default();
        self.requests.set_limit(limits.requests_in_flight);
        let behind = match welcome.background_heartbeat_ms {
            0 => welcome.heartbeat_ms,
            behind => behind,
        };
        self.heartbeats_ms = (heartbeat_ms(welcome.heartbeat_ms), heartbeat_ms(behind));
        self.ping_at_ms = tick.now_ms + self.heartbeat_ms();
        self.watch_at_ms = (!self.watched.is_empty()).then_some(tick.now_ms);
        self.session_number += 1;
        self.session = Some(Arc::new(Session {
            id: SessionId::from_slice(&welcome.session).map_err(|_| Malformed)?,
            user,
            device,
            transport,
            text_chars: limits.text_chars,
            group_members: limits.group_members,
            server_time_ms: welcome.server_time_ms,
        }));
        self.connect.handle_welcome(tick.now_ms);
        self.synced = false;
        self.say_state(tick.now_ms);
        self.handle_revision(welcome.account_revision);
        self.handle_changes(tick, &welcome.changes.unwrap_or_default(), true)?;
        self.resume();
        Ok(())
    }

    /// Looks at everything that an earlier session left open.
    fn resume(&mut self) {
        let open = self.conversations.values().filter(|conversation| {
            !conversation.is_described()
                || conversation.log.has_gap()
                || conversation.acknowledged.is_pending()
                || conversation.read.is_pending()
                || conversation.describe_again
                || conversation.needs_hidden()
        });
        let open: Vec<ConversationId> = open.map(|conversation| conversation.id).collect();
        self.work.extend(open);
        // Receipts said while we were away are not repeated.
        let tracked: Vec<ConversationId> = self.tracking.conversations().collect();
        for id in tracked {
            if let Some(conversation) = self.conversations.get_mut(&id) {
                conversation.describe_again = true;
                self.work.insert(id);
            }
        }
        self.wanted_names = self.outbox.unresolved().map(str::to_owned).collect();
        let asked = self.calls.values().filter_map(|(call, _)| match call {
            Call::Lookup { name } => Some(name.clone()),
            _ => None,
        });
        self.wanted_names.extend(asked);
    }

    /// The conversation, known from now on.
    pub(super) fn conversation(&mut self, id: ConversationId) -> &mut Conversation {
        let held = (!self.fresh).then_some(0);
        self.conversations.entry(id).or_insert_with(|| Conversation::new(id, held))
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
        self.save(Save::Done(local_id));
        self.outputs.push_back(Output::Status(local_id, SendStatus::Sent(sent)));
        let client_message_id = item.client_message_id;
        self.outputs.push_back(Output::Emit(Event::Sent { local_id, client_message_id, sent }));
        for gone in self.tracking.add(local_id, sent) {
            self.outputs.push_back(Output::Untrack(gone));
        }
        if let To::User(user) = item.to {
            self.direct.insert(user, conversation);
            self.outbox.join(&To::User(user), &To::Conversation(conversation));
        }
        let sender = self.me().map(UserId::to_wire).unwrap_or_default();
        let (ordinal, kind, body) = (answer.ordinal, item.kind, item.body);
        let entry =
            wire::Entry { seq, ordinal, time_ms, epoch: 0, sender, kind, body, erased: false };
        let known = self.conversation(conversation);
        if !answer.duplicate {
            known.acknowledged.handle_given(seq, seq);
        }
        known.log.note_last(seq, tick.now_ms, true);
        known.log.offer(entry);
        self.touch(conversation);
        self.advance(conversation);
        self.follow_cursors(conversation);
        self.move_feed(answer.feed_position);
        Ok(())
    }

    fn handle_found(&mut self, asked: &str, found: wire::Found) -> Result<(), Malformed> {
        self.looking_up.remove(asked);
        let user = found.user.ok_or(Malformed)?;
        let user = User { id: user_id(&user.id)?, name: user.name.as_str().into() };
        for call in self.waiting(|call| matches!(call, Call::Lookup { name } if name == asked)) {
            self.reply(call, Ok(Reply::Found(user.clone())));
        }
        // The server may spell it differently; what was asked resolves all the same.
        let to = self.resolve(To::User(user.id));
        self.outbox.join(&To::Name(asked.to_owned()), &to);
        self.learn_name(user);
        Ok(())
    }

    fn handle_described(
        &mut self,
        id: ConversationId,
        described: &wire::Described,
    ) -> Result<(), Malformed> {
        let description = convert::description(described).map_err(|_| Malformed)?;
        let (session, me) = (self.session_number, self.me());
        let Some(conversation) = self.conversations.get_mut(&id) else { return Ok(()) };
        conversation.handle_described(description, me, session);
        let Some(current) = conversation.description() else { return Ok(()) };
        if let Some(peer) = me.and_then(|me| conversation.peer(me)).cloned() {
            self.learn_peer(id, peer);
        }
        for call in self.describe_calls(id) {
            self.reply(call, Ok(Reply::Described(current.clone())));
        }
        self.changed.insert(id);
        self.advance(id);
        self.follow_cursors(id);
        Ok(())
    }

    pub(super) fn describe_calls(&self, id: ConversationId) -> Vec<CallId> {
        self.waiting(|call| matches!(call, Call::Describe { conversation } if *conversation == id))
    }
}

/// A server can't make the client ping without end, nor forget it.
fn heartbeat_ms(said: u32) -> u64 {
    u64::from(said).clamp(50, 3_600_000)
}

pub(super) fn conversation_id(bytes: &[u8]) -> Result<ConversationId, Malformed> {
    ConversationId::from_slice(bytes).map_err(|_| Malformed)
}

pub(super) fn user_id(bytes: &[u8]) -> Result<UserId, Malformed> {
    UserId::from_slice(bytes).map_err(|_| Malformed)
}
