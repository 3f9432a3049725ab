//! Cursors that moved: the others', for the ticks of our sends, and our own.

use parley_protocol::ids::ConversationId;
use parley_protocol::wire;

use super::connect::Tick;
use super::inbound::{Malformed, conversation_id, user_id};
use super::requests::Pending;
use super::{CallId, Machine, Reply};
use crate::error::Error;
use crate::model::{self, Event};

impl Machine {
    pub(super) fn handle_receipt(&mut self, receipt: &wire::Receipt) -> Result<(), Malformed> {
        let id = conversation_id(&receipt.conversation)?;
        let feed_position = receipt.feed_position;
        let receipt = model::Receipt {
            conversation: id,
            user: user_id(&receipt.user)?,
            delivered: receipt.delivered,
            read: receipt.read,
            time_ms: receipt.time_ms,
        };
        let me = self.me();
        let Some(conversation) = self.conversations.get_mut(id) else {
            self.advance_feed(feed_position);
            return Ok(());
        };
        if !conversation.handle_receipt(&receipt) && conversation.is_described() {
            self.advance_feed(feed_position);
            return Ok(());
        }
        if Some(receipt.user) == me {
            conversation.confirm_delivered(receipt.delivered.max(receipt.read));
            self.handle_own_read(id, receipt.read);
        }
        // After the count that may be stale by it: it is asked from before.
        self.advance_feed(feed_position);
        self.outputs.emit(Event::Receipt(receipt));
        self.conversations.mark_changed(id);
        self.conversations.touch(id);
        self.follow_cursors(id);
        Ok(())
    }

    pub(super) fn handle_own_read(&mut self, id: ConversationId, up_to: u64) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let (done, stale) = conversation.confirm_read(up_to);
        if stale {
            self.feed.request_resync();
        }
        self.reply_read(done);
    }

    pub(super) fn reply_read(&mut self, calls: Vec<CallId>) {
        for call in calls {
            self.reply(call, Ok(Reply::Read));
        }
    }

    pub(super) fn handle_moved(
        &mut self,
        moved: &wire::Moved,
        pending: Option<&Pending>,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&moved.conversation)?;
        let Some(conversation) = self.conversations.get_mut(id) else { return Ok(()) };
        match pending {
            Some(Pending::Delivered(_)) => conversation.finish_delivered(moved.delivered),
            Some(Pending::Read(_, _)) => conversation.finish_read(moved.delivered),
            _ => conversation.confirm_delivered(moved.delivered),
        }
        self.handle_own_read(id, moved.read);
        self.conversations.mark_changed(id);
        self.conversations.touch(id);
        Ok(())
    }

    /// Tells the sends that the others' cursors have passed.
    pub(super) fn follow_cursors(&mut self, id: ConversationId) {
        let (Some(me), Some(conversation)) = (self.me(), self.conversations.get(id)) else {
            return;
        };
        let (delivered, read) = conversation.others(me);
        for (local_id, status) in self.tracking.handle_cursors(id, delivered, read) {
            self.outputs.status(local_id, status);
        }
    }

    pub(super) fn handle_read_refused(&mut self, tick: Tick, id: ConversationId, error: &Error) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        for call in conversation.handle_read_refused(error, tick.now_ms) {
            self.reply(call, Err(error.clone()));
        }
        self.conversations.touch(id);
    }
}
