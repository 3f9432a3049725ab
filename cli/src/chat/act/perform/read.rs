//! Reading: history, cursors, receipts, the list, preferences, typing.

use parley_client::{Entry, HistoryPage, Preferences, PreferencesChange, Range};

use super::super::{History, Part, Target};
use super::{Done, Fault, Performer};
use crate::chat::clock::now_ms;
use crate::chat::report::{
    HiddenReport, HistoryAbout, MemberReceiptReport, MovedReport, ReceiptsReport, Report,
    TypingReport, history_items,
};

/// Bytes of text in one answer to `history`; a page that passes it is the last.
const HISTORY_TEXT_BYTES: usize = 16 * 1024 * 1024;

impl Performer {
    pub(super) async fn history(&self, asked: History, id: Option<String>) -> Result<Done, Fault> {
        let mut about = HistoryAbout { at_start: true, at_end: true, id, ..Default::default() };
        let Some(conversation) = self.conversation_opt(asked.of).await? else {
            // The user exists, the conversation doesn't yet.
            return Ok(Report::History { history: Vec::new(), about }.into());
        };
        about.conversation = Some(conversation.to_string());
        let mut pages: Vec<HistoryPage> = Vec::new();
        let mut left = asked.limit;
        let mut text_bytes = 0;
        let mut part = range(asked.range);
        loop {
            let page = self.client.history(conversation, part, left).await?;
            left = left.saturating_sub(u32::try_from(page.entries.len()).unwrap_or(u32::MAX));
            text_bytes += page.entries.iter().map(text_len).sum::<usize>();
            let next = next(part, &page);
            pages.push(page);
            match next {
                Some(next) if left > 0 && text_bytes < HISTORY_TEXT_BYTES => part = next,
                _ => break,
            }
        }
        if !matches!(asked.range, Part::After(_)) {
            pages.reverse();
        }
        about.last_seq = pages.iter().map(|page| page.last_seq).max().unwrap_or(0);
        about.at_start = pages.first().is_some_and(|page| page.at_start);
        about.at_end = pages.last().is_some_and(|page| page.at_end);
        let history = pages.iter().flat_map(|page| history_items(page, &self.names)).collect();
        Ok(Report::History { history, about }.into())
    }

    pub(super) async fn receipts(
        &self,
        of: Target,
        seq: u64,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        let receipts = self.client.receipts(conversation, seq).await?;
        let members = receipts.iter().map(|receipt| MemberReceiptReport {
            user: self.names.of_user(&receipt.user),
            delivered_ms: receipt.delivered_ms.unwrap_or(0),
            read_ms: receipt.read_ms.unwrap_or(0),
        });
        let (conversation, members) = (conversation.to_string(), members.collect());
        Ok(Report::Receipts(ReceiptsReport { conversation, seq, members, id }).into())
    }

    pub(super) async fn read(
        &self,
        of: Target,
        up_to: u64,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        self.client.mark_read(conversation, up_to).await?;
        let conversation = conversation.to_string();
        Ok(Report::Read(MovedReport { conversation, up_to, id }).into())
    }

    pub(super) async fn delivered(
        &self,
        of: Target,
        up_to: u64,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        self.client.mark_delivered(conversation, up_to).await?;
        let conversation = conversation.to_string();
        Ok(Report::Delivered(MovedReport { conversation, up_to, id }).into())
    }

    pub(super) async fn typing(
        &self,
        of: Target,
        stopped: bool,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        self.client.typing(conversation, !stopped).await?;
        // Nothing is answered to typing but where somebody waits for it.
        let Some(id) = id else { return Ok(Done::Answers(Vec::new())) };
        let me = self.client.ready().await?.user.clone();
        Ok(Report::Typing(TypingReport {
            conversation: conversation.to_string(),
            user: me.name.to_string(),
            user_id: me.id.to_string(),
            active: !stopped,
            id: Some(id),
        })
        .into())
    }

    pub(super) async fn hide(
        &self,
        of: Target,
        seqs: Vec<u64>,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        self.client.hide(conversation, &seqs).await?;
        let conversation = conversation.to_string();
        Ok(Report::Hidden(HiddenReport { conversation, seqs, r#for: "me", id }).into())
    }

    pub(super) async fn conversations(&self, id: Option<String>) -> Result<Done, Fault> {
        let list = self.client.conversations().await?;
        list.iter().filter_map(|line| line.peer.as_ref()).for_each(|peer| self.names.learn(peer));
        Ok(Report::conversations(&list, &self.names, now_ms(), id).into())
    }

    pub(super) async fn preferences(
        &self,
        of: Target,
        change: PreferencesChange,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        if change != PreferencesChange::default() {
            self.client.set_preferences(conversation, change.clone()).await?;
        }
        let list = self.client.conversations().await?;
        let line = list.iter().find(|line| line.id == conversation);
        let preferences = line.map(|line| line.preferences.clone()).unwrap_or_default();
        // The list learns of it a moment later, as it does from other devices.
        let preferences = with(preferences, change);
        Ok(Report::preferences(conversation, &preferences, id).into())
    }
}

/// The preferences after a change of them.
fn with(old: Preferences, change: PreferencesChange) -> Preferences {
    let draft_reply_to = match change.draft_reply_to {
        Some(seq) => Some(seq).filter(|seq| *seq > 0),
        None => old.draft_reply_to,
    };
    Preferences {
        muted_until_ms: change.muted_until_ms.unwrap_or(old.muted_until_ms),
        archived: change.archived.unwrap_or(old.archived),
        pinned: change.pinned.unwrap_or(old.pinned),
        marked_unread: change.marked_unread.unwrap_or(old.marked_unread),
        level: change.level.unwrap_or(old.level),
        draft: change.draft.map_or(old.draft, Into::into),
        draft_reply_to,
        cleared_up_to: change.cleared_up_to.unwrap_or(0).max(old.cleared_up_to),
        accepted: change.accept || old.accepted,
    }
}

/// Where to read on when a page was not all that was asked for.
fn next(part: Range, page: &HistoryPage) -> Option<Range> {
    let first = || page.entries.first().filter(|_| !page.at_start).map(Entry::seq);
    let last = || page.entries.last().filter(|_| !page.at_end).map(Entry::seq);
    match part {
        Range::After(_) => last().map(Range::After),
        Range::Before(_) | Range::Latest => first().map(Range::Before),
        Range::MentionsBefore(_) => first().map(Range::MentionsBefore),
        // Those around something, the pinned ones and the edits come whole.
        _ => None,
    }
}

fn range(part: Part) -> Range {
    match part {
        Part::After(seq) => Range::After(seq),
        Part::Before(seq) => Range::Before(seq),
        Part::Around(seq) => Range::Around(seq),
        Part::AroundTime(time_ms) => Range::AroundTime(time_ms),
        Part::MentionsBefore(seq) => Range::MentionsBefore(seq),
        Part::Pinned => Range::Pinned,
        Part::EditsOf(seq) => Range::EditsOf(seq),
        Part::Newest => Range::Latest,
    }
}

fn text_len(entry: &Entry) -> usize {
    match entry {
        Entry::Message(message) => message.text.len(),
        Entry::Edit(edit) => edit.text.len(),
        _ => 0,
    }
}
