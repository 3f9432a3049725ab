//! What the application asks and waits for.
//!
//! A call is kept until it is answered or its time is up; one that was on its
//! way when the connection ended is asked again. Bounded by [`super::CALLS`].

use parley_protocol::Code;
use parley_protocol::wire::client_envelope::Kind;

use super::connect::{Phase, Tick};
use super::{CALLS, Call, CallId, Machine, Output, Reply};
use crate::error::{Error, ErrorKind};
use crate::model::Conversation as Line;

impl Machine {
    /// Takes a call; its answer comes as [`Output::Reply`].
    pub fn call(&mut self, tick: Tick, id: CallId, call: Call) {
        let refused = if self.connect.is_closed() || self.drain_until_ms.is_some() {
            Some(Error::closed())
        } else {
            let full = self.calls.len() >= CALLS;
            full.then(|| Error::new(ErrorKind::Full, "too many open requests"))
        };
        if let Some(error) = refused {
            self.outputs.push_back(Output::Reply(id, Err(error)));
            return;
        }
        let until_ms = tick.now_ms.saturating_add(self.config.request_timeout_ms);
        self.calls.insert(id, (call.clone(), until_ms));
        match call {
            Call::Fetch { .. } => self.to_ask.push_back(id),
            Call::Ask(Kind::Subscribe(subscribe)) if !subscribe.once && !self.watch(&subscribe) => {
                self.reply(id, Err(Error::from_code(Code::ListFull as u32, "", 0)));
            }
            Call::Ask(_) => self.to_ask.push_back(id),
            Call::Describe { conversation } => self.ask_description(id, conversation),
            Call::Lookup { name } => {
                if let Some(user) = self.names.get(&name).cloned() {
                    self.reply(id, Ok(Reply::Found(user)));
                } else if !self.looking_up.contains(&name) {
                    self.wanted_names.insert(name);
                }
            }
            Call::Read { conversation, up_to } => self.want_read(id, conversation, up_to),
            Call::List => {}
            Call::Users(ids) => {
                let users = self.find_users(&ids);
                self.reply(id, Ok(Reply::Users(users)));
            }
        }
        self.settle(tick.now_ms);
    }

    /// Answers a call, once: what comes of it after it timed out is nobody's.
    pub(super) fn reply(&mut self, id: CallId, answer: Result<Reply, Error>) {
        if self.calls.remove(&id).is_some() {
            self.outputs.push_back(Output::Reply(id, answer));
        }
    }

    pub(super) fn expire_calls(&mut self, now_ms: u64) {
        while let Some((id, (call, until_ms))) = self.calls.first_key_value()
            && *until_ms <= now_ms
        {
            let (id, call) = (*id, call.clone());
            if let Call::Read { conversation, .. } = call
                && let Some(conversation) = self.conversations.get_mut(&conversation)
            {
                conversation.read.forget(id);
            }
            self.to_ask.retain(|other| *other != id);
            self.reply(id, Err(Error::new(ErrorKind::Timeout, "no answer in time")));
        }
    }

    /// The calls that ask for the same thing.
    pub(super) fn waiting(&self, same: impl Fn(&Call) -> bool) -> Vec<CallId> {
        self.calls.iter().filter(|(_, (call, _))| same(call)).map(|(id, _)| *id).collect()
    }

    fn ask_description(&mut self, id: CallId, conversation: parley_protocol::ConversationId) {
        let current = self.session_number;
        let online = self.connect.is_ready();
        match self.conversations.get_mut(&conversation) {
            // Receipts keep it up to date within a session.
            Some(known) if known.is_described() && (known.described_in == current || !online) => {
                if let Some(description) = known.description() {
                    self.reply(id, Ok(Reply::Described(description)));
                }
            }
            Some(known) => {
                known.describe_again = true;
                self.work.insert(conversation);
            }
            // Asked without becoming a line of the list: it may be nobody's.
            None => self.to_ask.push_back(id),
        }
    }

    fn want_read(&mut self, id: CallId, conversation: parley_protocol::ConversationId, up_to: u64) {
        let Some(known) = self.conversations.get_mut(&conversation) else {
            self.reply(id, Err(Error::from_code(Code::NotFound as u32, "", 0)));
            return;
        };
        if up_to > known.log.last() {
            self.reply(id, Err(Error::from_code(Code::CursorAhead as u32, "", 0)));
            return;
        }
        if known.read.want(up_to, id) {
            // Reading implies holding: what this session was not given is fetched for it.
            known.acknowledged.handle_taken(up_to);
            self.touch(conversation);
        } else {
            self.reply(id, Ok(Reply::Read));
        }
    }

    /// Answers those who want the list once it is worth it.
    pub(super) fn settle_lists(&mut self) {
        let waiting = self.waiting(|call| matches!(call, Call::List));
        if waiting.is_empty() || !self.list_is_settled() {
            return;
        }
        let me = self.me();
        let begun = self.conversations.values().filter(|conversation| conversation.begun);
        let mut list: Vec<Line> = begun.map(|conversation| conversation.line(me)).collect();
        list.sort_by_key(|line| std::cmp::Reverse((line.last_time_ms, line.id)));
        for id in waiting {
            self.reply(id, Ok(Reply::List(list.clone())));
        }
    }

    fn list_is_settled(&self) -> bool {
        match self.connect.phase() {
            Phase::Ready { .. } => {
                self.synced && self.conversations.values().all(super::Conversation::is_described)
            }
            Phase::Waiting { .. } | Phase::Closed(_) => true,
            Phase::Idle | Phase::SigningIn | Phase::Connecting | Phase::Handshaking { .. } => false,
        }
    }
}
