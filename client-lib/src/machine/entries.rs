//! Entries that come, pushed or fetched: offered to their log, taken in order,
//! emitted with names.

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire;
use prost::Message as _;

use super::connect::Tick;
use super::inbound::{Malformed, conversation_id};
use super::{CallId, Machine, Output, Page, Reply, Save};
use crate::history;
use crate::model::{self, Event};

impl Machine {
    pub(super) fn handle_deliver(
        &mut self,
        tick: Tick,
        deliver: &wire::Deliver,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&deliver.conversation)?;
        self.conversation(id);
        self.offer(id, &deliver.entries);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            let last = conversation.log.last();
            conversation.log.note_last(last, tick.now_ms, false);
        }
        self.advance(id);
        self.move_feed(deliver.feed_position);
        Ok(())
    }

    /// A push or an answer moved the feed. While pages of it are missing, only
    /// they move it, or what they hold would be skipped.
    pub(super) fn move_feed(&mut self, position: u64) {
        if self.synced && position > self.feed_position {
            self.feed_position = position;
            self.save(Save::Feed(position));
        }
    }

    /// Decodes entries and offers them to the log. Gives the lowest and highest seq.
    pub(super) fn offer(&mut self, id: ConversationId, entries: &[Bytes]) -> Option<(u64, u64)> {
        let conversation = self.conversations.get_mut(&id)?;
        let mut run: Option<(u64, u64)> = None;
        let mut bounds: Option<(u64, u64)> = None;
        for bytes in entries {
            // One that can't be read leaves a gap, which is fetched; when that
            // brings nothing better, the log stalls there and the rest works.
            let Ok(entry) = wire::Entry::decode(bytes.clone()) else { continue };
            let seq = entry.seq;
            if seq == 0 {
                continue;
            }
            bounds = Some(bounds.map_or((seq, seq), |(low, high)| (low.min(seq), high.max(seq))));
            run = match run {
                Some((from, to)) if seq == to.saturating_add(1) => Some((from, seq)),
                Some((from, to)) => {
                    conversation.acknowledged.handle_given(from, to);
                    Some((seq, seq))
                }
                None => Some((seq, seq)),
            };
            conversation.log.offer(detach(entry));
        }
        if let Some((from, to)) = run {
            conversation.acknowledged.handle_given(from, to);
        }
        bounds
    }

    pub(super) fn handle_gap_page(&mut self, tick: Tick, id: ConversationId, page: &wire::Fetched) {
        self.fetching = self.fetching.saturating_sub(1);
        self.call_next_in_line();
        let bounds = self.offer(id, &page.entries);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.fetched_ms = tick.now_ms;
            conversation.log.note_last(page.last_seq, tick.now_ms, false);
        }
        self.advance(id);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            let first = bounds.map(|(first, _)| first);
            conversation.log.finish_fetch(first, page.at_start, tick.now_ms);
            if conversation.log.is_stalled() {
                self.outputs.push_back(Output::Stalled(id));
            }
        }
        self.advance(id);
    }

    pub(super) fn handle_cover(&mut self, tick: Tick, id: ConversationId, page: &wire::Fetched) {
        self.fetching = self.fetching.saturating_sub(1);
        self.call_next_in_line();
        let before = self.conversations.get(&id).map(|known| known.acknowledged.covered());
        self.offer(id, &page.entries);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            conversation.fetched_ms = tick.now_ms;
            let brought = Some(conversation.acknowledged.covered()) > before;
            conversation.acknowledged.finish_recovery(brought);
        }
        self.advance(id);
    }

    pub(super) fn handle_page(
        &mut self,
        tick: Tick,
        call: CallId,
        page: &wire::Fetched,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&page.conversation)?;
        let decoded = page.entries.iter().map(|bytes| wire::Entry::decode(bytes.clone()));
        let entries: Vec<wire::Entry> = decoded.filter_map(Result::ok).map(detach).collect();
        if let Some(conversation) = self.conversations.get_mut(&id) {
            if let (Some(first), Some(last)) = (entries.first(), entries.last()) {
                conversation.acknowledged.handle_given(first.seq, last.seq);
            }
            conversation.log.note_last(page.last_seq, tick.now_ms, true);
            self.touch(id);
        }
        for entry in &entries {
            self.save(Save::Entry(id, entry.clone()));
        }
        let me = self.me();
        let (at_start, at_end, last_seq) = (page.at_start, page.at_end, page.last_seq);
        self.reply(call, Ok(Reply::Page(Page { entries, at_start, at_end, last_seq, me })));
        Ok(())
    }

    /// Takes and emits what is next in order, as far as names are known.
    pub(super) fn advance(&mut self, id: ConversationId) {
        let me = self.me();
        let Some(conversation) = self.conversations.get_mut(&id) else { return };
        while conversation.begun && conversation.is_described() {
            let Some(next) = conversation.log.peek() else { break };
            // An author the server did not set is nobody we could name.
            let sender = UserId::from_slice(&next.sender).unwrap_or(UserId::new([0; 16]));
            if !conversation.can_name(sender) {
                conversation.describe_again = true;
                break;
            }
            let Some(entry) = conversation.log.take() else { break };
            let own = Some(sender) == me;
            conversation.handle_taken(&entry, own);
            let sender = conversation.name(sender);
            if self.config.keeps {
                self.saves.push(Save::Entry(id, entry.clone()));
            }
            let event = match history::entry(id, entry, sender, own) {
                model::Entry::Message(message) => Event::Message(message),
                model::Entry::Unknown(entry) => Event::UnknownEntry(entry),
            };
            self.outputs.push_back(Output::Emit(event));
            self.changed.insert(id);
        }
        self.touch(id);
    }
}

/// The body shares the buffer of a whole read; a small one is copied out, so
/// that keeping a message doesn't keep the buffer.
fn detach(mut entry: wire::Entry) -> wire::Entry {
    entry.body = Bytes::copy_from_slice(&entry.body);
    entry.sender = Bytes::copy_from_slice(&entry.sender);
    entry
}
