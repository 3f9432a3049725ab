//! Entries that come, pushed or fetched: offered to their log, taken in order,
//! emitted with names.

use bytes::Bytes;
use parley_protocol::ids::ConversationId;
use parley_protocol::wire;
use prost::Message as _;

use super::connect::Tick;
use super::inbound::{Malformed, conversation_id};
use super::people::name;
use super::{Call, CallId, Machine, Output, Page, Reply, Save};
use crate::history;
use crate::model::{self, Event, Range};

impl Machine {
    pub(super) fn handle_deliver(
        &mut self,
        tick: Tick,
        deliver: &wire::Deliver,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&deliver.conversation)?;
        if !self.fresh && !self.conversations.contains_key(&id) {
            // Whether it is a stranger's request is said by the feed alone. Asked
            // before the description, without which nothing is emitted.
            self.ask_feed_now(tick);
        }
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
            if let (true, Some(first)) = (page.at_start, first) {
                conversation.acknowledged.handle_floor(first.saturating_sub(1));
            }
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
        let bounds = self.offer(id, &page.entries);
        if let Some(conversation) = self.conversations.get_mut(&id) {
            if let (true, Some((first, _))) = (page.at_start, bounds) {
                conversation.acknowledged.handle_floor(first.saturating_sub(1));
            }
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
        let (entries, related) = (decode(&page.entries), decode(&page.related));
        let dense = self.calls.get(&call).is_some_and(|(asked, _)| is_dense(asked));
        if let Some(conversation) = self.conversations.get_mut(&id) {
            if let (true, Some(first), Some(last)) = (dense, entries.first(), entries.last()) {
                conversation.acknowledged.handle_given(first.seq, last.seq);
            }
            conversation.log.note_last(page.last_seq, tick.now_ms, true);
            self.touch(id);
        }
        for entry in &related {
            self.save(Save::Related(id, entry.clone()));
        }
        // Of what lies apart, only what is done to others has a place in the cache.
        for entry in &entries {
            let entry = entry.clone();
            self.save(if dense { Save::Entry(id, entry) } else { Save::Related(id, entry) });
        }
        let names = self.names_in(id, entries.iter().chain(&related));
        self.reply(
            call,
            Ok(Reply::Page(Page {
                entries,
                at_start: page.at_start,
                at_end: page.at_end,
                last_seq: page.last_seq,
                related,
                related_cut: page.related_cut,
                me: self.me(),
                names,
            })),
        );
        Ok(())
    }

    /// Takes and emits what is next in order, as far as names are known.
    pub(super) fn advance(&mut self, id: ConversationId) {
        let me = self.me();
        loop {
            let Some(conversation) = self.conversations.get(&id) else { return };
            if !conversation.begun || !conversation.is_described() {
                break;
            }
            let Some(next) = conversation.log.peek() else { break };
            let (seq, people) = (next.seq, history::people(next));
            if !self.can_name(id, seq, &people) {
                break;
            }
            let Some(conversation) = self.conversations.get_mut(&id) else { return };
            let Some(entry) = conversation.log.take() else { break };
            let sender = history::sender(&entry);
            let own = Some(sender) == me;
            let name = |user| name(conversation, &self.known, user);
            let reader = history::Reader { conversation: id, me, name: &name };
            let read = reader.entry(entry.clone());
            let doubt = conversation.handle_taken(&entry, &read, me, own);
            self.handle_stopped_typing(id, sender);
            self.keep(id, entry);
            if doubt {
                self.doubt();
            }
            self.outputs.push_back(Output::Emit(event(read)));
            self.changed.insert(id);
        }
        self.touch(id);
    }

    /// Keeps an entry for offline reading.
    fn keep(&mut self, id: ConversationId, entry: wire::Entry) {
        if !self.config.keeps {
            return;
        }
        if entry.kind == wire::EntryKind::HistoryErased as u32
            && let Some(erased) = history::read::<wire::HistoryErased>(&entry.body)
        {
            self.saves.push(Save::Cleared(id, erased.up_to));
        }
        self.saves.push(Save::Entry(id, entry));
    }
}

fn event(entry: model::Entry) -> Event {
    match entry {
        model::Entry::Message(message) => Event::Message(message),
        model::Entry::Edit(edit) => Event::Edited(edit),
        model::Entry::Deletion(deletion) => Event::Deleted(deletion),
        model::Entry::Reaction(reaction) => Event::Reacted(reaction),
        model::Entry::Pin(pin) => Event::Pinned(pin),
        model::Entry::Change(change) => Event::Changed(change),
        model::Entry::Erased(erased) => Event::Erased(erased),
        model::Entry::Unknown(entry) => Event::UnknownEntry(entry),
    }
}

fn decode(entries: &[Bytes]) -> Vec<wire::Entry> {
    let decoded = entries.iter().map(|bytes| wire::Entry::decode(bytes.clone()));
    decoded.filter_map(Result::ok).map(detach).collect()
}

/// Whether an answer holds every entry from its first to its last.
fn is_dense(call: &Call) -> bool {
    match call {
        Call::Fetch { range, .. } => match range {
            Range::After(_)
            | Range::Before(_)
            | Range::Around(_)
            | Range::AroundTime(_)
            | Range::Latest => true,
            Range::MentionsBefore(_) | Range::Pinned | Range::EditsOf(_) => false,
        },
        _ => false,
    }
}

/// The body shares the buffer of a whole read; a small one is copied out, so
/// that keeping a message doesn't keep the buffer.
fn detach(mut entry: wire::Entry) -> wire::Entry {
    entry.body = Bytes::copy_from_slice(&entry.body);
    entry.sender = Bytes::copy_from_slice(&entry.sender);
    entry
}
