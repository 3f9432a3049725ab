//! Carries out a script's commands, one after the other.
//!
//! What becomes an entry is only queued; its answer is awaited by a task of its
//! own, and the SDK's outbox bounds how many there are. Questions wait for the
//! answers to the entries before them, so that a script that only writes sees
//! its own messages.

use std::time::Duration;

use parley_client::{Client, ErrorKind};
use tokio::task::JoinSet;

use super::command::{Command, Refusal};
use super::output::Output;
use crate::chat::act::perform::{Done, Fault, Performer, Queued};
use crate::chat::act::{Act, Target};
use crate::chat::report::{Names, Report};

/// Carries out commands in order.
pub(super) struct Worker {
    performer: Performer,
    output: Output,
    patience: Duration,
    sends: JoinSet<bool>,
    failed: bool,
}

impl Worker {
    pub(super) fn new(client: Client, names: Names, output: Output, patience: Duration) -> Self {
        let performer = Performer { client, names };
        Self { performer, output, patience, sends: JoinSet::new(), failed: false }
    }

    /// Carries a command out, except that an entry is only queued.
    pub(super) async fn perform(&mut self, command: Command) {
        if waits(&command.act) {
            self.settle().await;
        } else {
            // What has finished meanwhile doesn't pile up.
            while let Some(sent) = self.sends.try_join_next() {
                self.note(sent.unwrap_or(false));
            }
        }
        let Command { id, act } = command;
        match self.performer.perform(act, id.clone()).await {
            Ok(Done::Answer(report)) => drop(self.output.put(report).await),
            Ok(Done::Answers(reports)) => {
                for report in reports {
                    let _ = self.output.put(report).await;
                }
            }
            Ok(Done::Queued(queued)) => {
                let (performer, output) = (self.performer.clone(), self.output.clone());
                self.sends.spawn(answer(queued, performer, output));
            }
            Err(Fault::Refused { code, text }) => {
                let _ = self.output.put(Refusal { code, text, id }.into()).await;
            }
            Err(Fault::Sdk(error)) => {
                self.failed |= error.is_retryable() || error.kind() == ErrorKind::Closed;
                let _ = self.output.put(Report::error(&error, id)).await;
            }
        }
    }

    /// Waits for the answers of all sends; true when one of them is not sent.
    pub(super) async fn finish(mut self) -> bool {
        while let Some(sent) = self.sends.join_next().await {
            self.note(sent.unwrap_or(false));
        }
        self.failed
    }

    /// Waits for the answers to earlier sends, so that a question sees them; not
    /// for ever, because without a connection there are none.
    async fn settle(&mut self) {
        let answered = async {
            while let Some(sent) = self.sends.join_next().await {
                self.failed |= !sent.unwrap_or(false);
            }
        };
        let _ = tokio::time::timeout(self.patience, answered).await;
    }

    fn note(&mut self, sent: bool) {
        self.failed |= !sent;
    }
}

/// Whether it waits for the entries before it. Those that need nothing but their
/// place in the outbox don't, and work without a connection.
fn waits(act: &Act) -> bool {
    match act {
        Act::Send { extras, to, .. } => {
            !extras.mentions.is_empty() && !matches!(to, Target::Conversation(_))
        }
        Act::Edit { mentions, .. } => !mentions.is_empty(),
        Act::React { .. } | Act::Pin { .. } | Act::Join { .. } => false,
        _ => true,
    }
}

/// Reports the server's answer to what was queued; false when it was not sent.
async fn answer(queued: Queued, performer: Performer, output: Output) -> bool {
    let id = queued.id();
    match queued.answer(&performer).await {
        Ok(report) => {
            let _ = output.put(report).await;
            true
        }
        Err(error) => {
            let _ = output.put(Report::error(&error, Some(id))).await;
            // A refusal is an answer; what got none may be lost.
            error.code().is_some()
        }
    }
}
