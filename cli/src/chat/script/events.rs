//! What the client reports by itself, as lines.
//!
//! Sends are answered through their handles, which never lag, so their events
//! are used here for one thing only: the line `sent` says all about a message of
//! this very process, so its delivery gets no line of its own. Messages of the
//! user's other devices do.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use parley_client::{
    Client, Conversation, ConversationId, Event, Events, Message, Receipt, Sent, User, UserId,
};

use super::output::Output;
use super::report::{FellBackReport, LaggedReport, Report};

/// Own sends remembered until their delivery comes.
const OWN_SENDS: usize = 4_096;

/// Names, and lines of the list, remembered.
const NAMES: usize = 10_000;

/// Turns events into lines.
pub(super) struct Reporter {
    client: Client,
    output: Output,
    names: Names,
    own: OwnSends,
    lines: Lines,
    /// The way to the first session was reported by others.
    opened: bool,
}

impl Reporter {
    pub(super) fn new(client: Client, me: &User, output: Output) -> Self {
        let mut names = Names::default();
        names.learn(me);
        Self {
            client,
            output,
            names,
            own: OwnSends::default(),
            lines: Lines::default(),
            opened: false,
        }
    }

    /// Puts out what happens, until the client is closed or the reader is gone.
    pub(super) async fn run(mut self, mut events: Events) {
        while let Some(event) = events.next().await {
            if let Some(report) = self.report(event).await
                && self.output.put(report).await.is_err()
            {
                return;
            }
        }
    }

    async fn report(&mut self, event: Event) -> Option<Report> {
        Some(match event {
            Event::Message(message) => {
                self.names.learn(&message.sender);
                if self.own.take(&message) {
                    return None;
                }
                Report::message(&message)
            }
            Event::UnknownEntry(entry) => Report::unknown_entry(&entry),
            Event::Sent { sent, .. } => {
                self.own.add(sent);
                return None;
            }
            Event::Receipt(receipt) => {
                let name = self.name(&receipt).await;
                Report::receipt(&receipt, &name)
            }
            Event::Conversation(line) => {
                line.peer.iter().for_each(|peer| self.names.learn(peer));
                if !self.lines.is_news(&line) {
                    return None;
                }
                Report::conversation(&line)
            }
            Event::StateChanged(state) => {
                let known = !self.opened;
                self.opened |= state.is_ready();
                if known {
                    return None;
                }
                Report::state(&state)
            }
            Event::FellBack { from, to, .. } => Report::FellBack {
                fell_back: FellBackReport { from: from.to_string(), to: to.to_string() },
            },
            Event::Lagged(missed) => {
                self.opened = true;
                Report::Lagged { lagged: LaggedReport { missed } }
            }
            _ => return None,
        })
    }

    /// The name of a receipt's user; the id where it can't be learnt.
    async fn name(&mut self, receipt: &Receipt) -> Arc<str> {
        if self.names.of(receipt.user).is_none()
            && let Ok(description) = self.client.describe(receipt.conversation).await
        {
            description.members.iter().for_each(|member| self.names.learn(&member.user));
        }
        self.names.of(receipt.user).unwrap_or_else(|| receipt.user.to_string().into())
    }
}

/// Who is called what.
#[derive(Default)]
struct Names(HashMap<UserId, Arc<str>>);

impl Names {
    fn learn(&mut self, user: &User) {
        if self.0.len() >= NAMES {
            // Learnt again when needed.
            self.0.clear();
        }
        self.0.insert(user.id, Arc::clone(&user.name));
    }

    fn of(&self, user: UserId) -> Option<Arc<str>> {
        self.0.get(&user).cloned()
    }
}

/// The list as it was last said, so that nothing is said twice in a row.
#[derive(Default)]
struct Lines(HashMap<ConversationId, Conversation>);

impl Lines {
    fn is_news(&mut self, line: &Conversation) -> bool {
        if self.0.get(&line.id) == Some(line) {
            return false;
        }
        if self.0.len() >= NAMES {
            // Then a line may be said once more.
            self.0.clear();
        }
        self.0.insert(line.id, line.clone());
        true
    }
}

/// The newest sends of this process.
#[derive(Default)]
struct OwnSends(VecDeque<(ConversationId, u64)>);

impl OwnSends {
    fn add(&mut self, sent: Sent) {
        if self.0.len() >= OWN_SENDS {
            self.0.pop_front();
        }
        self.0.push_back((sent.conversation, sent.seq));
    }

    /// True, once, when the message is one of them.
    fn take(&mut self, message: &Message) -> bool {
        let same = |sent: &(ConversationId, u64)| *sent == (message.conversation, message.seq);
        match self.0.iter().rposition(same) {
            Some(at) if message.own => self.0.remove(at).is_some(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(seq: u64) -> Sent {
        Sent { conversation: ConversationId::new([7; 16]), seq, time_ms: 1, duplicate: false }
    }

    fn message(seq: u64, own: bool) -> Message {
        Message {
            conversation: ConversationId::new([7; 16]),
            seq,
            sender: User { id: UserId::new([1; 16]), name: "ann".into() },
            text: "x".into(),
            time_ms: 1,
            own,
        }
    }

    #[test]
    fn only_this_process_s_own_messages_are_passed_over_and_once() {
        let mut own = OwnSends::default();
        own.add(sent(1));
        own.add(sent(2));
        assert!(!own.take(&message(3, true)), "sent by another device");
        assert!(own.take(&message(2, true)));
        assert!(!own.take(&message(2, true)));
        assert!(!own.take(&message(1, false)));
    }

    #[test]
    fn the_memory_of_own_sends_is_bounded() {
        let mut own = OwnSends::default();
        (0..10_000).for_each(|seq| own.add(sent(seq)));
        assert_eq!(own.0.len(), OWN_SENDS);
        assert!(own.take(&message(9_999, true)) && !own.take(&message(0, true)));
    }
}
