//! Who has a message, and since when.

use std::sync::Arc;

use parley_core::session::Identity;
use parley_protocol::wire::{MemberReceipt, ReceiptList};
use parley_protocol::{Code, ConversationId, body};

use super::sight::Sight;
use super::{blocking, missing};
use crate::chat::shard::{Error, Shards};
use crate::people::Person;
use crate::storage::store::Which;

/// Lists who has the message `seq`, as far as they let others know. Who blocked
/// the other shows them nothing. Cancel safe.
///
/// # Errors
/// [`Code::NotFound`] for whoever never was a member, [`Code::Forbidden`] for
/// who no longer is, [`Code::TargetInvalid`] for what is no message they see,
/// [`Code::Internal`] when the store can't be read.
pub async fn receipts(
    shards: &Shards,
    asker: &Arc<Person>,
    identity: &Identity,
    conversation: ConversationId,
    seq: u64,
) -> Result<ReceiptList, Code> {
    let visible = shards.visible(identity, conversation).await.map_err(|error| error.code())?;
    if !visible.member.is_active() {
        return Err(Code::Forbidden);
    }
    let (shards, asker) = (shards.clone(), Arc::clone(asker));
    let read = move || {
        let sight = Sight::new(&shards, visible, asker.user(), conversation)?;
        let members = members(&shards, &sight, conversation, seq, &asker)?;
        Ok(ReceiptList { conversation: conversation.to_wire(), seq, members })
    };
    blocking(read).await
}

fn members(
    shards: &Shards,
    sight: &Sight,
    id: ConversationId,
    seq: u64,
    asker: &Person,
) -> Result<Vec<MemberReceipt>, Error> {
    let (store, place) = (shards.store(), sight.visible.place);
    if !sight.sees(seq) {
        return Err(Code::TargetInvalid.into());
    }
    let head = store.known_entry(place, seq)?.head().map_err(|_| missing(id))?;
    let gone = sight.gone.has_message(store, place, seq)?;
    if !(head.damaged || body::is_countable(head.kind)) || gone {
        return Err(Code::TargetInvalid.into());
    }
    let mut members = Vec::new();
    for member in sight.visible.state.actives() {
        if head.sender == member.user.as_bytes().as_slice() || !member.sees(seq) {
            continue;
        }
        let step = |which| store.step(place, member.user, which, seq);
        let (delivered_ms, read_ms) = if asker.privacy.hides_activity_from(member.user) {
            (None, None)
        } else {
            (step(Which::Delivered)?, step(Which::Read)?)
        };
        members.push(MemberReceipt {
            user: member.user.to_wire(),
            delivered_ms: delivered_ms.unwrap_or(0),
            read_ms: read_ms.unwrap_or(0),
        });
    }
    Ok(members)
}
