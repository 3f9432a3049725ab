//! Whether somebody takes part in a 1:1: whether they wrote in it or accepted it.
//! The conversation mostly knows; else their feed does, and the conversation is
//! told.

use parley_core::session::Identity;
use parley_protocol::{Code, ConversationId, UserId};

use crate::chat::shard::{Asker, Pair, Shards};
use crate::people::People;

/// The other one of a 1:1, and who of the two takes part; `None` for a group.
/// Cancel safe.
///
/// # Errors
/// [`Code::NotFound`] for whoever never was in it, [`Code::Internal`] when the
/// store can't be read.
pub async fn pair(
    shards: &Shards,
    identity: &Identity,
    id: ConversationId,
) -> Result<Option<Pair>, Code> {
    let user = identity.user;
    let pair = shards.with(Asker::User(user), id, |found, _| Pair::of(found, user)).await;
    pair.map_err(|error| error.code())?.ok_or(Code::NotFound)
}

/// Whether `user` takes part in the 1:1 with `peer`, of which memory says `known`.
/// Cancel safe.
///
/// # Errors
/// [`Code::Internal`] when the store can't be read.
pub async fn takes_part(
    shards: &Shards,
    people: &People,
    id: ConversationId,
    (user, peer): (UserId, UserId),
    known: Option<bool>,
) -> Result<bool, Code> {
    if let Some(known) = known {
        return Ok(known);
    }
    let takes = people.takes_part(user, peer).await.map_err(|error| error.code())?;
    shards.note_taking_part(id, user, takes);
    Ok(takes)
}
