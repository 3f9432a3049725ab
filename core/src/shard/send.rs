//! Admission of a send: once, then stamped.

use parley_protocol::Code;

use super::Shard;
use crate::conversation::dedupe::{Known, SendKey};
use crate::conversation::{Admitted, Position, Stamping};

/// A send on its way into a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendCommand {
    /// Conversation, device and client message id.
    pub key: SendKey,
    /// Who, and what it does.
    pub entry: Admitted,
    /// [`digest`](crate::conversation::dedupe::digest) of kind and body.
    pub digest: u64,
}

/// What the server does with a send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// New: append the entry at this position, answer once it is committed.
    Append(Stamping),
    /// The same send is stamped and on its way: answer once that is committed.
    Wait(Position),
    /// The same send is committed: answer now.
    Again(Position),
}

impl Shard {
    /// Decides a send. `committed` is what the log knows of the same key,
    /// looked up under the same hold of the shard.
    ///
    /// # Errors
    /// [`Code::MessageIdReused`] for the same key with other content,
    /// [`Code::NotFound`] when the sender may not see the conversation or it
    /// isn't loaded, else what
    /// [`stamp`](crate::conversation::Conversation::stamp) returns.
    pub fn send(
        &mut self,
        command: SendCommand,
        committed: Option<Known>,
        now_ms: u64,
    ) -> Result<Decision, Code> {
        let SendCommand { key, entry, digest } = command;
        let bounds = self.bounds;
        let conversation = self.conversations.touch(key.conversation).ok_or(Code::NotFound)?;
        // A resend gets its answer whatever changed since, but only its author
        // hears of it: the key names their device.
        if let Some(known) = self.in_flight.get(&key) {
            return known.again(digest).map(Decision::Wait);
        }
        if let Some(known) = committed {
            return known.again(digest).map(Decision::Again);
        }
        let stamping = conversation.stamp(&entry, now_ms, bounds)?;
        self.in_flight.insert(key, Known { answer: stamping.stamped, digest });
        Ok(Decision::Append(stamping))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::{Act, Bounds, Conversation};
    use bytes::Bytes;
    use parley_protocol::{ClientMessageId, DeviceId, UserId};

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);
    const HELLO: Act = Act::Message { reply_to: None, mentions: Vec::new(), everyone: false };

    fn shard() -> (Shard, Conversation) {
        let conversation = Conversation::direct(ANN, BEN);
        let mut shard = Shard::new(1, 10, Bounds::of(200));
        assert!(shard.load(conversation.clone(), 0));
        (shard, conversation)
    }

    fn command(sender: UserId, id: &'static str, digest: u64) -> SendCommand {
        SendCommand {
            key: SendKey {
                conversation: Conversation::direct(ANN, BEN).id(),
                device: DeviceId::new(*sender.as_bytes()),
                id: ClientMessageId::new(Bytes::from_static(id.as_bytes())).unwrap(),
            },
            entry: Admitted { sender, act: HELLO, target: None },
            digest,
        }
    }

    fn append(shard: &mut Shard, command: SendCommand) -> Position {
        match shard.send(command, None, 5) {
            Ok(Decision::Append(stamping)) => stamping.stamped,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_resend_waits_while_in_flight_and_is_answered_after() {
        let (mut shard, _) = shard();
        let first = command(ANN, "a", 7);
        let stamped = append(&mut shard, first.clone());
        assert_eq!(shard.send(first.clone(), None, 6), Ok(Decision::Wait(stamped)));
        shard.apply(&first.key, ANN, &HELLO, stamped);
        let known = Some(Known { answer: stamped, digest: 7 });
        assert_eq!(shard.send(first, known, 7), Ok(Decision::Again(stamped)));
    }

    #[test]
    fn other_content_under_the_same_id_is_refused_in_flight_and_after() {
        let (mut shard, _) = shard();
        let first = command(ANN, "a", 7);
        let stamped = append(&mut shard, first.clone());
        assert_eq!(shard.send(command(ANN, "a", 8), None, 5), Err(Code::MessageIdReused));
        shard.apply(&first.key, ANN, &HELLO, stamped);
        let known = Some(Known { answer: stamped, digest: 7 });
        assert_eq!(shard.send(command(ANN, "a", 8), known, 5), Err(Code::MessageIdReused));
    }

    #[test]
    fn the_same_id_of_another_device_is_another_send() {
        let (mut shard, _) = shard();
        assert!(matches!(shard.send(command(ANN, "a", 7), None, 5), Ok(Decision::Append(_))));
        assert_eq!(append(&mut shard, command(BEN, "a", 7)).seq, 2);
    }

    #[test]
    fn what_was_read_before_an_eviction_is_not_taken() {
        let mut shard = Shard::new(1, 1, Bounds::of(200));
        let direct = |n| Conversation::direct(UserId::new([n; 16]), UserId::new([n; 16]));
        let as_of = shard.evictions();
        assert!(shard.load(direct(1), as_of));
        assert!(shard.load(direct(2), as_of));
        assert!(!shard.load(direct(1), as_of));
        assert!(shard.load(direct(1), shard.evictions()));
    }

    #[test]
    fn strangers_and_unknown_conversations_look_the_same() {
        let (mut shard, _) = shard();
        let stranger = command(UserId::new([9; 16]), "a", 1);
        assert_eq!(shard.send(stranger.clone(), None, 5), Err(Code::NotFound));
        assert_eq!(Shard::new(1, 10, Bounds::of(200)).send(stranger, None, 5), Err(Code::NotFound));
    }
}
