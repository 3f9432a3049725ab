//! The client of Parley without I/O: what it knows, what it says and when.
//!
//! [`Machine`] is the whole protocol of a client as one pure state machine. It
//! knows no socket, disk, clock, random source or runtime, and this crate depends
//! on none, so that Cargo proves it. `parley-client` drives it with tokio; a
//! program for another runtime or for tests may do so as well. Around it stand
//! the types that the application sees (users, messages, events, actions) and
//! what turns them into the wire's words and back ([`convert`], [`compose`],
//! [`history`]).

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod backoff;
mod compose;
pub mod convert;
mod error;
pub mod hex;
pub mod history;
mod machine;
mod model;
mod token;

pub use backoff::Backoff;
pub use compose::compose;
pub use error::{Error, ErrorKind};
pub use history::Page;
pub use machine::{
    CALLS, Call, CallId, Config, Count, Expiry, Item, Machine, Mark, Output, Period, Reply, Roster,
    Save, Saved, SavedAccount, SavedConversation, Sizes, Tick,
};
pub use model::{
    Account, AccountSettings, AccountSettingsChange, Action, Audience, CatchUp, Change,
    Conversation, ConversationChange, ConversationKind, ConversationSettings, DamagedEntry,
    Deletion, Description, Edit, Edited, Entry, Erased, Event, HistoryPage, Info, Invite, InviteId,
    InvitePreview, LocalId, Member, MemberReceipt, Mention, Mentioned, Message, NewGroup,
    NewMessage, NotifyLevel, Origin, Pin, Preferences, PreferencesChange, Presence, Profile,
    ProfileChange, Range, Reaction, ReactionGroup, Receipt, Report, Reset, ResetReason, Role,
    SendStatus, Sent, Session, SignIn, State, To, Transport, Typing, UnknownEntry, User, What, Who,
};
pub use token::Token;
