//! What happened, as the application hears of it.

use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId};

use super::{
    Change, Conversation, DamagedEntry, Deletion, Edit, Erased, LocalId, Message, Pin, Presence,
    Profile, Reaction, Receipt, Sent, State, Transport, UnknownEntry, User, What,
};
use crate::error::Error;

/// What happened. Entries of one conversation come in order of seq, each once.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// A message, somebody else's or this user's own from any device
    /// ([`Message::own`]).
    Message(Message),
    /// A message got another text.
    Edited(Edit),
    /// A message was deleted for all.
    Deleted(Deletion),
    /// Somebody reacted to a message, or took it back.
    Reacted(Reaction),
    /// A message was pinned, or its pin taken off.
    Pinned(Pin),
    /// Who is in a conversation, or how it works, changed.
    Changed(Change),
    /// An entry whose content is gone already.
    Erased(Erased),
    /// An entry of a kind this build doesn't know.
    UnknownEntry(UnknownEntry),
    /// An entry that the server can't read any more.
    Damaged(DamagedEntry),
    /// What this device held of the server was dropped, since the server has
    /// another store now. What was shown of it is to be dropped, too; what the
    /// server has follows as on a new device.
    Reset(Reset),
    /// The user hid these messages from themselves, on any device.
    Hidden {
        /// The conversation they are in.
        conversation: ConversationId,
        /// Their seqs.
        seqs: Vec<u64>,
    },
    /// Somebody's cursors moved.
    Receipt(Receipt),
    /// Somebody writes, or stopped.
    Typing(Typing),
    /// Somebody in `Client::subscribe_presence` came or went.
    Presence(Presence),
    /// Somebody in `Client::subscribe_presence` changed their profile.
    Profile(Profile),
    /// The own profile, settings, contacts or blocks changed on another device;
    /// `Client::account` has them.
    AccountChanged {
        /// The account's new revision.
        revision: u64,
    },
    /// Somebody signed in to the account. A device shows it to its owner, who may
    /// know nothing of it.
    SignedIn(SignIn),
    /// One of this client's sends was committed.
    Sent {
        /// The send's name within this client.
        local_id: LocalId,
        /// Its id on the wire.
        client_message_id: ClientMessageId,
        /// The server's answer.
        sent: Sent,
    },
    /// One of this client's sends was refused for good.
    SendFailed {
        /// The send's name within this client.
        local_id: LocalId,
        /// Its id on the wire.
        client_message_id: ClientMessageId,
        /// The server's refusal.
        error: Error,
    },
    /// A line of the conversation list changed: unread count, last seq, cursors,
    /// name, members, preferences.
    Conversation(Conversation),
    /// The connection changed state.
    StateChanged(State),
    /// The preferred transport failed and the next one took over.
    FellBack {
        /// What failed.
        from: Transport,
        /// What is tried instead.
        to: Transport,
        /// What the first one failed with.
        error: Error,
    },
    /// This reader was too slow and missed that many events. Conversations and
    /// history still have everything.
    Lagged(u64),
}

impl Event {
    /// Whether this user made the entry that the event is about, on this or any
    /// other device: own messages come as events as well, and a bot must not
    /// answer them. False for events that are about no entry.
    #[must_use]
    pub fn is_own(&self) -> bool {
        match self {
            Self::Message(message) => message.own,
            Self::Edited(edit) => edit.origin.own,
            Self::Deleted(deletion) => deletion.origin.own,
            Self::Reacted(reaction) => reaction.origin.own,
            Self::Pinned(pin) => pin.origin.own,
            Self::Changed(change) => change.origin.own,
            Self::Erased(erased) => erased.origin.own,
            Self::UnknownEntry(_)
            | Self::Damaged(_)
            | Self::Reset(_)
            | Self::Hidden { .. }
            | Self::Conversation(_)
            | Self::Typing(_)
            | Self::Presence(_)
            | Self::Profile(_)
            | Self::AccountChanged { .. }
            | Self::SignedIn(_)
            | Self::Receipt(_)
            | Self::Sent { .. }
            | Self::SendFailed { .. }
            | Self::StateChanged(_)
            | Self::FellBack { .. }
            | Self::Lagged(_) => false,
        }
    }

    /// About how many bytes of text and lists it holds, for buffers that are
    /// bounded by that.
    #[must_use]
    pub fn text_bytes(&self) -> usize {
        match self {
            Self::Message(message) => message.text.len(),
            Self::Edited(edit) => edit.text.len(),
            Self::UnknownEntry(entry) => entry.body.len(),
            // Lines and changes of groups hold titles, drafts and lists of members.
            Self::Conversation(line) => line.info.description.len() + line.preferences.draft.len(),
            Self::Changed(change) => match &change.what {
                What::Created { info, members, .. } => info.description.len() + 64 * members.len(),
                What::Added(members) => 64 * members.len(),
                _ => 0,
            },
            Self::Hidden { seqs, .. } => 8 * seqs.len(),
            Self::Deleted(_)
            | Self::Reacted(_)
            | Self::Pinned(_)
            | Self::Erased(_)
            | Self::Damaged(_)
            | Self::Reset(_)
            | Self::Typing(_)
            | Self::Presence(_)
            | Self::Profile(_)
            | Self::AccountChanged { .. }
            | Self::SignedIn(_)
            | Self::Receipt(_)
            | Self::Sent { .. }
            | Self::SendFailed { .. }
            | Self::StateChanged(_)
            | Self::FellBack { .. }
            | Self::Lagged(_) => 0,
        }
    }
}

/// What this device dropped of what it held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reset {
    /// The conversation whose copy went; all of them when none is named.
    pub conversation: Option<ConversationId>,
    /// Why.
    pub reason: ResetReason,
}

/// How this device noticed that the server has another store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ResetReason {
    /// The server says so: a copy was put back, or a loss was accepted.
    StorePutBack,
    /// The log of the conversation ends before what this device held.
    LogEndsEarlier,
    /// The log of the conversation has other entries than this device held.
    LogDiffers,
}

/// A sign-in to the own account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignIn {
    /// The device.
    pub device: DeviceId,
    /// What it is called.
    pub name: String,
    /// Whether the account did not have this device; otherwise it has one token more.
    pub new_device: bool,
    /// When, by the server's clock.
    pub time_ms: u64,
}

/// Somebody writes in a conversation, or stopped. It ends by itself: without
/// news for a few seconds an event with `active` false follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typing {
    /// The conversation.
    pub conversation: ConversationId,
    /// The user who writes.
    pub user: User,
    /// Whether they write.
    pub active: bool,
}
