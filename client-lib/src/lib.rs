//! The Rust SDK for Parley: connect, send, receive, and never lose a message.
//!
//! ```no_run
//! # async fn example() -> Result<(), parley_client::Error> {
//! use parley_client::{Client, Event, Trust};
//!
//! let client = Client::connect("parley://chat.example.org:7443")
//!     .credentials("alice", "correct horse")
//!     .await?;
//! let mut events = client.events();
//! let sent = client.send("bob", "Hello!").await?.sent().await?;
//! println!("committed as number {}", sent.seq);
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event {
//!         println!("{}: {}", message.sender.name, message.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! A bot answers what others say. Own messages come as events as well, also those
//! of the user's other devices; [`Message::own`] tells them apart, or for any event
//! [`Event::is_own`]:
//!
//! ```no_run
//! # async fn example(client: parley_client::Client) -> Result<(), parley_client::Error> {
//! # use parley_client::Event;
//! # let mut events = client.events();
//! while let Some(event) = events.next().await {
//!     if let Event::Message(message) = event && !message.own {
//!         client.send(&message, &message.text).await?;
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Three layers, each usable: [`machine`] is the pure state machine, a crate of its
//! own without I/O, clock, randomness or runtime; a driver task owns it together with the
//! transport and the store, and [`Client`] is the cheap handle on the driver.
//!
//! Every buffer is bounded; the table with the bounds is in the crate's README.
//! Every async method says what dropping its future does.

#![warn(missing_docs)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod client;
mod driver;
mod events;
mod http;
mod store;
mod transport;

pub use parley_client_machine as machine;

pub use client::{Client, ClientBuilder, SendHandle};
pub use events::Events;
pub use http::HttpApi;
pub use machine::{
    Account, AccountSettings, AccountSettingsChange, Action, Audience, Backoff, CatchUp, Change,
    Conversation, ConversationChange, ConversationKind, ConversationSettings, DamagedEntry,
    Deletion, Description, Edit, Edited, Entry, Erased, Error, ErrorKind, Event, HistoryPage, Info,
    Invite, InviteId, InvitePreview, LocalId, Member, MemberReceipt, Mention, Mentioned, Message,
    NewGroup, NewMessage, NotifyLevel, Origin, Pin, Preferences, PreferencesChange, Presence,
    Profile, ProfileChange, Range, Reaction, ReactionGroup, Receipt, Report, Reset, ResetReason,
    Role, SendStatus, Sent, Session, SignIn, State, To, Token, Transport, Typing, UnknownEntry,
    User, What, Who,
};
pub use transport::trust::Trust;

pub use parley_protocol::errors::{Code, Retry};
pub use parley_protocol::http::{Device, Discovery};
pub use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, SessionId, UserId};

/// What most programs need: `use parley_client::prelude::*;`.
pub mod prelude {
    pub use crate::{
        Action, Client, Error, Event, NewGroup, NewMessage, Range, SendStatus, State, To, Trust,
    };
}
