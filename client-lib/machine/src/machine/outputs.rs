//! What the driver has to do and what a store has to keep, in the order in which
//! it came up.

use std::collections::VecDeque;

use super::conversation::SavedConversation;
use super::{CallId, Output, Reply, Save};
use crate::error::Error;
use crate::model::{Event, LocalId, SendStatus};

#[derive(Debug)]
pub(crate) struct Outputs {
    queue: VecDeque<Output>,
    saves: Vec<Save>,
    keeps: bool,
}

impl Outputs {
    /// Without a store (`keeps`) no saves are noted.
    pub(crate) const fn new(keeps: bool) -> Self {
        Self { queue: VecDeque::new(), saves: Vec::new(), keeps }
    }

    /// Whether there is a store.
    pub(crate) const fn keeps(&self) -> bool {
        self.keeps
    }

    pub(crate) fn push(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// Tells the application.
    pub(crate) fn emit(&mut self, event: Event) {
        self.push(Output::Emit(event));
    }

    /// A send got further.
    pub(crate) fn status(&mut self, local_id: LocalId, status: SendStatus) {
        self.push(Output::Status(local_id, status));
    }

    /// Answers a call.
    pub(crate) fn reply(&mut self, call: CallId, answer: Result<Reply, Error>) {
        self.push(Output::Reply(call, answer));
    }

    /// A store has to keep this.
    pub(crate) fn save(&mut self, save: Save) {
        if self.keeps {
            self.saves.push(save);
        }
    }

    /// The next thing to do.
    pub(crate) fn poll(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }

    /// What has to be kept since the last call, with these conversations. The
    /// feed position comes last: what it speaks of is kept before it.
    pub(crate) fn take_saves(&mut self, conversations: Vec<SavedConversation>) -> Vec<Save> {
        let mut saves = std::mem::take(&mut self.saves);
        let conversations = conversations.into_iter().map(Box::new);
        saves.extend(conversations.map(Save::Conversation));
        saves.sort_by_key(|save| matches!(save, Save::Feed(_)));
        saves
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::conversations::Conversations;
    use parley_protocol::ids::ConversationId;

    #[test]
    fn the_feed_position_is_kept_after_the_conversations_it_speaks_of() {
        let mut outputs = Outputs::new(true);
        outputs.save(Save::Feed(3));
        outputs.save(Save::Done(LocalId(1)));
        let mut conversations = Conversations::new(Vec::new(), true);
        let id = ConversationId::new([9; 16]);
        conversations.ensure(id, Some(0));
        conversations.touch(id);
        let saves = outputs.take_saves(conversations.take_unsaved());
        assert!(matches!(saves[..], [Save::Done(_), Save::Conversation(_), Save::Feed(3)]));
        assert!(outputs.take_saves(Vec::new()).is_empty());
    }

    #[test]
    fn outputs_come_in_order_and_saves_only_for_a_store() {
        let mut outputs = Outputs::new(false);
        outputs.save(Save::Feed(3));
        assert!(outputs.take_saves(Vec::new()).is_empty());
        outputs.push(Output::Dial);
        outputs.status(LocalId(1), SendStatus::Sending);
        assert!(matches!(outputs.poll(), Some(Output::Dial)));
        assert!(matches!(outputs.poll(), Some(Output::Status(LocalId(1), _))));
        assert!(outputs.poll().is_none());
    }
}
