//! What becomes an entry: messages and what is done to them.

use std::time::Duration;

use parley_client::{
    Action, Change, ClientMessageId, Code, ConversationId, Entry, Error, Event, Events, NewMessage,
    Range, SendHandle, Sent, To,
};

use super::super::{MentionOf, MentionSpan, SendExtras, Target};
use super::{Done, Fault, Performer, refused};
use crate::chat::act::is_named;
use crate::chat::report::{ChangeReport, GroupReport, Report, about_report};

/// Entries in the outbox that are answered together.
pub(crate) struct Queued {
    first: SendHandle,
    more: Vec<SendHandle>,
    id: Option<String>,
    /// The group's change they make, if they make one.
    change: Option<Seen>,
}

/// A change of a group, and the events in which it will be seen.
struct Seen {
    change: ChangeReport,
    events: Events,
}

/// How long the answer to a group's change waits for the change to come back.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// Waits until the entry was taken in.
async fn seen(mut events: Events, sent: Sent) {
    while let Some(event) = events.next().await {
        if let Event::Changed(Change { origin, .. }) = event
            && (origin.conversation, origin.seq) == (sent.conversation, sent.seq)
        {
            return;
        }
    }
}

impl Queued {
    pub(super) fn new(first: SendHandle, id: Option<String>) -> Self {
        Self { first, more: Vec::new(), id, change: None }
    }

    /// Those of one change of a group; the last one says when it was made.
    pub(super) fn group(
        first: SendHandle,
        more: Vec<SendHandle>,
        change: ChangeReport,
        events: Events,
        id: Option<String>,
    ) -> Self {
        Self { first, more, id, change: Some(Seen { change, events }) }
    }

    /// Waits for the server's answer and returns the line that says it; with how
    /// the group stands since, when it was a change of one.
    ///
    /// # Errors
    /// The server's refusal, or why there was no answer.
    ///
    /// # Cancel safety
    /// Dropping it drops the answer; what is queued is sent all the same.
    pub(crate) async fn answer(self, performer: &Performer) -> Result<Report, Error> {
        let id = self.id();
        let mut sent = self.first.sent().await?;
        for handle in &self.more {
            sent = handle.sent().await?;
        }
        let Some(Seen { change, events }) = self.change else { return Ok(Report::sent(id, sent)) };
        // What was committed comes a moment later; how the group stands is known
        // only then. What was there before comes no more.
        if !sent.duplicate {
            let _ = tokio::time::timeout(SEEN_WITHIN, seen(events, sent)).await;
        }
        let description = performer.client.describe(sent.conversation).await.ok();
        if let Some(description) = &description {
            performer.names.learn_members(description);
        }
        let about = description.map(|description| about_report(&description, &performer.names));
        Ok(Report::Group(Box::new(GroupReport {
            change: Some(change),
            seq: Some(sent.seq),
            time_ms: Some(sent.time_ms),
            about,
            ..GroupReport::of(sent.conversation, Some(id))
        })))
    }

    /// The id that the answer is told with, made up if none was given.
    pub(crate) fn id(&self) -> String {
        self.id.clone().unwrap_or_else(|| made_up_id(&self.first))
    }
}

impl Performer {
    pub(super) async fn send(
        &self,
        to: Target,
        text: String,
        extras: SendExtras,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let message = self.message(&to, text, &extras).await?;
        self.queue(to, Action::Text(message), id).await
    }

    pub(super) async fn edit(
        &self,
        of: Target,
        seq: u64,
        text: String,
        mentions: Vec<MentionSpan>,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let extras = SendExtras { mentions, ..SendExtras::default() };
        let message = self.message(&of, text, &extras).await?;
        self.queue(of, Action::Edit { seq, message }, id).await
    }

    pub(super) async fn delete_for_all(
        &self,
        of: Target,
        seq: u64,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        let conversation = self.conversation(of).await?;
        // The entry names the message's ordinal, so that every device can leave
        // it out of its count of unread ones.
        let before = Range::After(seq.saturating_sub(1));
        let page = self.client.history(conversation, before, 1).await?;
        let found = page.entries.first().filter(|entry| entry.seq() == seq);
        let Some(message) = found.and_then(Entry::message) else {
            return refused(Code::TargetInvalid, "there is no message with this seq");
        };
        let action = Action::Delete { seq, ordinal: message.ordinal };
        self.queue(conversation.into(), action, id).await
    }

    pub(super) async fn react(
        &self,
        of: Target,
        seq: u64,
        emoji: String,
        removed: bool,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        self.queue(of, Action::React { seq, emoji, removed }, id).await
    }

    pub(super) async fn pin(
        &self,
        of: Target,
        seq: u64,
        removed: bool,
        id: Option<String>,
    ) -> Result<Done, Fault> {
        self.queue(of, Action::Pin { seq, removed }, id).await
    }

    async fn queue(&self, to: Target, action: Action, id: Option<String>) -> Result<Done, Fault> {
        let to = match to {
            Target::User(name) => To::Name(name),
            Target::Conversation(id) => To::Conversation(id),
        };
        let handle = self.submit(to, action, id.as_deref()).await?;
        Ok(Done::Queued(Queued::new(handle, id)))
    }

    pub(super) async fn submit(
        &self,
        to: To,
        action: Action,
        id: Option<&str>,
    ) -> Result<SendHandle, Fault> {
        let id = id.map(|id| ClientMessageId::new(id.to_owned().into())).transpose();
        match id {
            Ok(id) => Ok(self.client.submit(to, action, id).await?),
            Err(error) => refused(Code::BadRequest, format!("id: {error}")),
        }
    }

    /// A message with its mentions found and put in order.
    async fn message(
        &self,
        to: &Target,
        text: String,
        extras: &SendExtras,
    ) -> Result<NewMessage, Fault> {
        let mut spans = Vec::new();
        for mention in &extras.mentions {
            spans.extend(places(mention, &text)?.into_iter().map(|place| (place, &mention.who)));
        }
        spans.sort_by_key(|(place, _)| *place);
        let mut message = NewMessage::text(text);
        for ((start, length), who) in spans {
            message = match who {
                MentionOf::Everyone => message.mention_everyone(start, length),
                MentionOf::User(name) => {
                    message.mention(start, length, self.member(to, name).await?)
                }
            };
        }
        if extras.reply_to > 0 {
            message = message.reply_to(extras.reply_to);
        }
        Ok(if extras.forwarded { message.forwarded() } else { message })
    }

    /// The id of somebody who is probably in the conversation: asking who is in
    /// it costs no budget.
    async fn member(&self, to: &Target, name: &str) -> Result<parley_client::UserId, Fault> {
        if let (None, Target::Conversation(id)) = (self.names.id_of(name), to) {
            self.names.learn_members(&self.client.describe(*id).await?);
        }
        self.user(name).await
    }
}

impl From<ConversationId> for Target {
    fn from(conversation: ConversationId) -> Self {
        Self::Conversation(conversation)
    }
}

/// Where in the text somebody is named: start and length in characters.
fn places(mention: &MentionSpan, text: &str) -> Result<Vec<(u32, u32)>, Fault> {
    if let Some(place) = mention.at {
        return Ok(vec![place]);
    }
    let name = match &mention.who {
        MentionOf::User(name) => name.as_str(),
        MentionOf::Everyone => "everyone",
    };
    let length = u32::try_from(name.chars().count() + 1).unwrap_or(u32::MAX);
    let signs = text.char_indices().enumerate().filter(|(_, (_, character))| *character == '@');
    let named = signs.filter(|(_, (at, _))| is_named(text, *at, name));
    let places: Vec<(u32, u32)> =
        named.map(|(start, _)| (u32::try_from(start).unwrap_or(u32::MAX), length)).collect();
    if places.is_empty() {
        return refused(Code::BadRequest, "mentions: the text has no @ with this name");
    }
    Ok(places)
}

fn made_up_id(handle: &SendHandle) -> String {
    handle.client_message_id().as_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(who: MentionOf, text: &str) -> Option<Vec<(u32, u32)>> {
        places(&MentionSpan { who, at: None }, text).ok()
    }

    #[test]
    fn a_name_is_found_where_the_text_says_it() {
        let ben = || MentionOf::User("ben".to_owned());
        assert_eq!(found(ben(), "@ben, é @ben."), Some(vec![(0, 4), (8, 4)]));
        assert_eq!(found(ben(), "@benny and @ben"), Some(vec![(11, 4)]));
        assert_eq!(found(ben(), "ben"), None);
        // Another name that begins so, a mail, an address on the web.
        assert_eq!(found(ben(), "@ben.smith hi @ben"), Some(vec![(14, 4)]));
        for text in
            ["@ben.smith", "mail x@ben.example", "x@ben", "https://a.example/@ben", "@ben-1"]
        {
            assert_eq!(found(ben(), text), None, "{text}");
        }
        let smith = MentionOf::User("ben.smith".to_owned());
        assert_eq!(found(smith, "@ben.smith. @ben"), Some(vec![(0, 10)]));
        // A name may end in a sign that also ends a sentence.
        assert_eq!(found(MentionOf::User("ben-".to_owned()), "@ben-"), Some(vec![(0, 5)]));
        assert_eq!(found(MentionOf::Everyone, "hi @everyone"), Some(vec![(3, 9)]));
        let given = MentionSpan { who: ben(), at: Some((1, 2)) };
        assert_eq!(places(&given, "nothing").ok(), Some(vec![(1, 2)]));
    }
}
