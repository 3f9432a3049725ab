//! The answers to commands.

use parley_core::conversation::{MovedCursor, Position};
use parley_core::session::reply;
use parley_protocol::ConversationId;
use parley_protocol::wire::{Moved, Sent, ServerEnvelope, server_envelope::Kind};

use super::ReplyTo;
use crate::chat::link::Item;

/// Answers a send that was committed before.
pub(crate) fn answer_again(to: &ReplyTo, conversation: ConversationId, stamped: Position) {
    to.link.push(sent_answer(to, conversation, stamped, true, 0));
}

/// The answer to a send; `feed_position` is the sender's after it.
pub(crate) fn sent_answer(
    to: &ReplyTo,
    conversation: ConversationId,
    stamped: Position,
    duplicate: bool,
    feed_position: u64,
) -> Item {
    let sent = Kind::Sent(Sent {
        conversation: conversation.to_wire(),
        seq: stamped.seq,
        time_ms: stamped.time_ms,
        ordinal: stamped.ordinal,
        duplicate,
        feed_position,
    });
    let envelope: ServerEnvelope = reply(to.request, sent);
    if duplicate {
        // An old entry is not new to the device's other reading.
        Item::Answer(envelope)
    } else {
        Item::Sent(envelope, conversation, stamped.seq)
    }
}

/// The answer to a cursor move, if one was asked for.
pub(crate) fn moved_answer(
    to: &ReplyTo,
    conversation: ConversationId,
    moved: &MovedCursor,
) -> Option<Item> {
    let request = to.request?;
    let kind = Kind::Moved(Moved {
        conversation: conversation.to_wire(),
        delivered: moved.delivered.seq,
        read: moved.read.seq,
    });
    Some(Item::Answer(reply(request, kind)))
}
