//! What the application wants: sends, calls, typing, an end.

use bytes::Bytes;
use parley_protocol::Code;
use parley_protocol::ids::{ClientMessageId, ConversationId};
use parley_protocol::wire::client_envelope::Kind;

use super::connect::{Phase, Tick};
use super::{Call, CallId, Conversation, Item, Machine, Output, Reply, Save};
use crate::error::{Error, ErrorKind};
use crate::model::{Conversation as Line, LocalId, SendStatus, To};

impl Machine {
    /// Puts a message into the outbox. The caller sees to its bounds.
    pub fn queue(&mut self, to: To, id: ClientMessageId, kind: u32, body: Bytes) -> LocalId {
        let local_id = self.outbox.next_local_id();
        let item = Item { local_id, to, client_message_id: id, kind, body };
        if self.outputs.keeps() {
            self.outputs.save(Save::Queued(item.clone()));
        }
        self.push(item);
        local_id
    }

    /// Takes a message back. True when it has not left.
    pub fn abort(&mut self, local_id: LocalId) -> bool {
        let Some(item) = self.outbox.abort(local_id) else { return false };
        self.outputs.save(Save::Done(item.local_id));
        self.outputs.status(local_id, SendStatus::Aborted);
        true
    }

    /// Sends not answered yet.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.outbox.len()
    }

    /// Whether readers are behind: catching up then goes slowly.
    pub fn set_busy(&mut self, busy: bool) {
        self.conversations.set_busy(busy);
    }

    /// The app went behind, or came back in front of its user. Said at once.
    pub fn set_background(&mut self, tick: Tick, background: bool) {
        if self.liveness.set_background(background) {
            self.probe(tick);
        }
    }

    /// Asks for a sign of life now, after the network changed under the transport.
    pub fn probe(&mut self, tick: Tick) {
        if self.connect.is_ready() {
            self.liveness.probe(tick.now_ms);
        }
    }

    /// Drops the connection and opens a new one.
    pub fn force_reconnect(&mut self, tick: Tick) {
        let step = self.connect.force_reconnect();
        self.end_session();
        self.apply_step(step, tick.now_ms);
    }

    /// Ends when everything is sent and acknowledged, at the latest after `patience_ms`.
    pub fn drain(&mut self, tick: Tick, patience_ms: u64) {
        self.outbox.start_drain(tick.now_ms.saturating_add(patience_ms));
        self.conversations.skip_pauses();
        self.report_state(tick.now_ms);
        self.finish_input(tick.now_ms);
    }

    /// Ends now.
    pub fn close(&mut self, tick: Tick) {
        let step = self.connect.close(None);
        self.apply_step(step, tick.now_ms);
    }

    /// The user writes in a conversation, or stopped. Said at most every three
    /// seconds; without a session it is not said at all.
    pub fn typing(&mut self, tick: Tick, conversation: ConversationId, active: bool) {
        if self.connect.is_ready() {
            self.presence.set_typing(tick.now_ms, conversation, active);
        }
    }

    /// Takes a call; its answer comes as [`Output::Reply`].
    pub fn call(&mut self, tick: Tick, id: CallId, call: Call) {
        let refused = if self.connect.is_closed() || self.outbox.is_draining() {
            Some(Error::closed())
        } else {
            let full = self.calls.is_full();
            full.then(|| Error::new(ErrorKind::Full, "too many open requests"))
        };
        if let Some(error) = refused {
            self.outputs.push(Output::Reply(id, Err(error)));
            return;
        }
        let until_ms = tick.now_ms.saturating_add(self.config.request_timeout_ms);
        self.calls.add(id, call.clone(), until_ms);
        match call {
            Call::Fetch { .. } => self.calls.enqueue(id),
            Call::Ask(Kind::Subscribe(subscribe))
                if !subscribe.once && !self.presence.watch(&subscribe) =>
            {
                self.reply(id, Err(Error::from_code(Code::ListFull as u32, "", 0)));
            }
            Call::Ask(_) => self.calls.enqueue(id),
            Call::Describe { conversation } => self.ask_description(id, conversation),
            Call::Lookup { name } => match self.names.by_name(&name).cloned() {
                Some(user) => self.reply(id, Ok(Reply::Found(user))),
                None => self.names.want_lookup(&name),
            },
            Call::Read { conversation, up_to } => self.want_read(id, conversation, up_to),
            Call::List => {}
            Call::Users(ids) => {
                let users = self.find_users(&ids);
                self.reply(id, Ok(Reply::Users(users)));
            }
        }
        self.finish_input(tick.now_ms);
    }

    /// Answers a call, once: what comes of it after it timed out is passed over.
    pub(super) fn reply(&mut self, id: CallId, answer: Result<Reply, Error>) {
        if self.calls.remove(id) {
            self.outputs.reply(id, answer);
        }
    }

    pub(super) fn expire_calls(&mut self, now_ms: u64) {
        for (id, call) in self.calls.expire(now_ms) {
            if let Call::Read { conversation, .. } = call
                && let Some(known) = self.conversations.get_mut(conversation)
            {
                known.forget_call(id);
            }
            self.outputs.reply(id, Err(Error::new(ErrorKind::Timeout, "no answer in time")));
        }
    }

    fn ask_description(&mut self, id: CallId, conversation: ConversationId) {
        let session = self.account.session_number();
        let online = self.connect.is_ready();
        match self.conversations.get_mut(conversation) {
            Some(known) if known.is_described_in(session) || (known.is_described() && !online) => {
                if let Some(description) = known.description() {
                    self.reply(id, Ok(Reply::Described(description)));
                }
            }
            Some(known) => {
                known.describe_again();
                self.conversations.wake(conversation);
            }
            // Asked without becoming a line of the list: it may be of others.
            None => self.calls.enqueue(id),
        }
    }

    fn want_read(&mut self, id: CallId, conversation: ConversationId, up_to: u64) {
        let Some(known) = self.conversations.get_mut(conversation) else {
            self.reply(id, Err(Error::from_code(Code::NotFound as u32, "", 0)));
            return;
        };
        if up_to > known.last_seq() {
            self.reply(id, Err(Error::from_code(Code::CursorAhead as u32, "", 0)));
            return;
        }
        if known.want_read(up_to, id) {
            self.conversations.touch(conversation);
        } else {
            self.reply(id, Ok(Reply::Read));
        }
    }

    /// Answers those who want the list, once all of it is known or can't be.
    pub(super) fn reply_lists(&mut self) {
        let waiting = self.calls.matching(|call| matches!(call, Call::List));
        if waiting.is_empty() || !self.list_is_settled() {
            return;
        }
        let me = self.me();
        let begun = self.conversations.iter().filter(|known| known.has_begun());
        let mut list: Vec<Line> = begun.map(|known| known.line(me)).collect();
        list.sort_by_key(|line| std::cmp::Reverse((line.last_time_ms, line.id)));
        for id in waiting {
            self.reply(id, Ok(Reply::List(list.clone())));
        }
    }

    fn list_is_settled(&self) -> bool {
        match self.connect.phase() {
            Phase::Ready { .. } => {
                self.feed.is_synced() && self.conversations.iter().all(Conversation::is_described)
            }
            Phase::Waiting { .. } | Phase::Closed(_) => true,
            Phase::Idle | Phase::SigningIn | Phase::Connecting | Phase::Handshaking { .. } => false,
        }
    }
}
