//! Requests the server refused, each with its own consequence.

use parley_protocol::ids::ConversationId;

use super::connect::Tick;
use super::inbound::AGAIN_MS;
use super::outbox::Refusal;
use super::requests::Pending;
use super::{Call, Item, Machine, Save};
use crate::error::Error;
use crate::model::{Event, LocalId, SendStatus, To};

impl Machine {
    pub(super) fn handle_refusal(&mut self, tick: Tick, pending: Pending, error: Error) {
        let again_ms = tick.now_ms + AGAIN_MS;
        match pending {
            Pending::Hello => self.handle_failure(tick, error),
            Pending::Ping => {}
            Pending::Sync => self.feed.handle_refused(again_ms),
            Pending::Send(id) => self.handle_send_refused(tick, id, error),
            Pending::Call(call) => self.reply(call, Err(error)),
            Pending::Fetch(id) => {
                self.conversations.finish_fetch();
                if let Some(conversation) = self.conversations.get_mut(id) {
                    conversation.finish_gap(None, None, tick.now_ms);
                }
                self.conversations.wake(id);
            }
            Pending::Refetch(id) => {
                self.conversations.finish_fetch();
                if let Some(conversation) = self.conversations.get_mut(id) {
                    conversation.handle_refetch_refused();
                }
                self.conversations.wake(id);
            }
            Pending::Check(id) => {
                self.conversations.finish_fetch();
                if let Some(conversation) = self.conversations.get_mut(id) {
                    conversation.handle_check_refused();
                }
                self.conversations.wake(id);
            }
            Pending::Delivered(id) => {
                if let Some(conversation) = self.conversations.get_mut(id) {
                    conversation.handle_delivered_refused(&error, again_ms);
                }
                self.conversations.wake(id);
            }
            Pending::Read(id, _) => self.handle_read_refused(tick, id, &error),
            // A user who can't be asked about now is called by the id.
            Pending::Name(user) => self.handle_name(user, None),
            Pending::Hidden(id) => {
                if let Some(conversation) = self.conversations.get_mut(id) {
                    conversation.handle_hidden_refused();
                }
            }
            Pending::Watch if error.is_retryable() => self.presence.retry_watch(again_ms),
            Pending::Watch => {}
            Pending::Lookup(name) => self.handle_lookup_refused(tick, name, &error),
            Pending::Describe(id) => {
                self.conversations.finish_description();
                self.handle_describe_refused(again_ms, id, &error);
            }
        }
    }

    pub(super) fn handle_send_refused(&mut self, tick: Tick, local_id: LocalId, error: Error) {
        let refusal = self.outbox.handle_failure(tick, local_id, &error, self.config.backoff);
        match refusal {
            Some(Refusal::Parked) => {
                self.outputs.status(local_id, SendStatus::Queued);
            }
            Some(Refusal::Failed(item)) => self.fail_item(item, error),
            None => {}
        }
    }

    pub(super) fn fail_item(&mut self, item: Item, error: Error) {
        let (local_id, client_message_id) = (item.local_id, item.client_message_id);
        self.outputs.save(Save::Done(local_id));
        self.outputs.status(local_id, SendStatus::Failed(error.clone()));
        self.outputs.emit(Event::SendFailed { local_id, client_message_id, error });
    }

    pub(super) fn handle_lookup_refused(&mut self, tick: Tick, asked: String, error: &Error) {
        self.names.finish_lookup(&asked);
        if error.is_retryable() {
            self.names.retry_lookup(asked, tick.now_ms + AGAIN_MS);
            return;
        }
        let same = |call: &Call| matches!(call, Call::Lookup { name } if *name == asked);
        for call in self.calls.matching(same) {
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
        let session = self.account.session_number();
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if error.is_retryable() {
            conversation.retry_describing(again_ms);
            self.conversations.wake(id);
            return;
        }
        conversation.handle_undescribable(session);
        for call in self.describe_calls(id) {
            self.reply(call, Err(error.clone()));
        }
        self.advance(id);
    }
}
