//! How things are written into the store: small protobuf messages, so that a
//! later version can add fields. Who is in a conversation and what the user set
//! for it are kept as the wire has them.

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, UserId};
use parley_protocol::wire;
use prost::Message;

use crate::machine::{
    Count, Error, ErrorKind, Item, LocalId, Mark, Period, Roster, SavedAccount, SavedConversation,
    To, User, convert,
};

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountRow {
    #[prost(bytes = "bytes", tag = "1")]
    user: Bytes,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "bytes", tag = "3")]
    device: Bytes,
    #[prost(uint64, tag = "4")]
    revision: u64,
    #[prost(bytes = "bytes", optional, tag = "5")]
    incarnation: Option<Bytes>,
}

impl AccountRow {
    pub(super) fn new(account: &SavedAccount) -> Self {
        Self {
            user: account.user.id.to_wire(),
            name: account.user.name.to_string(),
            device: account.device.to_wire(),
            revision: account.revision,
            incarnation: account.incarnation.map(|it| Bytes::copy_from_slice(&it)),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<SavedAccount, Error> {
        let row = decode::<Self>(bytes)?;
        Ok(SavedAccount {
            user: User { id: user(&row.user)?, name: row.name.into() },
            device: DeviceId::from_slice(&row.device).map_err(corrupt)?,
            revision: row.revision,
            incarnation: row
                .incarnation
                .map(|bytes| <[u8; 16]>::try_from(&*bytes).map_err(corrupt))
                .transpose()?,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ItemRow {
    #[prost(string, optional, tag = "1")]
    name: Option<String>,
    #[prost(bytes = "bytes", optional, tag = "2")]
    user: Option<Bytes>,
    #[prost(bytes = "bytes", optional, tag = "3")]
    conversation: Option<Bytes>,
    #[prost(bytes = "bytes", tag = "4")]
    client_message_id: Bytes,
    #[prost(uint32, tag = "5")]
    kind: u32,
    #[prost(bytes = "bytes", tag = "6")]
    body: Bytes,
    #[prost(bool, tag = "7")]
    new_group: bool,
    #[prost(string, optional, tag = "8")]
    invite: Option<String>,
}

impl ItemRow {
    pub(super) fn new(item: &Item) -> Result<Self, Error> {
        let mut row = Self {
            client_message_id: item.client_message_id.as_bytes().clone(),
            kind: item.kind,
            body: item.body.clone(),
            ..Self::default()
        };
        match &item.to {
            To::Name(name) => row.name = Some(name.clone()),
            To::User(user) => row.user = Some(user.to_wire()),
            To::Conversation(conversation) => row.conversation = Some(conversation.to_wire()),
            To::NewGroup => row.new_group = true,
            To::Invite(code) => row.invite = Some(code.clone()),
            _ => return Err(Error::new(ErrorKind::Store, "such a target can't be kept")),
        }
        Ok(row)
    }

    pub(super) fn read(local_id: u64, bytes: &[u8]) -> Result<Item, Error> {
        let row = decode::<Self>(bytes)?;
        let to = match (row.name, row.user, row.conversation) {
            (Some(name), _, _) => To::Name(name),
            (None, Some(id), _) => To::User(user(&id)?),
            (None, None, Some(id)) => {
                To::Conversation(ConversationId::from_slice(&id).map_err(corrupt)?)
            }
            (None, None, None) if row.new_group => To::NewGroup,
            (None, None, None) => To::Invite(row.invite.ok_or_else(damaged)?),
        };
        Ok(Item {
            local_id: LocalId(local_id),
            to,
            client_message_id: ClientMessageId::new(row.client_message_id).map_err(corrupt)?,
            kind: row.kind,
            body: row.body,
        })
    }
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ConversationRow {
    #[prost(uint64, tag = "1")]
    held: u64,
    #[prost(uint64, tag = "2")]
    last: u64,
    #[prost(uint64, tag = "3")]
    confirmed: u64,
    #[prost(uint64, tag = "4")]
    wanted: u64,
    #[prost(uint64, tag = "5")]
    read: u64,
    #[prost(uint64, tag = "6")]
    read_wanted: u64,
    #[prost(uint64, tag = "7")]
    unread: u64,
    #[prost(uint64, tag = "8")]
    counted: u64,
    #[prost(uint64, tag = "9")]
    last_time_ms: u64,
    // 10 to 12 were the members of format 1.
    #[prost(bool, tag = "10")]
    old_direct: bool,
    #[prost(bool, tag = "11")]
    old_described: bool,
    #[prost(message, repeated, tag = "12")]
    old_members: Vec<wire::Member>,
    #[prost(message, optional, tag = "13")]
    roster: Option<wire::Described>,
    #[prost(message, optional, tag = "14")]
    preferences: Option<wire::Preferences>,
    #[prost(bool, tag = "15")]
    request: bool,
    #[prost(uint32, tag = "16")]
    hidden: u32,
    #[prost(uint64, tag = "17")]
    mentions: u64,
    #[prost(uint64, tag = "18")]
    ordinal: u64,
    #[prost(uint64, tag = "19")]
    floor: u64,
    #[prost(uint64, tag = "20")]
    version: u64,
    #[prost(bool, tag = "21")]
    stale: bool,
    #[prost(message, repeated, tag = "22")]
    periods: Vec<PeriodRow>,
    #[prost(message, optional, tag = "23")]
    mark: Option<MarkRow>,
}

/// The newest entry that was taken.
#[derive(Clone, Copy, PartialEq, Message)]
struct MarkRow {
    #[prost(uint64, tag = "1")]
    seq: u64,
    #[prost(uint64, tag = "2")]
    time_ms: u64,
    #[prost(fixed64, tag = "3")]
    origin: u64,
    #[prost(fixed64, tag = "4")]
    body: u64,
}

/// From when on messages expire.
#[derive(Clone, PartialEq, Message)]
struct PeriodRow {
    #[prost(uint64, tag = "1")]
    after: u64,
    #[prost(bytes = "bytes", tag = "2")]
    by: Bytes,
    #[prost(uint64, tag = "3")]
    retention_s: u64,
}

impl ConversationRow {
    pub(super) fn new(saved: &SavedConversation) -> Self {
        Self {
            held: saved.held,
            last: saved.last,
            confirmed: saved.confirmed,
            wanted: saved.wanted,
            read: saved.read,
            read_wanted: saved.read_wanted,
            unread: saved.count.unread,
            counted: saved.count.up_to,
            last_time_ms: saved.last_time_ms,
            old_direct: false,
            old_described: false,
            old_members: Vec::new(),
            roster: saved.roster.as_ref().map(|roster| {
                convert::described(saved.id, &roster.clone().into_description(saved.id))
            }),
            preferences: Some(convert::preferences_to_wire(&saved.preferences)),
            request: saved.request,
            hidden: saved.hidden,
            mentions: saved.count.mentions,
            ordinal: saved.count.ordinal,
            floor: saved.count.floor,
            version: saved.count.version,
            stale: saved.count.stale,
            periods: saved.periods.iter().map(PeriodRow::new).collect(),
            mark: saved.mark.map(|mark| {
                let Mark { seq, time_ms, origin, body } = mark;
                MarkRow { seq, time_ms, origin, body }
            }),
        }
    }

    pub(super) fn read(id: [u8; 16], bytes: &[u8]) -> Result<SavedConversation, Error> {
        let row = decode::<Self>(bytes)?;
        let id = ConversationId::new(id);
        let described = match row.roster {
            None if row.old_described => Some(wire::Described {
                conversation: id.to_wire(),
                kind: match row.old_direct {
                    true => wire::ConversationKind::Direct as i32,
                    false => wire::ConversationKind::Group as i32,
                },
                members: row.old_members,
                last_seq: row.held,
                ..wire::Described::default()
            }),
            other => other,
        };
        let roster = described.map(|described| {
            convert::description(&described).map(Roster::new).map_err(|_| damaged())
        });
        Ok(SavedConversation {
            id,
            held: row.held,
            last: row.last,
            confirmed: row.confirmed,
            wanted: row.wanted,
            read: row.read,
            read_wanted: row.read_wanted,
            count: Count {
                unread: row.unread,
                mentions: row.mentions,
                up_to: row.counted,
                ordinal: row.ordinal,
                floor: row.floor,
                version: row.version,
                stale: row.stale,
            },
            last_time_ms: row.last_time_ms,
            roster: roster.transpose()?,
            preferences: row.preferences.as_ref().map(convert::preferences).unwrap_or_default(),
            request: row.request,
            hidden: row.hidden,
            periods: row.periods.iter().map(PeriodRow::read).collect::<Result<_, _>>()?,
            mark: row.mark.map(|row| {
                let MarkRow { seq, time_ms, origin, body } = row;
                Mark { seq, time_ms, origin, body }
            }),
        })
    }
}

impl PeriodRow {
    fn new(period: &Period) -> Self {
        let Period { after, by, retention_s } = *period;
        Self { after, by: by.to_wire(), retention_s }
    }

    fn read(&self) -> Result<Period, Error> {
        Ok(Period { after: self.after, by: user(&self.by)?, retention_s: self.retention_s })
    }
}

pub(super) fn decode<M: Message + Default>(bytes: &[u8]) -> Result<M, Error> {
    M::decode(bytes).map_err(corrupt)
}

pub(super) fn damaged() -> Error {
    Error::new(ErrorKind::Store, "the store is damaged; remove it to start over")
}

fn corrupt(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::with_source(ErrorKind::Store, "the store is damaged; remove it to start over", error)
}

fn user(bytes: &[u8]) -> Result<UserId, Error> {
    UserId::from_slice(bytes).map_err(corrupt)
}
