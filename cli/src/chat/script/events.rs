//! What the client reports by itself, as lines.
//!
//! Sends are answered through their handles, which never lag, so their events
//! are used here for one thing only: the answer to a message or a group's change
//! of this very process says all about it, so its delivery gets no line of its
//! own. Those of the user's other devices do.

use std::collections::{HashMap, VecDeque};

use parley_client::{
    Change, Client, Conversation, ConversationId, Event, Events, Receipt, Sent, User,
};

use super::output::Output;
use crate::chat::clock::now_ms;
use crate::chat::report::{
    AccountReport, FellBackReport, GroupReport, HiddenReport, LaggedReport, Names, Report,
    SignInReport,
};

/// Own sends remembered until their delivery comes.
const OWN_SENDS: usize = 4_096;

/// Lines of the list remembered.
const LINES: usize = 10_000;

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
    pub(super) fn new(client: Client, me: &User, names: Names, output: Output) -> Self {
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
                if self.own.take(message.conversation, message.seq) {
                    return None;
                }
                Report::message(&message, &self.names)
            }
            Event::Edited(edit) => Report::edit(&edit, &self.names),
            Event::Deleted(deletion) => Report::deletion(&deletion, &self.names),
            Event::Reacted(reaction) => Report::reaction(&reaction, &self.names),
            Event::Pinned(pin) => Report::pin(&pin, &self.names),
            Event::Changed(change) => return self.changed(&change).await,
            Event::Hidden { conversation, seqs } => Report::Hidden(HiddenReport {
                conversation: conversation.to_string(),
                seqs,
                r#for: "me",
                id: None,
            }),
            Event::UnknownEntry(entry) => Report::unknown_entry(&entry, &self.names),
            Event::Damaged(entry) => Report::damaged(entry),
            Event::Reset(reset) => {
                // Their seqs are given again.
                self.own.forget(reset.conversation);
                self.lines = Lines::default();
                Report::reset(reset)
            }
            Event::Sent { sent, .. } => {
                self.own.add(sent);
                return None;
            }
            Event::Receipt(receipt) => self.receipt(&receipt).await,
            Event::Typing(typing) => Report::typing(&typing, &self.names),
            Event::Presence(presence) => Report::presence(&presence, &self.names, None),
            Event::Profile(profile) => Report::profile(&profile, &self.names, None),
            Event::AccountChanged { .. } => {
                Report::Account(AccountReport { changed: true, ..AccountReport::default() })
            }
            Event::SignedIn(sign_in) => Report::SignedIn(SignInReport {
                device: sign_in.name,
                device_id: sign_in.device.to_string(),
                new_device: sign_in.new_device,
                time_ms: sign_in.time_ms,
            }),
            Event::Conversation(line) => {
                line.peer.iter().for_each(|peer| self.names.learn(peer));
                if !self.lines.is_news(&line) {
                    return None;
                }
                Report::conversation(&line, &self.names, now_ms())
            }
            other => return self.of_the_connection(other),
        })
    }

    fn of_the_connection(&mut self, event: Event) -> Option<Report> {
        match event {
            Event::StateChanged(state) => {
                let known = !self.opened;
                self.opened |= state.is_ready();
                (!known).then(|| Report::state(&state))
            }
            Event::FellBack { from, to, .. } => Some(Report::FellBack(FellBackReport {
                from: from.to_string(),
                to: to.to_string(),
            })),
            Event::Lagged(missed) => {
                self.opened = true;
                Some(Report::Lagged(LaggedReport { missed }))
            }
            _ => None,
        }
    }

    /// A change of a group, with how the group stands since.
    async fn changed(&mut self, change: &Change) -> Option<Report> {
        self.names.learn(&change.origin.sender);
        if self.own.take(change.origin.conversation, change.origin.seq) {
            return None;
        }
        let description = self.client.describe(change.origin.conversation).await.ok();
        if let Some(description) = &description {
            self.names.learn_members(description);
        }
        let report = GroupReport::changed(change, description.as_ref(), &self.names);
        Some(Report::Group(Box::new(report)))
    }

    async fn receipt(&self, receipt: &Receipt) -> Report {
        let name = self.names.ask(&self.client, receipt.conversation, receipt.user).await;
        Report::receipt(receipt, name)
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
        if self.0.len() >= LINES {
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

    /// Forgets those of a conversation, or all.
    fn forget(&mut self, conversation: Option<ConversationId>) {
        self.0.retain(|(sent, _)| conversation.is_some_and(|id| id != *sent));
    }

    /// True, once, when the entry is one of them.
    fn take(&mut self, conversation: ConversationId, seq: u64) -> bool {
        let at = self.0.iter().rposition(|sent| *sent == (conversation, seq));
        at.is_some_and(|at| self.0.remove(at).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

    fn sent(seq: u64) -> Sent {
        Sent { conversation: CONVERSATION, seq, time_ms: 1, duplicate: false }
    }

    #[test]
    fn only_this_process_s_own_entries_are_passed_over_and_once() {
        let mut own = OwnSends::default();
        own.add(sent(1));
        own.add(sent(2));
        assert!(!own.take(CONVERSATION, 3), "sent by another device");
        assert!(!own.take(ConversationId::new([8; 16]), 2));
        assert!(own.take(CONVERSATION, 2));
        assert!(!own.take(CONVERSATION, 2));
    }

    #[test]
    fn own_sends_of_another_store_hide_nothing() {
        let other = ConversationId::new([8; 16]);
        let mut own = OwnSends::default();
        own.add(sent(2));
        own.forget(Some(other));
        assert_eq!(own.0.len(), 1);
        own.forget(Some(CONVERSATION));
        assert!(!own.take(CONVERSATION, 2));
        own.add(sent(2));
        own.forget(None);
        assert!(!own.take(CONVERSATION, 2));
    }

    #[test]
    fn the_memory_of_own_sends_is_bounded() {
        let mut own = OwnSends::default();
        (0..10_000).for_each(|seq| own.add(sent(seq)));
        assert_eq!(own.0.len(), OWN_SENDS);
        assert!(own.take(CONVERSATION, 9_999) && !own.take(CONVERSATION, 0));
    }
}
