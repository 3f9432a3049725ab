//! What goes into the machine and what comes out of it.

use parley_protocol::ids::{ConversationId, DeviceId, UserId};
use parley_protocol::wire::{self, client_envelope, server_envelope};

use super::conversation::{Expiry, SavedConversation};
use super::outbox::Item;
use crate::backoff::Backoff;
use crate::error::Error;
use crate::history::Page;
use crate::model::{
    CatchUp, Conversation as Line, Description, Event, LocalId, Range, SendStatus, State, User,
};

/// What the machine has to know from the start.
#[derive(Debug, Clone)]
pub struct Config {
    /// How to wait between attempts.
    pub backoff: Backoff,
    /// How long a request waits for its answer, milliseconds.
    pub request_timeout_ms: u64,
    /// Where to start in conversations of which nothing is held.
    pub catch_up: CatchUp,
    /// Whether a sign-in can get a new token.
    pub can_sign_in: bool,
    /// Whether there is a token already.
    pub has_token: bool,
    /// `Hello.client_name` and `Hello.client_version`.
    pub client_name: (String, String),
    /// Whether [`Machine::take_saves`](super::Machine::take_saves) is used.
    pub keeps: bool,
}

/// What an earlier run left in a store.
#[derive(Debug, Clone, Default)]
pub struct Saved {
    /// Whose it is.
    pub account: Option<SavedAccount>,
    /// The last feed position taken whole.
    pub feed_position: u64,
    /// The conversations.
    pub conversations: Vec<SavedConversation>,
    /// The outbox, in any order.
    pub outbox: Vec<Item>,
    /// The highest local id ever given.
    pub last_local_id: u64,
}

/// Whose store it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SavedAccount {
    /// The user.
    pub user: User,
    /// The device.
    pub device: DeviceId,
    /// Revision of the account's own data, as last heard of.
    pub revision: u64,
    /// Which life of the server's store all this is of, once the server said so.
    pub incarnation: Option<[u8; 16]>,
}

/// A change a store has to keep.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Save {
    /// A new outbox item. Durable before the application hears of it.
    Queued(Item),
    /// An outbox item that is done.
    Done(LocalId),
    /// All that came from the server goes: positions, entries, whose store it is.
    /// The outbox stays.
    Reset,
    /// All that came from the server of this conversation goes.
    Dropped(ConversationId),
    /// A conversation's position.
    Conversation(Box<SavedConversation>),
    /// The feed position.
    Feed(u64),
    /// Whose store it is.
    Account(SavedAccount),
    /// An entry for offline reading. One that deletes takes its message's text along.
    Entry(ConversationId, wire::Entry),
    /// Something known about entries that lies elsewhere in the log.
    Related(ConversationId, wire::Entry),
    /// The user hid these messages: their texts go.
    Hidden(ConversationId, Vec<u64>),
    /// Nothing up to this seq is there any more.
    Cleared(ConversationId, u64),
    /// The texts of messages go that are too old by now, the server's clock.
    Expired(ConversationId, Expiry, u64),
}

/// Names a call of the application; chosen by the driver, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

/// What the application asks and waits for.
#[derive(Debug, Clone)]
pub enum Call {
    /// A part of a conversation.
    Fetch {
        /// Which conversation.
        conversation: ConversationId,
        /// Which part.
        range: Range,
        /// At most so many entries; 0 for the server's limit.
        limit: u32,
    },
    /// What a conversation is.
    Describe {
        /// The conversation.
        conversation: ConversationId,
    },
    /// A user by name.
    Lookup {
        /// The exact name.
        name: String,
    },
    /// Everything up to here is read.
    Read {
        /// The conversation.
        conversation: ConversationId,
        /// Up to which seq.
        up_to: u64,
    },
    /// The conversation list.
    List,
    /// The users with these ids, as far as they are known here.
    Users(Vec<UserId>),
    /// Any other request that has an answer of its own. It is made again after
    /// a reconnect, so it must be one that may be made twice.
    Ask(client_envelope::Kind),
}

/// The answer to a [`Call`].
#[derive(Debug, Clone)]
pub enum Reply {
    /// To a fetch.
    Page(Page),
    /// To a describe.
    Described(Description),
    /// To a lookup.
    Found(User),
    /// To a read.
    Read,
    /// To a list.
    List(Vec<Line>),
    /// To a question for users.
    Users(Vec<User>),
    /// To any other request, as it came.
    Answer(Box<server_envelope::Kind>),
}

/// How many of each the machine holds. All are bounded, whatever a server says:
/// conversations by those it named, the rest by constants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sizes {
    /// Conversations.
    pub conversations: usize,
    /// Users known by id.
    pub names: usize,
    /// Users whose names were asked for and did not come yet.
    pub requested_names: usize,
    /// People who type.
    pub typing: usize,
    /// One-way messages that have not left.
    pub notices: usize,
    /// Calls of the application.
    pub calls: usize,
}

/// What the driver has to do.
#[derive(Debug, Clone)]
pub enum Output {
    /// Get a token, then [`Machine::handle_token`](super::Machine::handle_token) or [`Machine::handle_failure`](super::Machine::handle_failure).
    SignIn,
    /// Open a transport, then [`Machine::handle_connected`](super::Machine::handle_connected) or [`Machine::handle_failure`](super::Machine::handle_failure).
    Dial,
    /// Say goodbye and drop the transport, or stop opening one.
    Hangup,
    /// The state changed.
    State(State),
    /// Tell the application.
    Emit(Event),
    /// Answer a call.
    Reply(CallId, Result<Reply, Error>),
    /// A send got further. After a final status nothing more comes for it.
    Status(LocalId, SendStatus),
    /// The server lacks entries it announced; worth a line in a log.
    Stalled(ConversationId),
    /// A send is not followed any more.
    Untrack(LocalId),
    /// The drain is over; so many sends were left.
    Drained(usize),
}
