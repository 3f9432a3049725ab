//! The feed: which conversations changed, and where its position stands.
//!
//! The position is what this device has taken whole. A doubt about a count asks
//! once more from where the position was before; should that not bring the
//! conversation, from the version of what is known of it.

use parley_protocol::ids::ConversationId;
use parley_protocol::wire;

use super::connect::Tick;
use super::inbound::{AGAIN_MS, Malformed, conversation_id};
use super::{Machine, Output, Save};
use crate::model::{CatchUp, Event};

/// Syncs in a row that leave a doubt, after which it stays until the next change.
const DOUBTS: u32 = 4;

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
            self.move_feed(changes.feed_position);
            return Ok(());
        }
        self.feed_asked = None;
        self.feed_position = self.feed_position.max(changes.feed_position);
        if changes.more {
            // The position may be further already, by what was pushed meanwhile.
            self.feed_doubt = Some(changes.feed_position);
            self.sync_at_ms = Some(tick.now_ms);
            return Ok(());
        }
        self.synced = true;
        if std::mem::replace(&mut self.fresh, false) {
            self.begin_the_rest();
        }
        self.save_feed();
        self.settle_doubts(tick);
        Ok(())
    }

    fn handle_feed_entry(&mut self, tick: Tick, entry: &wire::FeedEntry) -> Result<(), Malformed> {
        let id = conversation_id(&entry.conversation)?;
        let catch_up = self.config.catch_up;
        let fresh = self.fresh;
        let conversation = self.conversation(id);
        if fresh && !conversation.begun {
            conversation.begin(match catch_up {
                CatchUp::Undelivered => entry.delivered.min(entry.last_seq),
                CatchUp::Unread => entry.read.min(entry.last_seq),
                CatchUp::Everything => 0,
            });
            // Whatever is read from now on comes without what is hidden.
            conversation.hidden_known = entry.hidden;
        }
        let cleared = conversation.handle_feed(entry, tick.now_ms);
        let done = conversation.read.handle_confirmed(entry.read.min(entry.last_seq));
        if let Some(up_to) = cleared {
            self.save(Save::Cleared(id, up_to));
        }
        self.changed.insert(id);
        self.touch(id);
        self.done_reading(done);
        self.advance(id);
        Ok(())
    }

    /// What the first list did not name is newer than it: it begins at its beginning.
    fn begin_the_rest(&mut self) {
        let rest = self.conversations.values_mut().filter(|conversation| !conversation.begun);
        let mut ids = Vec::new();
        for conversation in rest {
            conversation.begun = true;
            ids.push(conversation.id);
        }
        for id in ids {
            self.advance(id);
        }
    }

    /// A push or an answer moved the feed. While pages of it are missing, only
    /// they move it, or what they hold would be skipped.
    pub(super) fn move_feed(&mut self, position: u64) {
        if self.synced && position > self.feed_position {
            self.feed_position = position;
            self.save_feed();
        }
    }

    fn save_feed(&mut self) {
        self.save(Save::Feed(self.asked_from()));
    }

    /// From where the feed has to be asked, were it asked now.
    fn asked_from(&self) -> u64 {
        let from = [self.feed_doubt, self.feed_asked].into_iter().flatten().min();
        from.map_or(self.feed_position, |from| from.min(self.feed_position))
    }

    /// As [`Machine::asked_from`], for a question that is made.
    pub(super) fn ask_feed_from(&mut self) -> u64 {
        let from = self.asked_from();
        self.feed_doubt = None;
        self.feed_asked = Some(from);
        from
    }

    /// A question about the feed was refused, or its answer is lost.
    pub(super) fn handle_feed_unanswered(&mut self) {
        if self.feed_asked.is_some() {
            self.feed_doubt = Some(self.asked_from());
            self.feed_asked = None;
        }
    }

    /// A count may be wrong: the feed is asked again from here.
    pub(super) fn doubt(&mut self) {
        self.feed_doubt = Some(self.asked_from());
        self.doubted = true;
    }

    /// The feed knows something by now that it doesn't tell this session by itself.
    pub(super) fn ask_feed_now(&mut self, tick: Tick) {
        self.feed_doubt = Some(self.asked_from());
        self.sync_at_ms = Some(tick.now_ms);
    }

    /// What was doubted in this input is asked a little later, with what follows it.
    pub(super) fn schedule_doubts(&mut self, now_ms: u64) {
        if std::mem::take(&mut self.doubted) {
            self.doubts = 0;
            if self.sync_at_ms.is_none() {
                self.sync_at_ms = Some(now_ms + AGAIN_MS / 5);
            }
        }
    }

    /// The feed spoke; what it did not settle is asked from further back.
    fn settle_doubts(&mut self, tick: Tick) {
        let doubtful = self.conversations.values().filter(|known| known.count.doubtful);
        let Some(version) = doubtful.map(|known| known.count.version).min() else {
            self.doubts = 0;
            return;
        };
        if self.doubts >= DOUBTS {
            return;
        }
        self.doubts += 1;
        // The entry itself again: its version is above the one asked from.
        let from = version.saturating_sub(1);
        self.feed_doubt = Some(self.asked_from().min(from));
        if self.sync_at_ms.is_none() {
            self.sync_at_ms = Some(tick.now_ms + AGAIN_MS / 5);
        }
    }

    /// The answer to what the user hid here.
    pub(super) fn handle_hidden(&mut self, id: ConversationId, answer: &wire::HiddenSeqs) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        conversation.asking_hidden = false;
        let count = u32::try_from(answer.seqs.len()).unwrap_or(u32::MAX);
        conversation.hidden_known = conversation.hidden_known.saturating_add(count);
        if count == 0 {
            // Nothing more is given: asking on would be for ever.
            conversation.hidden_known = conversation.hidden;
        }
        if count > 0 {
            self.save(Save::Hidden(id, answer.seqs.clone()));
            let event = Event::Hidden { conversation: id, seqs: answer.seqs.clone() };
            self.outputs.push_back(Output::Emit(event));
        }
        self.touch(id);
    }

    pub(super) fn handle_hidden_refused(&mut self, id: ConversationId) {
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        // With the next change, or in the next session.
        conversation.asking_hidden = false;
        conversation.hidden = conversation.hidden_known;
    }
}
