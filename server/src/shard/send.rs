//! A send on its way in: reserved, decided, stamped, encoded once, queued.

use std::sync::Arc;

use bytes::Bytes;
use parley_core::conversation::dedupe::{Known, SendKey, digest};
use parley_core::conversation::{Admitted, Stamped, direct_id};
use parley_core::session::{Identity, To};
use parley_core::shard::{Decision, SendCommand};
use parley_protocol::body::{ValidatedBody, is_countable};
use parley_protocol::wire::{ConversationKind, Entry};
use parley_protocol::{ClientMessageId, Code, ConversationId, Message, ShardId, UserId};

use super::{Error, Pending, PendingEntry, ReplyTo, Shards};
use crate::clock::wall_ms;
use crate::link::Link;
use crate::log::{Append, Durability, Op, Permit, StampedEntry};
use crate::store::{ConversationRow, DedupeRow, MemberRow, Record, tables};

/// A send as its session gives it.
pub struct SendRequest {
    /// Where to. A peer is known to exist.
    pub to: To,
    /// What the device calls it.
    pub id: ClientMessageId,
    /// The content, checked.
    pub body: ValidatedBody,
}

/// Bytes an append takes beside its body.
const APPEND_OVERHEAD: usize = 512;

impl Shards {
    /// Takes a send. The answer goes to `link` once the entry is committed; an
    /// error means that nothing was appended.
    ///
    /// Sends of one session are to be given one after another: their order is
    /// the order of these calls. Not cancel safe as to the order; a dropped
    /// call has appended the entry or not.
    ///
    /// # Errors
    /// [`Error`]: a rule broken, the log full or closed, the store unreadable.
    pub async fn send(
        &self,
        identity: &Identity,
        link: &Arc<Link>,
        request: u64,
        send: SendRequest,
    ) -> Result<(), Error> {
        let (conversation, direct) = match send.to {
            To::Conversation(id) => (id, None),
            To::Peer(peer) => (direct_id(identity.user, peer), Some((identity.user, peer))),
        };
        let kind = send.body.kind() as u32;
        let command = SendCommand {
            key: SendKey { conversation, device: identity.device, id: send.id },
            entry: Admitted { sender: identity.user, countable: is_countable(kind) },
            digest: digest(kind, send.body.bytes()),
        };
        let reply = ReplyTo { link: Arc::clone(link), request };
        loop {
            if !self.load(conversation, direct).await? {
                return Err(Code::NotFound.into());
            }
            let permit = self.log.reserve(send.body.bytes().len() + APPEND_OVERHEAD)?;
            if self.decide(permit, &command, &send.body, &reply)? {
                return Ok(());
            }
            // It was dropped from memory between the two steps: load it again.
        }
    }

    /// Decides and queues under one hold of the shard. Gives false when the
    /// conversation is not loaded.
    fn decide(
        &self,
        permit: Permit,
        command: &SendCommand,
        body: &ValidatedBody,
        reply: &ReplyTo,
    ) -> Result<bool, Error> {
        let key = &command.key;
        let shard = self.shard_of(key.conversation);
        let mut state = self.states.lock(shard);
        let Some(conversation) = state.conversation(key.conversation) else {
            return Ok(false);
        };
        let members: Vec<UserId> =
            conversation.members().iter().map(|member| member.user).collect();
        let found = self.log.find(shard, key.conversation, key.device, &key.id)?;
        let known = found.map(|row| Known {
            answer: Stamped { seq: row.seq, ordinal: row.ordinal, time_ms: row.time_ms },
            digest: row.digest,
        });
        match state.send(command.clone(), known, wall_ms())? {
            Decision::Append(stamped) => {
                let append = append(shard, state.epoch(), command, stamped, body, &members, reply);
                self.log.append(permit, append);
            }
            Decision::Wait(stamped) => {
                // Commits come in order: behind the first try, durable with it.
                let context = Pending::Again(reply.clone(), key.conversation, stamped);
                self.log.append(
                    permit,
                    Append { shard, ops: Vec::new(), durability: Durability::Synced, context },
                );
            }
            Decision::Again(stamped) => super::answer_again(reply, key.conversation, stamped),
        }
        Ok(true)
    }
}

/// The append of a stamped entry. Its bytes are made here, once: the log, the
/// store and every delivery have the same.
fn append(
    shard: ShardId,
    epoch: u64,
    command: &SendCommand,
    stamped: Stamped,
    body: &ValidatedBody,
    members: &[UserId],
    reply: &ReplyTo,
) -> Append<Pending> {
    let key = &command.key;
    let sender = command.entry.sender;
    let entry: Bytes = Entry {
        seq: stamped.seq,
        ordinal: stamped.ordinal,
        time_ms: stamped.time_ms,
        epoch,
        sender: sender.to_wire(),
        kind: body.kind() as u32,
        body: body.bytes().clone(),
    }
    .encode_to_vec()
    .into();
    let first = stamped.seq == 1;
    let peer = members.iter().find(|member| first && **member != sender);
    let record = Record {
        device: key.device.to_wire(),
        client_message_id: key.id.as_bytes().clone(),
        peer: peer.map(|peer| peer.to_wire()).unwrap_or_default(),
        content_digest: command.digest,
        entry: entry.clone(),
    };
    let mut ops = vec![Op::Entry(StampedEntry {
        conversation: key.conversation,
        seq: stamped.seq,
        record: record.encode_to_vec().into(),
        device: key.device,
        client_message_id: key.id.clone(),
        dedupe: DedupeRow {
            seq: stamped.seq,
            ordinal: stamped.ordinal,
            time_ms: stamped.time_ms,
            digest: command.digest,
        },
    })];
    if first {
        ops.push(Op::Rows(vec![direct_row(shard, key.conversation, members, stamped.time_ms)]));
    }
    let context = Pending::Entry(Box::new(PendingEntry {
        key: key.clone(),
        sender,
        stamped,
        countable: command.entry.countable,
        entry,
        reply: reply.clone(),
    }));
    Append { shard, ops, durability: Durability::Synced, context }
}

/// A 1:1 comes to be with its first entry, in the same batch.
fn direct_row(
    shard: ShardId,
    id: ConversationId,
    members: &[UserId],
    created_ms: u64,
) -> crate::store::Write {
    let members =
        members.iter().map(|user| MemberRow { user: user.to_wire(), joined_seq: 1 }).collect();
    let row = ConversationRow { kind: ConversationKind::Direct as u32, members, created_ms };
    tables::conversations::put(shard, id, &row)
}
