//! Admission of a send: once, then stamped.

use parley_protocol::Code;

use super::Shard;
use crate::conversation::dedupe::{Known, SendKey};
use crate::conversation::{Admitted, Stamped};

/// A send on its way into a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SendCommand {
    /// Conversation, device and client message id.
    pub key: SendKey,
    /// Who, and whether it counts.
    pub entry: Admitted,
    /// [`digest`](crate::conversation::dedupe::digest) of kind and body.
    pub digest: u64,
}

/// What the server does with a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// New: append the entry at this place, answer once it is committed.
    Append(Stamped),
    /// The same send is stamped and on its way: answer once that is committed.
    Wait(Stamped),
    /// The same send is committed: answer now.
    Again(Stamped),
}

impl Shard {
    /// Decides a send. `committed` is what the log knows of the same key,
    /// looked up under the same hold of the shard.
    ///
    /// # Errors
    /// [`Code::MessageIdReused`] for the same key with other content,
    /// [`Code::NotFound`] when the sender may not see the conversation or it
    /// isn't loaded.
    pub fn send(
        &mut self,
        command: SendCommand,
        committed: Option<Known>,
        now_ms: u64,
    ) -> Result<Decision, Code> {
        let conversation =
            self.conversations.touch(command.key.conversation).ok_or(Code::NotFound)?;
        if conversation.member(command.entry.sender).is_none() {
            return Err(Code::NotFound);
        }
        if let Some(known) = self.in_flight.get(&command.key) {
            return known.again(command.digest).map(Decision::Wait);
        }
        if let Some(known) = committed {
            return known.again(command.digest).map(Decision::Again);
        }
        let answer = conversation.stamp(command.entry, now_ms)?;
        self.in_flight.insert(command.key, Known { answer, digest: command.digest });
        Ok(Decision::Append(answer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conversation::Conversation;
    use bytes::Bytes;
    use parley_protocol::{ClientMessageId, DeviceId, UserId};

    const ANN: UserId = UserId::new([1; 16]);
    const BEN: UserId = UserId::new([2; 16]);

    fn shard() -> (Shard, Conversation) {
        let conversation = Conversation::direct(ANN, BEN);
        let mut shard = Shard::new(1, 10);
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
            entry: Admitted { sender, countable: true },
            digest,
        }
    }

    #[test]
    fn a_resend_waits_while_in_flight_and_is_answered_after() {
        let (mut shard, _) = shard();
        let first = command(ANN, "a", 7);
        let Ok(Decision::Append(stamped)) = shard.send(first.clone(), None, 5) else { panic!() };
        assert_eq!(shard.send(first.clone(), None, 6), Ok(Decision::Wait(stamped)));
        shard.apply(&first.key, ANN, stamped);
        let known = Some(Known { answer: stamped, digest: 7 });
        assert_eq!(shard.send(first, known, 7), Ok(Decision::Again(stamped)));
    }

    #[test]
    fn other_content_under_the_same_id_is_refused_in_flight_and_after() {
        let (mut shard, _) = shard();
        let first = command(ANN, "a", 7);
        let Ok(Decision::Append(stamped)) = shard.send(first.clone(), None, 5) else { panic!() };
        assert_eq!(shard.send(command(ANN, "a", 8), None, 5), Err(Code::MessageIdReused));
        shard.apply(&first.key, ANN, stamped);
        let known = Some(Known { answer: stamped, digest: 7 });
        assert_eq!(shard.send(command(ANN, "a", 8), known, 5), Err(Code::MessageIdReused));
    }

    #[test]
    fn the_same_id_of_another_device_is_another_send() {
        let (mut shard, _) = shard();
        assert!(matches!(shard.send(command(ANN, "a", 7), None, 5), Ok(Decision::Append(_))));
        let Ok(Decision::Append(second)) = shard.send(command(BEN, "a", 7), None, 5) else {
            panic!()
        };
        assert_eq!(second.seq, 2);
    }

    #[test]
    fn what_was_read_before_an_eviction_is_not_taken() {
        let mut shard = Shard::new(1, 1);
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
        // Even the dedupe answer of somebody else's send stays hidden.
        let known = Some(Known { answer: Stamped { seq: 1, ordinal: 1, time_ms: 1 }, digest: 1 });
        assert_eq!(shard.send(stranger.clone(), known, 5), Err(Code::NotFound));
        assert_eq!(Shard::new(1, 10).send(stranger, None, 5), Err(Code::NotFound));
    }
}
