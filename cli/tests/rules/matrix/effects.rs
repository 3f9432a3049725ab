//! What must not come of a request, whoever asks and whatever is answered: every
//! destructive or revealing effect on a group, with the least right that it takes.
//!
//! The table of docs/rights.md. It is looked at after every cell of the matrix,
//! through the owner's eyes, so that no request brings an effect about by the back
//! door.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use parley_protocol::ConversationId;
use parley_protocol::wire::{ConversationSettings, fetch::From};

use super::scene::{Scene, Who, World};
use super::table::Stage;
use crate::common::asks;
use crate::common::session::{Said, entries_of};

/// What somebody may do in the group, least first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Right {
    /// Who isn't in.
    None,
    Member,
    Admin,
    Owner,
}

/// What the settings of the stage let members do takes this.
const fn given(stage: Stage) -> Right {
    match stage {
        Stage::Open => Right::Member,
        Stage::Plain | Stage::Quiet => Right::Admin,
    }
}

const fn right_of(who: Who) -> Right {
    match who {
        Who::Newcomer | Who::Member | Who::Blocked | Who::Blocker | Who::OtherMember => {
            Right::Member
        }
        Who::Admin | Who::OtherAdmin => Right::Admin,
        Who::Owner => Right::Owner,
        Who::Stranger | Who::Former | Who::Banned | Who::Shy | Who::Gone => Right::None,
    }
}

/// A group as its owner sees it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// Everybody in it, with their roles.
    members: BTreeMap<Bytes, i32>,
    title: String,
    settings: ConversationSettings,
    first_after: u64,
    pinned: Vec<u64>,
    banned: BTreeSet<Bytes>,
    /// Of each entry who wrote it, and its words; none once they are gone.
    words: BTreeMap<u64, (Bytes, Option<Bytes>)>,
    /// The link that works, does.
    link: bool,
}

/// Looks at the scene's group.
pub(crate) async fn look(world: &mut World, scene: &Scene) -> Seen {
    let described = match world.ask(Who::Owner, asks::describe(&scene.group)).await {
        Ok(Said::Described(described)) => described,
        other => panic!("{other:?}"),
    };
    let link = world.ask(Who::Owner, asks::peek(&scene.code)).await.is_ok();
    Seen {
        members: described.members.into_iter().map(|one| (one.user, one.role)).collect(),
        title: described.info.unwrap_or_default().title,
        settings: described.settings.unwrap_or_default(),
        first_after: described.first_after,
        pinned: described.pinned,
        banned: described.banned.into_iter().collect(),
        words: words(world, &scene.group).await,
        link,
    }
}

async fn words(world: &mut World, id: &ConversationId) -> BTreeMap<u64, (Bytes, Option<Bytes>)> {
    let mut words = BTreeMap::new();
    match world.ask(Who::Owner, asks::fetch(id, From::AfterSeq(0), 0)).await {
        Ok(Said::Fetched(fetched)) => {
            for entry in entries_of(&fetched.entries) {
                let body = (!entry.erased).then_some(entry.body);
                words.insert(entry.seq, (entry.sender, body));
            }
        }
        other => panic!("{other:?}"),
    }
    words
}

/// What came of an act of `who` that they have no right to.
pub(crate) fn beyond(
    scene: &Scene,
    who: Who,
    stage: Stage,
    before: &Seen,
    after: &Seen,
) -> Vec<String> {
    let actor = scene.user(who).to_wire();
    let others = |seen: &Seen| -> BTreeMap<Bytes, i32> {
        seen.members
            .iter()
            .filter(|(user, _)| **user != actor)
            .map(|(u, r)| (u.clone(), *r))
            .collect()
    };
    let (there, then) = (others(before), others(after));
    let gone = |of_actor: bool| {
        before.words.iter().any(|(seq, (sender, words))| {
            let left = after.words.get(seq).and_then(|(_, words)| words.as_ref());
            (*sender == actor) == of_actor && words.is_some() && left != words.as_ref()
        })
    };
    let kept = |seen: &Seen| seen.settings.retention_s;
    let rest = |seen: &Seen| ConversationSettings { retention_s: 0, ..seen.settings };
    let (info, add) = (given(stage), given(stage));
    // The effect, the least right that it takes, whether it came about.
    let effects = [
        ("another's words are gone", Right::Admin, gone(false)),
        ("one's own words are gone", Right::Member, gone(true)),
        ("the beginning is gone", Right::Owner, after.first_after > before.first_after),
        ("somebody is put out", Right::Admin, there.keys().any(|user| !then.contains_key(user))),
        ("somebody is brought in", add, then.keys().any(|user| !there.contains_key(user))),
        (
            "a role is given or taken",
            Right::Owner,
            there.iter().any(|(user, role)| then.get(user).is_some_and(|now| now != role)),
        ),
        ("retention changes", Right::Owner, kept(before) != kept(after)),
        ("settings change", Right::Admin, rest(before) != rest(after)),
        ("the title changes", info, before.title != after.title),
        ("pins change", info, before.pinned != after.pinned),
        ("bans change", Right::Admin, before.banned != after.banned),
        ("a link ends", add, before.link && !after.link),
    ];
    let right = right_of(who);
    effects
        .into_iter()
        .filter(|(_, least, came)| *came && right < *least)
        .map(|(effect, least, _)| format!("{effect}, which takes {least:?}"))
        .collect()
}
