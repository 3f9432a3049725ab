//! How things are written into the store: small protobuf messages, so that a
//! later version can add fields.

use bytes::Bytes;
use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, UserId};
use prost::Message;

use crate::error::{Error, ErrorKind};
use crate::machine::{Item, SavedAccount, SavedConversation};
use crate::model::{LocalId, Member, To, User};

#[derive(Clone, PartialEq, Message)]
pub(super) struct AccountRow {
    #[prost(bytes = "bytes", tag = "1")]
    user: Bytes,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(bytes = "bytes", tag = "3")]
    device: Bytes,
}

impl AccountRow {
    pub(super) fn new(account: &SavedAccount) -> Self {
        Self {
            user: account.user.id.to_wire(),
            name: account.user.name.to_string(),
            device: account.device.to_wire(),
        }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<SavedAccount, Error> {
        let row = decode::<Self>(bytes)?;
        Ok(SavedAccount {
            user: User { id: user(&row.user)?, name: row.name.into() },
            device: DeviceId::from_slice(&row.device).map_err(corrupt)?,
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
}

impl ItemRow {
    pub(super) fn new(item: &Item) -> Self {
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
        }
        row
    }

    pub(super) fn read(local_id: u64, bytes: &[u8]) -> Result<Item, Error> {
        let row = decode::<Self>(bytes)?;
        let to = match (row.name, row.user, row.conversation) {
            (Some(name), _, _) => To::Name(name),
            (None, Some(id), _) => To::User(user(&id)?),
            (None, None, Some(id)) => {
                To::Conversation(ConversationId::from_slice(&id).map_err(corrupt)?)
            }
            (None, None, None) => return Err(damaged()),
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
    #[prost(bool, tag = "10")]
    direct: bool,
    #[prost(bool, tag = "11")]
    described: bool,
    #[prost(message, repeated, tag = "12")]
    members: Vec<MemberRow>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MemberRow {
    #[prost(bytes = "bytes", tag = "1")]
    user: Bytes,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(uint64, tag = "3")]
    delivered: u64,
    #[prost(uint64, tag = "4")]
    read: u64,
    #[prost(uint64, tag = "5")]
    delivered_ms: u64,
    #[prost(uint64, tag = "6")]
    read_ms: u64,
}

impl ConversationRow {
    pub(super) fn new(saved: &SavedConversation) -> Self {
        let member = |member: &Member| MemberRow {
            user: member.user.id.to_wire(),
            name: member.user.name.to_string(),
            delivered: member.delivered,
            read: member.read,
            delivered_ms: member.delivered_ms,
            read_ms: member.read_ms,
        };
        Self {
            held: saved.held,
            last: saved.last,
            confirmed: saved.confirmed,
            wanted: saved.wanted,
            read: saved.read,
            read_wanted: saved.read_wanted,
            unread: saved.unread,
            counted: saved.counted,
            last_time_ms: saved.last_time_ms,
            direct: saved.direct,
            described: saved.members.is_some(),
            members: saved.members.iter().flatten().map(member).collect(),
        }
    }

    pub(super) fn read(id: [u8; 16], bytes: &[u8]) -> Result<SavedConversation, Error> {
        let row = decode::<Self>(bytes)?;
        let members: Result<Vec<Member>, Error> = row
            .members
            .into_iter()
            .map(|member| {
                Ok(Member {
                    user: User { id: user(&member.user)?, name: member.name.into() },
                    delivered: member.delivered,
                    read: member.read,
                    delivered_ms: member.delivered_ms,
                    read_ms: member.read_ms,
                })
            })
            .collect();
        let members = members?;
        Ok(SavedConversation {
            id: ConversationId::new(id),
            held: row.held,
            last: row.last,
            confirmed: row.confirmed,
            wanted: row.wanted,
            read: row.read,
            read_wanted: row.read_wanted,
            unread: row.unread,
            counted: row.counted,
            last_time_ms: row.last_time_ms,
            direct: row.direct,
            members: row.described.then_some(members),
        })
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
