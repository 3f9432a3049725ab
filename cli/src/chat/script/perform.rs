//! Carries out one command after the other.
//!
//! A send is only queued; its answer is awaited by a task of its own, and the
//! SDK's outbox bounds how many there are. Questions wait for the answers to the
//! sends before them, so that a script that only writes sees its own messages.

use std::time::Duration;

use parley_client::{
    Client, ClientMessageId, Code, ConversationId, Error, ErrorKind, HistoryPage, Range as Part,
    SendHandle, To,
};
use tokio::task::JoinSet;

use super::command::{Command, History, Range, Read, Refusal, Send, Target};
use super::output::Output;
use super::report::{HistoryAbout, ReadReport, Report, history_items};

/// Bytes of text in one answer to `history`; a page that passes it is the last.
const HISTORY_TEXT_BYTES: usize = 16 * 1024 * 1024;

/// Carries out commands in order.
pub(super) struct Performer {
    client: Client,
    output: Output,
    patience: Duration,
    sends: JoinSet<bool>,
    failed: bool,
}

impl Performer {
    pub(super) fn new(client: Client, output: Output, patience: Duration) -> Self {
        Self { client, output, patience, sends: JoinSet::new(), failed: false }
    }

    /// Carries a command out, except that a send is only queued.
    pub(super) async fn perform(&mut self, command: Command) {
        if !matches!(command, Command::Send(_)) {
            self.settle().await;
        }
        let report = match command {
            Command::Send(send) => return self.send(send).await,
            Command::History(history) => {
                let id = history.id.clone();
                self.history(history).await.unwrap_or_else(|error| Report::error(&error, id))
            }
            Command::Read(read) => {
                let id = read.id.clone();
                self.read(read).await.unwrap_or_else(|error| Report::error(&error, id))
            }
            Command::Conversations { id } => match self.client.conversations().await {
                Ok(list) => Report::conversations(&list, id),
                Err(error) => Report::error(&error, id),
            },
            Command::Quit => return,
        };
        let _ = self.output.put(report).await;
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

    async fn send(&mut self, send: Send) {
        // What has finished meanwhile doesn't pile up.
        while let Some(sent) = self.sends.try_join_next() {
            self.note(sent.unwrap_or(false));
        }
        let to = match send.to {
            Target::User(name) => To::Name(name),
            Target::Conversation(id) => To::Conversation(id),
        };
        let queued = match send.id.clone().map(|id| ClientMessageId::new(id.into())) {
            Some(Ok(id)) => self.client.send_with_id(to, send.text, id).await,
            Some(Err(error)) => {
                let text = format!("id: {error}");
                let refusal = Refusal { code: Code::BadRequest, text, id: send.id };
                let _ = self.output.put(Report::refusal(refusal)).await;
                return;
            }
            None => self.client.send(to, send.text).await,
        };
        match queued {
            Ok(handle) => {
                let id = send.id.unwrap_or_else(|| made_up_id(&handle));
                self.sends.spawn(answer(handle, id, self.output.clone()));
            }
            Err(error) => {
                self.failed |= error.is_retryable() || error.kind() == ErrorKind::Closed;
                let _ = self.output.put(Report::error(&error, send.id)).await;
            }
        }
    }

    async fn history(&self, asked: History) -> Result<Report, Error> {
        let mut about =
            HistoryAbout { at_start: true, at_end: true, id: asked.id, ..Default::default() };
        let Some(conversation) = self.conversation(asked.of).await? else {
            // The user exists, the conversation doesn't yet.
            return Ok(Report::History { history: Vec::new(), about });
        };
        about.conversation = Some(conversation.to_string());
        let mut pages: Vec<HistoryPage> = Vec::new();
        let mut left = asked.limit;
        let mut text_bytes = 0;
        let mut part = match asked.range {
            Range::After(seq) => Part::After(seq),
            Range::Before(seq) => Part::Before(seq),
            Range::Newest => Part::Latest,
        };
        loop {
            let page = self.client.history(conversation, part, left).await?;
            left = left.saturating_sub(u32::try_from(page.entries.len()).unwrap_or(u32::MAX));
            text_bytes += page.entries.iter().map(text_len).sum::<usize>();
            let (first, last) = (page.entries.first(), page.entries.last());
            let next = match part {
                Part::After(_) => last.filter(|_| !page.at_end).map(|e| Part::After(e.seq())),
                _ => first.filter(|_| !page.at_start).map(|e| Part::Before(e.seq())),
            };
            pages.push(page);
            match next {
                Some(next) if left > 0 && text_bytes < HISTORY_TEXT_BYTES => part = next,
                _ => break,
            }
        }
        if !matches!(asked.range, Range::After(_)) {
            pages.reverse();
        }
        about.last_seq = pages.iter().map(|page| page.last_seq).max().unwrap_or(0);
        about.at_start = pages.first().is_some_and(|page| page.at_start);
        about.at_end = pages.last().is_some_and(|page| page.at_end);
        let history = pages.iter().flat_map(history_items).collect();
        Ok(Report::History { history, about })
    }

    async fn read(&self, read: Read) -> Result<Report, Error> {
        let Some(conversation) = self.conversation(read.of).await? else {
            let text = "there is no conversation with this user yet".to_owned();
            return Ok(Report::refusal(Refusal { code: Code::NotFound, text, id: read.id }));
        };
        self.client.mark_read(conversation, read.up_to).await?;
        let conversation = conversation.to_string();
        Ok(Report::Read { read: ReadReport { conversation, up_to: read.up_to, id: read.id } })
    }

    async fn conversation(&self, target: Target) -> Result<Option<ConversationId>, Error> {
        match target {
            Target::Conversation(id) => Ok(Some(id)),
            Target::User(name) => {
                Ok(self.client.conversation_with(&name).await?.map(|line| line.id))
            }
        }
    }
}

/// Reports the server's answer to a send; false when it was not sent.
async fn answer(handle: SendHandle, id: String, output: Output) -> bool {
    match handle.sent().await {
        Ok(sent) => {
            let _ = output.put(Report::sent(id, sent)).await;
            true
        }
        Err(error) => {
            let _ = output.put(Report::error(&error, Some(id))).await;
            // A refusal is an answer; what got none may be lost.
            error.code().is_some()
        }
    }
}

fn made_up_id(handle: &SendHandle) -> String {
    handle.client_message_id().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text_len(entry: &parley_client::Entry) -> usize {
    entry.message().map_or(0, |message| message.text.len())
}
