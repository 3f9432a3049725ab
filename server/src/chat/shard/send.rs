//! A send on its way in: reserved, decided, stamped, encoded once, queued.

use std::sync::Arc;
use std::time::Duration;

use parley_core::conversation::dedupe::{Known, SendKey, digest};
use parley_core::conversation::{
    Act, Admitted, Bounds, Change, Kind, Position, Spent, Stamping, State, direct_id, group_id,
};
use parley_core::session::{Identity, RequestNumber};
use parley_core::shard::{Decision, SendCommand, Shard};
use parley_protocol::body::ValidatedBody;
use parley_protocol::wire::Entry;
use parley_protocol::{ClientMessageId, Code, ConversationId, Message, UserId};

use super::facts::Facts;
use super::load::{Asker, Fresh};
use super::sending::Sending;
use super::{Error, Pending, PendingEntry, ReplyTo, Shards, effects};
use crate::chat::link::Link;
use crate::storage::log::{Append, Op, Permit, StampedEntry, Urgency};
use crate::storage::store::{DedupeRow, Record, state as rows, tables};

/// A send as its session gives it.
pub struct SendRequest {
    /// Where to.
    pub to: SendTo,
    /// What the device calls it.
    pub id: ClientMessageId,
    /// The content, checked.
    pub body: ValidatedBody,
    /// What it does.
    pub act: Act,
    /// Why other people don't take it, if they don't. A resend of what is
    /// committed gets its answer all the same.
    pub refused: Option<Code>,
}

/// The target of a send, found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SendTo {
    /// A conversation.
    Conversation(ConversationId),
    /// The 1:1 with this user, who exists.
    Peer(UserId),
    /// The group this send makes.
    NewGroup,
    /// A group, by the invite link with this id.
    Invite(ConversationId, [u8; 8]),
}

/// Bytes an append takes beside its body.
const APPEND_OVERHEAD: usize = 512;

/// How long a deletion waits for an edit before it to commit.
const EDIT_PAUSE: Duration = Duration::from_millis(2);

/// How often a send is decided again because what was read for it changed.
const ATTEMPTS: usize = 500;

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
        request: RequestNumber,
        send: SendRequest,
    ) -> Result<(), Error> {
        let user = identity.user;
        let (conversation, fresh) = match send.to {
            SendTo::Conversation(id) | SendTo::Invite(id, _) => (id, Fresh::None),
            // What is refused brings no conversation about.
            SendTo::Peer(peer) if send.refused.is_some() => (direct_id(user, peer), Fresh::None),
            SendTo::Peer(peer) => (direct_id(user, peer), Fresh::Direct(user, peer)),
            SendTo::NewGroup => (group_id(identity.device, &send.id), Fresh::Group),
        };
        let asker = match send.to {
            // The secret of the link was shown.
            SendTo::Invite(..) => Asker::Node,
            SendTo::Conversation(_) | SendTo::Peer(_) | SendTo::NewGroup => Asker::User(user),
        };
        // Of a conversation that is none to the sender nothing is said of people.
        let missing = match send.to {
            SendTo::Peer(_) => send.refused.unwrap_or(Code::NotFound),
            SendTo::Conversation(_) | SendTo::NewGroup | SendTo::Invite(..) => Code::NotFound,
        };
        let invite = match send.to {
            SendTo::Invite(_, id) => Some(id),
            SendTo::Conversation(_) | SendTo::Peer(_) | SendTo::NewGroup => None,
        };
        let mut sending = Sending {
            digest: digest(send.body.kind() as u32, send.body.bytes()),
            key: SendKey { conversation, device: identity.device, id: send.id },
            sender: user,
            body: send.body,
            act: send.act,
            invite,
            refused: send.refused,
            begins: !matches!(fresh, Fresh::None),
            facts: Facts::default(),
            reply: ReplyTo { link: Arc::clone(link), request: Some(request) },
        };
        for _ in 0..ATTEMPTS {
            if !self.load(conversation, fresh, asker).await? {
                return Err(missing.into());
            }
            sending.facts = self.facts(conversation, user, &sending.act).await?;
            let size = sending.body.bytes().len()
                + sending.facts.size_bytes()
                + self.state_bytes(conversation, &sending.act);
            let permit = self.log.reserve_for(user, size + APPEND_OVERHEAD)?;
            let decided = self.decide(permit, &sending);
            if decided.is_err() && sending.begins {
                // What is refused leaves no conversation behind.
                self.states.lock(self.place_of(conversation).shard).forget_blank(conversation);
            }
            match decided? {
                Decided::Done => return Ok(()),
                // It was dropped from memory between the two steps.
                Decided::Reload => {}
                Decided::Later => tokio::time::sleep(EDIT_PAUSE).await,
            }
        }
        Err(Code::Overloaded.into())
    }

    /// Bytes that the conversation's row takes beside an act that changes it:
    /// the members of a large group weigh more than any title.
    fn state_bytes(&self, id: ConversationId, act: &Act) -> usize {
        if act.change().is_none() {
            return 0;
        }
        let mut state = self.states.lock(self.place_of(id).shard);
        state.conversation(id).map_or(0, |found| row_bytes(found.next_state()))
    }

    /// Decides and queues under one hold of the shard.
    fn decide(&self, permit: Permit, sending: &Sending) -> Result<Decided, Error> {
        let key = &sending.key;
        let place = self.place_of(key.conversation);
        let mut state = self.states.lock(place.shard);
        let Some(conversation) = state.conversation(key.conversation) else {
            return Ok(Decided::Reload);
        };
        // One that is not there but about to begin is not there for others.
        if conversation.is_blank() && !sending.begins {
            return Err(sending.refused.unwrap_or(Code::NotFound).into());
        }
        if sending.act.target().is_some() && conversation.forgot_since(sending.facts.as_of) {
            return Ok(Decided::Reload);
        }
        if let Act::Delete { seq, .. } = sending.act {
            if conversation.is_editing(seq) {
                return Ok(Decided::Later);
            }
            if self.edits(place, seq)? != sending.facts.edits() {
                return Ok(Decided::Reload);
            }
        }
        let group = sending.invite.map(|_| Arc::clone(conversation.next_state()));
        let found = self.log.find(place, key.device, &key.id)?;
        let known = found.map(|row| Known { answer: row.position(), digest: row.digest });
        // What is repeated is answered, whatever became of people and links.
        let repeated = known.is_some() || state.is_in_flight(key);
        if let (Some(code), false) = (sending.refused, repeated) {
            return Err(self.refusal(&mut state, sending, code).into());
        }
        let mut rows = Vec::new();
        let mut body = sending.body.bytes().clone();
        let mut used = None;
        if let (Some(invite), Some(group), false) = (sending.invite, group, repeated) {
            used = Some((invite, self.working_invite(place, invite, &group)?));
            body = effects::joined_body(invite);
        }
        let command = SendCommand {
            key: key.clone(),
            entry: Admitted {
                sender: sending.sender,
                act: sending.act.clone(),
                target: sending.facts.target(),
            },
            digest: sending.digest,
        };
        let pins = sending.facts.gone_pins.clone();
        if !pins.is_empty() {
            state.tidy(key.conversation, &Spent { pins, ..Spent::default() });
        }
        match state.send(command, known, self.dates.stamp_ms())? {
            Decision::Append(Stamping { stamped, state: changed }) => {
                let entry = Entry {
                    seq: stamped.seq,
                    ordinal: stamped.ordinal,
                    time_ms: stamped.time_ms,
                    epoch: state.epoch(),
                    sender: sending.sender.to_wire(),
                    kind: sending.body.kind() as u32,
                    body,
                    erased: false,
                    damaged: false,
                };
                if let Some((invite, row)) = used {
                    rows.push(self.use_invite(place, invite, row));
                }
                if let Some(changed) = &changed {
                    let row = rows::of_state(changed);
                    rows.push(tables::conversations::put(place, &row));
                    if may_end_links(&sending.act) && changed.kind == Kind::Group {
                        rows.extend(self.end_links(place, changed)?);
                    }
                }
                let members = match &changed {
                    Some(changed) => Arc::clone(changed),
                    None => state.conversation(key.conversation).map_or_else(
                        || Arc::new(State::empty()),
                        |found| Arc::clone(found.next_state()),
                    ),
                };
                effects::rows(place, sending, stamped, &members, &mut rows);
                let peer = (stamped.seq == 1).then(|| members.peer(sending.sender)).flatten();
                self.log.append(permit, append(place.shard, sending, stamped, &entry, peer, rows));
            }
            Decision::Wait(stamped) => {
                // Commits come in order: behind the first try, durable with it.
                let context = Pending::Again(sending.reply.clone(), key.conversation, stamped);
                self.log.append(
                    permit,
                    Append {
                        shard: place.shard,
                        ops: Vec::new(),
                        urgency: Urgency::Synced,
                        context,
                    },
                );
            }
            Decision::Again(stamped) => {
                super::answer_again(&sending.reply, key.conversation, stamped);
            }
        }
        Ok(Decided::Done)
    }
}

impl Shards {
    /// What to answer to a send that people don't take. What the conversation
    /// itself says comes first: whoever may not do it learns nothing of people.
    fn refusal(&self, state: &mut Shard, sending: &Sending, code: Code) -> Code {
        let Some(conversation) = state.conversation(sending.key.conversation) else {
            return Code::NotFound;
        };
        let entry = Admitted {
            sender: sending.sender,
            act: sending.act.clone(),
            target: sending.facts.target(),
        };
        let tried =
            conversation.clone().stamp(&entry, self.dates.stamp_ms(), Bounds::of(usize::MAX));
        tried.err().unwrap_or(code)
    }
}

/// Bytes of a conversation's row, at most about.
fn row_bytes(state: &State) -> usize {
    const MEMBER: usize = 56;
    const PERIOD: usize = 52;
    let info = &state.info;
    let words = info.title.len() + info.description.len() + info.picture.len();
    let seqs = (state.pinned.len() + state.turns.len()) * 10;
    let lists = seqs + state.periods.len() * PERIOD + state.banned.len() * 18;
    state.members.len() * MEMBER + lists + words
}

/// Whether somebody may lose the right to invite by this, and with it their links.
const fn may_end_links(act: &Act) -> bool {
    matches!(
        act,
        Act::Change(
            Change::Removed(_)
                | Change::Banned(_)
                | Change::Left
                | Change::Role(..)
                | Change::Changed { settings: Some(_), .. }
        )
    )
}

enum Decided {
    /// Queued or answered.
    Done,
    /// What was read is no longer so, or no longer here: read it again.
    Reload,
    /// Something before it has to commit first.
    Later,
}

/// The append of a stamped entry. Its bytes are made here, once: the log, the
/// store and every delivery have the same.
fn append(
    shard: parley_protocol::ShardId,
    sending: &Sending,
    stamped: Position,
    entry: &Entry,
    peer: Option<UserId>,
    rows: Vec<crate::storage::store::Write>,
) -> Append<Pending> {
    let key = &sending.key;
    let entry: bytes::Bytes = entry.encode_to_vec().into();
    let record = Record {
        device: key.device.to_wire(),
        client_message_id: key.id.as_bytes().clone(),
        peer: peer.map(UserId::to_wire).unwrap_or_default(),
        content_digest: sending.digest,
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
            digest: sending.digest,
        },
    })];
    if !rows.is_empty() {
        ops.push(Op::Rows(rows));
    }
    let context = Pending::Entry(Box::new(PendingEntry {
        key: key.clone(),
        sender: sending.sender,
        stamped,
        act: sending.act.clone(),
        entry,
        blind: sending.facts.blind.clone(),
        reply: sending.reply.clone(),
    }));
    Append { shard, ops, urgency: Urgency::Synced, context }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_core::conversation::{Change, Info, Settings};

    /// What is reserved covers what is written, or a large group's changes
    /// would pass the bound of the queue.
    #[test]
    fn a_row_is_no_bigger_than_what_is_reserved_for_it() {
        let user = |n: u16| {
            let mut id = [7; 16];
            id[..2].copy_from_slice(&n.to_be_bytes());
            UserId::new(id)
        };
        let mut state = State::empty();
        let at = Position { seq: 1 << 40, ordinal: 1 << 40, time_ms: 1 << 42 };
        let words = "x".repeat(300);
        let info = Info { title: words.clone(), description: words.clone(), picture: words };
        let members = (1..1000).map(user).collect();
        let created = Change::Created { info, settings: Settings::default(), members };
        state.apply(user(0), &created, at);
        (1..300).for_each(|n| state.apply(user(0), &Change::Removed(user(n)), at));
        let written = rows::of_state(&state).encoded_len();
        assert!(written <= row_bytes(&state) + APPEND_OVERHEAD, "{written}");
        assert!(row_bytes(&state) < 2 * written, "{written}");
    }
}
