//! What a conversation is: its members and how far they are.

use parley_core::conversation::Kind;
use parley_core::session::Identity;
use parley_protocol::wire::{ConversationKind, Described, Member};
use parley_protocol::{Code, ConversationId};

use crate::accounts::Accounts;
use crate::shard::Shards;

/// Describes a conversation to one of its members. Cancel safe.
///
/// # Errors
/// [`Code::NotFound`] for whoever is no member, [`Code::Internal`] when the
/// store can't be read.
pub async fn describe(
    shards: &Shards,
    accounts: &Accounts,
    identity: &Identity,
    conversation: ConversationId,
) -> Result<Described, Code> {
    let visible = shards.visible(identity, conversation).await.map_err(|error| error.code())?;
    let members = shards.with(conversation, |found, _| found.members().to_vec()).await;
    let members = members.map_err(|error| error.code())?.ok_or(Code::NotFound)?;
    let mut described = Vec::with_capacity(members.len());
    for member in members {
        // A name that can't be found leaves the member in place.
        let name =
            accounts.find_by_id(member.user).await.ok().flatten().map(|user| user.name.to_string());
        described.push(Member {
            user: member.user.to_wire(),
            name: name.unwrap_or_default(),
            delivered: member.told.delivered.seq,
            read: member.told.read.seq,
            delivered_ms: member.told.delivered.time_ms,
            read_ms: member.told.read.time_ms,
        });
    }
    let kind = match visible.kind {
        Kind::Direct => ConversationKind::Direct,
        Kind::Group => ConversationKind::Group,
    };
    Ok(Described {
        conversation: conversation.to_wire(),
        kind: kind as i32,
        members: described,
        last_seq: visible.last_seq,
    })
}
