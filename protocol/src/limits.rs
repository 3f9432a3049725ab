//! Every bound of the protocol, in one place.
//!
//! What a server may lower or raise by configuration is announced in
//! `Welcome.limits`; the rest is part of protocol version 1.

/// Bytes in one frame after its length prefix, once authenticated.
pub const FRAME_BYTES: u32 = 512 * 1024;

/// Bytes a connection may send, in all, before it is authenticated.
pub const UNAUTHENTICATED_BYTES: u32 = 64 * 1024;

/// Milliseconds a connection has to authenticate.
pub const UNAUTHENTICATED_MS: u64 = 10_000;

/// Characters (Unicode scalar values) in one text.
pub const TEXT_CHARS: u32 = 100_000;

/// Bytes in the body of one entry, whatever its kind.
pub const BODY_BYTES: usize = 4 * TEXT_CHARS as usize + 64 * 1024;

/// Nesting of protobuf messages in one envelope.
///
/// Version 1's own messages nest four deep and none is recursive, so only
/// groups in unknown fields reach the decoder's limit.
pub const PROTOBUF_DEPTH: u32 = 100;

/// Requests without an answer yet, per session.
pub const REQUESTS_IN_FLIGHT: u32 = 256;

/// Entries in one `Fetched`.
pub const FETCH_ENTRIES: u32 = 200;

/// Bytes of entries in one `Fetched`; the first entry is given in any case.
pub const FETCH_BYTES: usize = 384 * 1024;

/// Entries in one page of the feed.
pub const CHANGES_ENTRIES: usize = 500;

/// Bytes in a client message id.
pub const CLIENT_MESSAGE_ID_BYTES: usize = 64;

/// Bytes in `Hello.client_name` and `Hello.client_version`.
pub const CLIENT_NAME_BYTES: usize = 64;

/// Features in one `Hello`.
pub const FEATURES: usize = 64;

/// Bytes in a session token.
pub const TOKEN_BYTES: usize = 32;

/// How long a ticket for a session is good, milliseconds.
pub const TICKET_MS: u64 = 30_000;

/// Tickets one device may ask for within that time.
pub const TICKETS: usize = 60;

/// Accounts one browser may be signed in to.
pub const ACCOUNT_SLOTS: u8 = 8;

/// Characters in a user name, lowest and highest.
pub const USER_NAME_CHARS: (usize, usize) = (3, 32);

/// Bytes in a password, lowest and highest.
pub const PASSWORD_BYTES: (usize, usize) = (8, 256);

/// Characters in a device name.
pub const DEVICE_NAME_CHARS: usize = 64;

/// Missed heartbeats after which the server closes a session.
pub const MISSED_HEARTBEATS: u32 = 3;

/// Sessions of one user.
pub const SESSIONS: usize = 128;

/// Conversations whose given entries a session remembers. Beyond it all are
/// forgotten: a cursor move is then refused once and the client fetches again.
pub const GIVEN_CONVERSATIONS: usize = 8192;

/// Bytes in the body of one HTTP request.
pub const HTTP_BODY_BYTES: usize = 64 * 1024;

/// The same on a connection on which nobody has signed in.
pub const UNAUTHENTICATED_BODY_BYTES: usize = 16 * 1024;

/// Members of one group, unless configured otherwise.
pub const GROUP_MEMBERS: u32 = 200;

/// Characters in a group's title.
pub const TITLE_CHARS: usize = 128;

/// Characters in a group's description.
pub const DESCRIPTION_CHARS: usize = 2048;

/// Bytes in a reference to a picture.
pub const PICTURE_BYTES: usize = 512;

/// Mentions in one text.
pub const MENTIONS: usize = 100;

/// Bytes in a reaction.
pub const EMOJI_BYTES: usize = 64;

/// Reactions of one member to one message.
pub const REACTIONS: usize = 8;

/// Edits of one message. A deletion takes all of them along.
pub const EDITS: usize = 1000;

/// Pinned messages in one conversation.
pub const PINS: usize = 20;

/// Seconds of the shortest retention that can be set, unless configured otherwise.
pub const LEAST_RETENTION_S: u64 = 3600;

/// Retentions of a group, or of one side of a 1:1, under which something may be
/// left; beyond it another one is refused until the oldest has run out.
pub const RETENTIONS: usize = 16;

/// Users banned from one group.
pub const BANNED: usize = 500;

/// Former members of one group that are remembered. Beyond it those who left
/// first are forgotten, and are told what strangers are told.
pub const FORMER_MEMBERS: usize = 1000;

/// Invite links of one group that still work.
pub const INVITES: usize = 50;

/// Entries in `Fetched.related`.
pub const RELATED_ENTRIES: usize = 1000;

/// Bytes of entries in `Fetched.related`.
pub const RELATED_BYTES: usize = 96 * 1024;

/// Characters in a draft.
pub const DRAFT_CHARS: usize = 4096;

/// Bytes of feed entries in one page of the feed.
pub const CHANGES_BYTES: usize = 256 * 1024;

/// Messages in one `Hide`, and seqs in one `HiddenSeqs`.
pub const HIDE_SEQS: usize = 500;

/// Messages a user may hide in one conversation.
pub const HIDDEN_SEQS: usize = 10_000;

/// Users one session may be subscribed to, and in one `Subscribe`.
pub const SUBSCRIPTIONS: usize = 500;

/// How long `Typed` holds without news, milliseconds.
pub const TYPING_MS: u32 = 6000;

/// Contacts, and blocked users, of one account.
pub const CONTACTS: usize = 2000;

/// 1:1 conversations of one user that strangers began and that wait for an
/// answer. Beyond it strangers are refused with `rate_limited`; nobody else is.
pub const REQUESTS: usize = 1000;

/// Characters in a display name.
pub const DISPLAY_NAME_CHARS: usize = 64;

/// Characters in what a user says about themselves.
pub const ABOUT_CHARS: usize = 500;

/// Bytes in a phone number.
pub const PHONE_BYTES: usize = 64;

/// Bytes in an e-mail address.
pub const EMAIL_BYTES: usize = 254;

/// Characters in the reason of a report.
pub const REPORT_CHARS: usize = 1000;

/// Messages a report may name.
pub const REPORT_SEQS: usize = 100;
