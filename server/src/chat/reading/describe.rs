//! What a conversation is: its members and how far they are.

use std::sync::Arc;

use parley_core::conversation::{Info, Kind, Membership, Progress, Role, State, Told};
use parley_core::session::Identity;
use parley_protocol::wire::{
    self, ConversationKind, ConversationSettings, Described, GroupInfo, Member, Who,
};
use parley_protocol::{Code, ConversationId, UserId};

use super::sight::Sight;
use super::{blocking, former};
use crate::chat::shard::{Asker, Error, Shards};
use crate::people::Person;
use crate::storage::store::{Relation, Store, StoreError};

/// Describes a conversation to somebody who is or was in it. Who blocked the
/// other shows them nothing of how far they are. Cancel safe.
///
/// # Errors
/// [`Code::NotFound`] for whoever never was a member, [`Code::Internal`] when
/// the store can't be read.
pub async fn describe(
    shards: &Shards,
    asker: &Arc<Person>,
    identity: &Identity,
    conversation: ConversationId,
) -> Result<Described, Code> {
    let visible = shards.visible(identity, conversation).await.map_err(|error| error.code())?;
    let told = shards.with(Asker::User(identity.user), conversation, |found, _| {
        let members = visible.state.members.iter();
        // Their own are as they stand; what others are told may be behind.
        let cursors = |user| match found.progress(user) {
            Progress { delivered, read, .. } if user == identity.user => Told { delivered, read },
            Progress { told, .. } => told,
        };
        members.map(|member| cursors(member.user)).collect::<Vec<_>>()
    });
    let told = told.await.map_err(|error| error.code())?.ok_or(Code::NotFound)?;
    let (shards, asker) = (shards.clone(), Arc::clone(asker));
    let read = move || {
        let sight = Sight::new(&shards, visible, asker.user(), conversation)?;
        described(&shards, &sight, &told, &asker, conversation)
    };
    blocking(read).await
}

fn described(
    shards: &Shards,
    sight: &Sight,
    told: &[Told],
    asker: &Person,
    conversation: ConversationId,
) -> Result<Described, Error> {
    let Sight { visible, floor, .. } = sight;
    let state = &visible.state;
    let left_seq = visible.member.left_seq;
    // Whoever left sees who was there with them, and how it was then.
    let there = |member: &Membership| match left_seq {
        None => member.is_active(),
        Some(then) => member.joined_seq <= then && member.left_seq.is_none_or(|left| left >= then),
    };
    let former = left_seq.is_some();
    let mut members = Vec::with_capacity(state.members.len());
    for (member, told) in state.members.iter().zip(told).filter(|(member, _)| there(member)) {
        let row = match shards.store().user(shards.count().of_user(member.user), member.user) {
            Err(error) if error.is_damage() => None,
            found => found?,
        };
        let hidden = asker.privacy.hides_activity_from(member.user)
            || (former && member.user != asker.user());
        let told = if hidden { Told::default() } else { *told };
        members.push(Member {
            user: member.user.to_wire(),
            // A name that can't be found leaves the member in place.
            name: row.filter(|row| !row.is_deleted()).map(|row| row.name).unwrap_or_default(),
            delivered: told.delivered.seq,
            read: told.read.seq,
            delivered_ms: told.delivered.time_ms,
            read_ms: told.read.time_ms,
            role: if former {
                wire::Role::Unspecified as i32
            } else {
                role(state.kind, member.role) as i32
            },
            joined_seq: member.joined_seq,
        });
    }
    members.sort_by(|a, b| (a.joined_seq, &a.user).cmp(&(b.joined_seq, &b.user)));
    let group = state.kind == Kind::Group;
    let peer = state.peer(asker.user());
    let admin = visible.member.is_active() && visible.member.role >= Role::Admin;
    let banned = state.banned.iter().filter(|_| admin);
    let (info, settings) = match left_seq {
        Some(last) => {
            let seen = former::seen(shards.store(), visible.place, last)?;
            (seen.info, seen.settings)
        }
        None => (info(&state.info), settings(state, asker.user())),
    };
    Ok(Described {
        conversation: conversation.to_wire(),
        kind: kind(state.kind) as i32,
        members,
        last_seq: visible.last_seq,
        info: group.then_some(info),
        settings: Some(settings),
        pinned: pinned(shards.store(), sight)?,
        first_after: *floor,
        former,
        created_ms: state.created_ms,
        peer_retention_s: peer.and_then(|peer| state.retention_of(Some(peer))).unwrap_or(0),
        banned: banned.map(|user| user.to_wire()).collect(),
    })
}

/// Seqs of the pinned messages that the reader sees; for who left, of those
/// that were pinned by then.
pub(super) fn pinned(store: &Store, sight: &Sight) -> Result<Vec<u64>, StoreError> {
    let mut pinned = sight.visible.state.pinned.clone();
    pinned.retain(|seq| sight.sees(*seq));
    if !sight.gone.is_empty() {
        let mut left = Vec::with_capacity(pinned.len());
        for seq in pinned {
            if !sight.gone.has_message(store, sight.visible.place, seq)? {
                left.push(seq);
            }
        }
        pinned = left;
    }
    if !sight.visible.member.is_active() {
        let (place, last) = (sight.visible.place, sight.visible.last_seq);
        let mut then = Vec::with_capacity(pinned.len());
        for seq in pinned {
            let pin = store.relation(place, seq, &Relation::Pin)?;
            then.extend(pin.filter(|pin| *pin <= last).map(|_| seq));
        }
        return Ok(then);
    }
    Ok(pinned)
}

pub(super) fn info(info: &Info) -> GroupInfo {
    GroupInfo {
        title: info.title.clone(),
        description: info.description.clone(),
        picture: info.picture.clone(),
    }
}

const fn kind(kind: Kind) -> ConversationKind {
    match kind {
        Kind::Direct => ConversationKind::Direct,
        Kind::Group => ConversationKind::Group,
    }
}

const fn role(kind: Kind, role: Role) -> wire::Role {
    match (kind, role) {
        (Kind::Direct, _) => wire::Role::Unspecified,
        (Kind::Group, Role::Member) => wire::Role::Member,
        (Kind::Group, Role::Admin) => wire::Role::Admin,
        (Kind::Group, Role::Owner) => wire::Role::Owner,
    }
}

/// Of a 1:1 only the asker's own retention means anything.
fn settings(state: &State, asker: UserId) -> ConversationSettings {
    let State { kind, settings, .. } = state;
    let kind = *kind;
    const fn who(kind: Kind, least: Role) -> i32 {
        (match (kind, least) {
            (Kind::Direct, _) => Who::Unspecified,
            (Kind::Group, Role::Member) => Who::Members,
            (Kind::Group, Role::Admin | Role::Owner) => Who::Admins,
        }) as i32
    }
    ConversationSettings {
        send: who(kind, settings.send),
        add: who(kind, settings.add),
        edit_info: who(kind, settings.edit_info),
        history_for_newcomers: settings.history_for_newcomers,
        retention_s: state.retention_of(state.keeper(asker)).unwrap_or(0),
    }
}
