//! Cursors that moved: the others', for the ticks of our sends, and our own.

use parley_protocol::ids::ConversationId;
use parley_protocol::wire;

use super::connect::Tick;
use super::inbound::{Malformed, conversation_id, user_id};
use super::requests::Pending;
use super::{CallId, Machine, Output, Reply, read};
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
        let Some(conversation) = self.conversations.get_mut(&id) else {
            self.move_feed(feed_position);
            return Ok(());
        };
        if !conversation.handle_receipt(&receipt) && conversation.is_described() {
            self.move_feed(feed_position);
            return Ok(());
        }
        if Some(receipt.user) == me {
            conversation.acknowledged.handle_confirmed(receipt.delivered.max(receipt.read));
            self.handle_own_read(id, receipt.read);
        }
        // After the doubt that a cursor may leave: it is asked from before.
        self.move_feed(feed_position);
        self.outputs.push_back(Output::Emit(Event::Receipt(receipt)));
        self.changed.insert(id);
        self.touch(id);
        self.follow_cursors(id);
        Ok(())
    }

    pub(super) fn handle_own_read(&mut self, id: ConversationId, up_to: u64) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let doubt = up_to > conversation.read.confirmed() && conversation.count.handle_read(up_to);
        let done = conversation.read.handle_confirmed(up_to);
        if doubt {
            self.doubt();
        }
        self.done_reading(done);
    }

    pub(super) fn done_reading(&mut self, calls: Vec<CallId>) {
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
        let Some(conversation) = self.conversations.get_mut(&id) else { return Ok(()) };
        match pending {
            Some(Pending::Delivered(_)) => conversation.acknowledged.finish(Some(moved.delivered)),
            Some(Pending::Read(_, _)) => {
                conversation.read.finish();
                conversation.acknowledged.handle_confirmed(moved.delivered);
            }
            _ => conversation.acknowledged.handle_confirmed(moved.delivered),
        }
        self.handle_own_read(id, moved.read);
        self.changed.insert(id);
        self.touch(id);
        Ok(())
    }

    /// Tells the sends that the others' cursors have passed.
    pub(super) fn follow_cursors(&mut self, id: ConversationId) {
        let (Some(me), Some(conversation)) = (self.me(), self.conversations.get(&id)) else {
            return;
        };
        let (delivered, read) = conversation.others(me);
        for (local_id, status) in self.tracking.handle_cursors(id, delivered, read) {
            self.outputs.push_back(Output::Status(local_id, status));
        }
    }

    pub(super) fn handle_read_refused(&mut self, tick: Tick, id: ConversationId, error: &Error) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        let ahead = read::is_cursor_ahead(error);
        if ahead {
            conversation.acknowledged.finish(None);
        }
        let calls = conversation.read.handle_failure(tick.now_ms, ahead || error.is_retryable());
        for call in calls {
            self.reply(call, Err(error.clone()));
        }
        self.touch(id);
    }
}
