//! Requests the server refused, each with its own consequence.

use parley_protocol::ids::ConversationId;

use super::connect::Tick;
use super::inbound::AGAIN_MS;
use super::outbox::Refusal;
use super::requests::Pending;
use super::{Call, Item, Machine, Output, Save, read};
use crate::error::Error;
use crate::model::{Event, LocalId, SendStatus, To};

impl Machine {
    pub(super) fn handle_refusal(&mut self, tick: Tick, pending: Pending, error: Error) {
        let again_ms = tick.now_ms + AGAIN_MS;
        match pending {
            Pending::Hello => self.handle_failure(tick, error),
            Pending::Ping => {}
            Pending::Sync => {
                self.handle_feed_unanswered();
                self.sync_at_ms = Some(again_ms);
            }
            Pending::Send(id) => self.handle_send_refused(tick, id, error),
            Pending::Page(call) => self.reply(call, Err(error)),
            Pending::Fetch(id) => {
                self.fetching = self.fetching.saturating_sub(1);
                self.call_next_in_line();
                if let Some(conversation) = self.conversations.get_mut(&id) {
                    conversation.log.finish_fetch(None, false, tick.now_ms);
                }
                self.work.insert(id);
            }
            Pending::Cover(id) => {
                self.fetching = self.fetching.saturating_sub(1);
                self.call_next_in_line();
                if let Some(conversation) = self.conversations.get_mut(&id) {
                    conversation.acknowledged.finish_recovery(false);
                }
                self.work.insert(id);
            }
            Pending::Delivered(id) => {
                if let Some(conversation) = self.conversations.get_mut(&id) {
                    if read::is_cursor_ahead(&error) || !error.is_retryable() {
                        conversation.acknowledged.finish(None);
                    } else {
                        conversation.acknowledged.postpone(again_ms);
                    }
                }
                self.work.insert(id);
            }
            Pending::Read(id, _) => self.handle_read_refused(tick, id, &error),
            // Whoever can't be asked about now is called by the id.
            Pending::Name(user) => self.handle_name(user, None),
            Pending::Hidden(id) => self.handle_hidden_refused(id),
            Pending::Watch => {
                if error.is_retryable() {
                    self.watch_at_ms = Some(again_ms);
                }
            }
            Pending::Lookup(name) => self.handle_lookup_refused(tick, name, &error),
            Pending::Describe(id) => {
                self.describing = self.describing.saturating_sub(1);
                self.call_next_in_line();
                self.handle_describe_refused(again_ms, id, &error);
            }
        }
    }

    pub(super) fn handle_send_refused(&mut self, tick: Tick, local_id: LocalId, error: Error) {
        let refusal = self.outbox.handle_failure(tick, local_id, &error, self.config.backoff);
        match refusal {
            Some(Refusal::Parked) => {
                self.outputs.push_back(Output::Status(local_id, SendStatus::Queued));
            }
            Some(Refusal::Failed(item)) => self.fail_item(item, error),
            None => {}
        }
    }

    pub(super) fn fail_item(&mut self, item: Item, error: Error) {
        let (local_id, client_message_id) = (item.local_id, item.client_message_id);
        self.save(Save::Done(local_id));
        self.outputs.push_back(Output::Status(local_id, SendStatus::Failed(error.clone())));
        let event = Event::SendFailed { local_id, client_message_id, error };
        self.outputs.push_back(Output::Emit(event));
    }

    pub(super) fn handle_lookup_refused(&mut self, tick: Tick, asked: String, error: &Error) {
        self.looking_up.remove(&asked);
        if error.is_retryable() {
            self.lookup_at_ms = tick.now_ms + AGAIN_MS;
            self.wanted_names.insert(asked);
            return;
        }
        for call in self.waiting(|call| matches!(call, Call::Lookup { name } if *name == asked)) {
            self.reply(call, Err(error.clone()));
        }
        for item in self.outbox.fail_lane(&To::Name(asked)) {
            self.fail_item(item, error.clone());
        }
    }

    pub(super) fn handle_describe_refused(
        &mut self,
        again_ms: u64,
        id: ConversationId,
        error: &Error,
    ) {
        let session = self.session_number;
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.describing = false;
        if error.is_retryable() {
            conversation.describe_at_ms = again_ms;
            self.work.insert(id);
            return;
        }
        conversation.handle_undescribable(session);
        for call in self.describe_calls(id) {
            self.reply(call, Err(error.clone()));
        }
        self.advance(id);
    }
}
