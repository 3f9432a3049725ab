//! What the feed says: which conversations changed, what the user hid.

use parley_protocol::ids::ConversationId;
use parley_protocol::wire;

use super::connect::Tick;
use super::feed::Answered;
use super::inbound::{Malformed, conversation_id};
use super::{Conversation, Machine, Save};
use crate::model::Event;

impl Machine {
    /// A page of the feed came, as an answer or by itself.
    pub(super) fn handle_changes(
        &mut self,
        tick: Tick,
        changes: &wire::Changes,
        asked: bool,
    ) -> Result<(), Malformed> {
        for entry in &changes.entries {
            self.handle_feed_entry(tick, entry)?;
        }
        if !asked {
            self.advance_feed(changes.feed_position);
            return Ok(());
        }
        let answered = self.feed.handle_answer(changes.feed_position, changes.more, tick.now_ms);
        let Answered::Whole { first } = answered else { return Ok(()) };
        if first || !self.feed.awaits_restart() {
            // What the whole list did not name is newer than it.
            for id in self.conversations.begin_remaining() {
                self.advance(id);
            }
        }
        self.save_feed();
        let stale = self.conversations.iter().filter_map(Conversation::stale_version).min();
        self.feed.handle_stale(stale, tick.now_ms);
        Ok(())
    }

    fn handle_feed_entry(&mut self, tick: Tick, entry: &wire::FeedEntry) -> Result<(), Malformed> {
        let id = conversation_id(&entry.conversation)?;
        let catch_up = self.config.catch_up;
        let conversation = self.conversation(id);
        conversation.begin_by(catch_up, entry);
        let news = conversation.handle_feed(entry, tick.now_ms);
        if let Some(up_to) = news.cleared {
            self.outputs.save(Save::Cleared(id, up_to));
        }
        self.conversations.mark_changed(id);
        self.conversations.touch(id);
        self.reply_read(news.read);
        self.advance(id);
        Ok(())
    }

    /// A push or an answer moved the feed.
    pub(super) fn advance_feed(&mut self, position: u64) {
        if self.feed.advance(position) {
            self.save_feed();
        }
    }

    pub(super) fn save_feed(&mut self) {
        self.outputs.save(Save::Feed(self.feed.resume_position()));
    }

    /// The answer to what the user hid here.
    pub(super) fn handle_hidden(&mut self, id: ConversationId, answer: &wire::HiddenSeqs) {
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        conversation.handle_hidden(answer.seqs.len());
        if !answer.seqs.is_empty() {
            self.outputs.save(Save::Hidden(id, answer.seqs.clone()));
            self.outputs.emit(Event::Hidden { conversation: id, seqs: answer.seqs.clone() });
        }
        self.conversations.touch(id);
    }
}
