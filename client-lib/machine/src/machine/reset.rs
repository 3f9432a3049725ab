//! Dropping what this device copied of the server, when the server's store is
//! another one than the copy was made of: all of it in another life of the
//! store, or one conversation whose log turns out to be another.
//!
//! What the user made and nobody acknowledged stays, but for acts that name
//! messages by their seqs: those may be other messages by now.

use parley_protocol::Code;
use parley_protocol::ids::ConversationId;
use parley_protocol::wire::EntryKind;
use parley_protocol::wire::client_envelope::Kind;

use super::connect::Tick;
use super::conversations::Conversations;
use super::feed::Feed;
use super::names::Names;
use super::{Call, Machine, Output, Save};
use crate::error::Error;
use crate::model::{Event, Reset, ResetReason, To};

impl Machine {
    /// The store lives another life: drops all that came from the server. What
    /// the store is asked next is asked as by a new device.
    pub(super) fn drop_copy(&mut self, tick: Tick) {
        self.outputs.save(Save::Reset);
        // The other one's conversation may not be there any more, and begins anew.
        for (id, peer) in self.me().map(|me| self.conversations.peers(me)).unwrap_or_default() {
            for item in self.outbox.merge(&To::Conversation(id), &To::User(peer.id)) {
                self.outputs.save(Save::Queued(item));
            }
        }
        for item in self.outbox.take_back(names_a_message) {
            self.fail_item(item, elsewhere());
        }
        for call in self.calls.matching(counts_on_seqs) {
            self.reply(call, Err(elsewhere()));
        }
        for gone in self.tracking.forget_all() {
            self.outputs.push(Output::Untrack(gone));
        }
        self.conversations = Conversations::new(Vec::new(), self.outputs.keeps());
        self.names = Names::default();
        self.account.forget();
        self.feed = Feed::new(0);
        self.feed.resync_now(tick.now_ms);
        let reason = ResetReason::StorePutBack;
        self.outputs.emit(Event::Reset(Reset { conversation: None, reason }));
    }

    /// The log of a conversation is another one: drops what is held of it, and has
    /// the feed say anew where it stands.
    pub(super) fn drop_conversation(
        &mut self,
        tick: Tick,
        id: ConversationId,
        reason: ResetReason,
    ) {
        let Some(known) = self.conversations.restart(id) else { return };
        for call in known.waiting_reads() {
            self.reply(call, Err(elsewhere()));
        }
        for gone in self.tracking.forget(id) {
            self.outputs.push(Output::Untrack(gone));
        }
        self.outputs.save(Save::Dropped(id));
        self.feed.restart(tick.now_ms);
        self.save_feed();
        self.outputs.emit(Event::Reset(Reset { conversation: Some(id), reason }));
    }

    /// Drops a conversation if an entry came that contradicts what is held of it.
    /// Returns whether it did.
    pub(super) fn drop_if_contradicted(&mut self, tick: Tick, id: ConversationId) -> bool {
        let contradicted = self.conversations.get(id).is_some_and(|it| it.is_contradicted());
        if contradicted {
            self.drop_conversation(tick, id, ResetReason::LogDiffers);
        }
        contradicted
    }
}

/// Why what counts on the other store is not done.
fn elsewhere() -> Error {
    Error::from_code(Code::TargetInvalid as u32, "the server's store was put back", 0)
}

/// Whether an act is about a message or a part of the history.
fn names_a_message(kind: u32) -> bool {
    let kind = EntryKind::try_from(i32::try_from(kind).unwrap_or(0));
    matches!(
        kind,
        Ok(EntryKind::Edit
            | EntryKind::Delete
            | EntryKind::Reaction
            | EntryKind::Pin
            | EntryKind::HistoryErased)
    )
}

/// Whether a call says something about messages by their seqs.
const fn counts_on_seqs(call: &Call) -> bool {
    matches!(
        call,
        Call::Read { .. }
            | Call::Ask(
                Kind::Hide(_) | Kind::SetPreferences(_) | Kind::Report(_) | Kind::Receipts(_)
            )
    )
}
