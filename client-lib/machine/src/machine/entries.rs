//! Entries that come, pushed or fetched: offered to their conversation, taken in
//! order, emitted with names.

use std::collections::BTreeMap;

use bytes::Bytes;
use parley_protocol::ids::ConversationId;
use parley_protocol::wire;
use prost::Message as _;

use super::connect::Tick;
use super::conversation::detach;
use super::inbound::{Malformed, conversation_id};
use super::{Call, CallId, Machine, Output, Reply, Save};
use crate::history::{self, Page};
use crate::model::{self, Event, Range};

/// How long a message may be on its way after the server gave it.
const SLACK_MS: u64 = 5_000;

impl Machine {
    pub(super) fn handle_deliver(
        &mut self,
        tick: Tick,
        deliver: &wire::Deliver,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&deliver.conversation)?;
        if !self.feed.is_fresh() && self.conversations.get(id).is_none() {
            // Whether it is a stranger's request is said by the feed alone. Asked
            // before the description, without which nothing is emitted.
            self.feed.resync_now(tick.now_ms);
        }
        self.conversation(id).offer_new(&deliver.entries);
        self.drop_if_contradicted(tick, id);
        self.advance(id);
        self.advance_feed(deliver.feed_position);
        Ok(())
    }

    /// The answer to whether a log is still the same.
    pub(super) fn handle_checked(&mut self, tick: Tick, id: ConversationId, page: &wire::Fetched) {
        self.conversations.finish_fetch();
        self.conversations.wake(id);
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        if let Some(reason) = conversation.handle_checked(page) {
            self.drop_conversation(tick, id, reason);
        }
    }

    pub(super) fn handle_gap_page(&mut self, tick: Tick, id: ConversationId, page: &wire::Fetched) {
        self.conversations.finish_fetch();
        let Some(conversation) = self.conversations.get_mut(id) else { return };
        let bounds = conversation.handle_gap_page(page, tick.now_ms);
        if self.drop_if_contradicted(tick, id) {
            return;
        }
        self.advance(id);
        let start = self.note_start(id, bounds, page);
        if let Some(conversation) = self.conversations.get_mut(id)
            && conversation.finish_gap(bounds, start, tick.now_ms)
        {
            self.outputs.push(Output::Stalled(id));
        }
        self.advance(id);
    }

    pub(super) fn handle_refetched(
        &mut self,
        tick: Tick,
        id: ConversationId,
        page: &wire::Fetched,
    ) {
        self.conversations.finish_fetch();
        if let Some(conversation) = self.conversations.get_mut(id)
            && let Some(first) = conversation.handle_refetched(page, tick.now_ms)
        {
            self.outputs.save(Save::Cleared(id, first.saturating_sub(1)));
        }
        self.drop_if_contradicted(tick, id);
        self.advance(id);
    }

    /// A page may say where a conversation begins for this user by now: what is
    /// older goes from the device too.
    fn note_start(
        &mut self,
        id: ConversationId,
        bounds: Option<(u64, u64)>,
        page: &wire::Fetched,
    ) -> Option<u64> {
        let conversation = self.conversations.get_mut(id)?;
        let first = conversation.note_start(bounds, page)?;
        if conversation.handle_gone(first.saturating_sub(1)) {
            self.outputs.save(Save::Cleared(id, first.saturating_sub(1)));
        }
        Some(first)
    }

    pub(super) fn handle_page(
        &mut self,
        tick: Tick,
        call: CallId,
        page: &wire::Fetched,
    ) -> Result<(), Malformed> {
        let id = conversation_id(&page.conversation)?;
        let (entries, related) = (decode(&page.entries), decode(&page.related));
        let dense = self.calls.get(call).is_some_and(is_dense);
        let bounds = entries.first().zip(entries.last());
        let bounds = bounds.map(|(first, last)| (first.seq, last.seq)).filter(|_| dense);
        if let Some(conversation) = self.conversations.get_mut(id) {
            entries.iter().chain(&related).for_each(|entry| conversation.compare(entry));
            self.drop_if_contradicted(tick, id);
        }
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.handle_history(bounds, page.last_seq, tick.now_ms);
            for entry in entries.iter().chain(&related) {
                conversation.note_expiry(entry);
            }
            self.conversations.touch(id);
        }
        if dense {
            self.note_start(id, bounds, page);
        }
        let expires = self.expire_page(tick, id, entries.iter().chain(&related));
        for entry in &related {
            self.outputs.save(Save::Related(id, entry.clone()));
        }
        // Of what lies apart, only what is done to others has a place in the cache.
        for entry in &entries {
            let entry = entry.clone();
            self.outputs.save(if dense {
                Save::Entry(id, entry)
            } else {
                Save::Related(id, entry)
            });
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
                expires,
            })),
        );
        Ok(())
    }

    /// When those of these messages expire that do, by the device's clock. What the
    /// server gives is there, whatever is known here.
    fn expire_page<'a>(
        &self,
        tick: Tick,
        id: ConversationId,
        entries: impl Iterator<Item = &'a wire::Entry>,
    ) -> BTreeMap<u64, u64> {
        let given = |entry: &wire::Entry, at_ms: u64| {
            entry.erased || at_ms.saturating_add(SLACK_MS) > tick.wall_ms
        };
        let mut expires = BTreeMap::new();
        for entry in entries {
            if let Some(at_ms) = self.expires_ms(id, entry).filter(|at_ms| given(entry, *at_ms)) {
                expires.insert(entry.seq, at_ms);
            }
        }
        expires
    }

    /// When a message of a conversation is too old to be shown, by the device's clock.
    #[must_use]
    pub fn expires_ms(&self, id: ConversationId, entry: &wire::Entry) -> Option<u64> {
        self.clock.device_ms(self.conversations.get(id)?.expiry().of_message(entry))
    }

    /// Takes and emits what is next in order, as far as names are known.
    pub(super) fn advance(&mut self, id: ConversationId) {
        let me = self.me();
        loop {
            let Some(conversation) = self.conversations.get(id) else { return };
            let Some(next) = conversation.peek() else { break };
            let (seq, people) = (next.seq, history::people(next));
            if !self.can_name(id, seq, &people) {
                break;
            }
            let Some(conversation) = self.conversations.get_mut(id) else { return };
            let Some(entry) = conversation.take() else { break };
            let sender = history::sender(&entry);
            let name = |user| self.names.name_in(conversation, user);
            let reader = history::Reader { conversation: id, me, name: &name };
            let mut read = reader.entry(entry.clone());
            if let model::Entry::Message(message) = &mut read {
                message.expires_ms = self.clock.device_ms(conversation.expiry().of_message(&entry));
            }
            if conversation.handle_taken(&entry, &read, me, Some(sender) == me) {
                self.feed.request_resync();
            }
            self.handle_stopped_typing(id, sender);
            self.keep(id, entry);
            self.outputs.emit(event(read));
            self.conversations.mark_changed(id);
        }
        self.conversations.touch(id);
    }

    /// Keeps an entry for offline reading.
    fn keep(&mut self, id: ConversationId, entry: wire::Entry) {
        if !self.outputs.keeps() {
            return;
        }
        if entry.kind == wire::EntryKind::HistoryErased as u32
            && let Some(erased) = history::read::<wire::HistoryErased>(&entry.body)
        {
            self.outputs.save(Save::Cleared(id, erased.up_to));
        }
        self.outputs.save(Save::Entry(id, entry));
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
        model::Entry::Damaged(entry) => Event::Damaged(entry),
        model::Entry::Unknown(entry) => Event::UnknownEntry(entry),
    }
}

fn decode(entries: &[Bytes]) -> Vec<wire::Entry> {
    let decoded = entries.iter().map(|bytes| wire::Entry::decode(bytes.clone()));
    decoded.filter_map(Result::ok).map(detach).collect()
}

/// Whether an answer holds every entry from its first to its last.
const fn is_dense(call: &Call) -> bool {
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
