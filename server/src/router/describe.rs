//! What a conversation is: its members and how far they are.

use parley_core::conversation::{Kind, Role};
use parley_core::session::Identity;
use parley_protocol::wire::{self, ConversationKind, Described, Member};
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
    let progress = shards.with(conversation, |found, _| {
        found.state().actives().map(|member| found.progress(member.user).told).collect::<Vec<_>>()
    });
    let progress = progress.await.map_err(|error| error.code())?.ok_or(Code::NotFound)?;
    let state = &visible.state;
    let mut described = Vec::with_capacity(progress.len());
    for (member, told) in state.actives().zip(progress) {
        // A name that can't be found leaves the member in place.
        let name =
            accounts.find_by_id(member.user).await.ok().flatten().map(|user| user.name.to_string());
        described.push(Member {
            user: member.user.to_wire(),
            name: name.unwrap_or_default(),
            delivered: told.delivered.seq,
            read: told.read.seq,
            delivered_ms: told.delivered.time_ms,
            read_ms: told.read.time_ms,
            role: match (state.kind, member.role) {
                (Kind::Direct, _) => wire::Role::Unspecified,
                (Kind::Group, Role::Member) => wire::Role::Member,
                (Kind::Group, Role::Admin) => wire::Role::Admin,
                (Kind::Group, Role::Owner) => wire::Role::Owner,
            } as i32,
            joined_seq: member.joined_seq,
        });
    }
    let kind = match state.kind {
        Kind::Direct => ConversationKind::Direct,
        Kind::Group => ConversationKind::Group,
    };
    Ok(Described {
        conversation: conversation.to_wire(),
        kind: kind as i32,
        members: described,
        last_seq: visible.last_seq,
        ..Described::default()
    })
}
