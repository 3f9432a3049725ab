//! Entries as the application sees them, and pages of them as they are now.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire::{self, EntryKind, mention};
use prost::Message as _;

use crate::convert;
use crate::model::{
    Change, DamagedEntry, Deletion, Edit, Edited, Entry, Erased, HistoryPage, Mention, Mentioned,
    Message, Origin, Pin, Reaction, ReactionGroup, UnknownEntry, User, What,
};

/// A part of a conversation, as it came.
#[derive(Debug, Clone, Default)]
pub struct Page {
    /// The entries in order.
    pub entries: Vec<wire::Entry>,
    /// Nothing older exists for this reader.
    pub at_start: bool,
    /// Nothing newer existed.
    pub at_end: bool,
    /// The highest seq at the time of reading.
    pub last_seq: u64,
    /// What belongs to the entries and lies elsewhere.
    pub related: Vec<wire::Entry>,
    /// Some reactions are missing.
    pub related_cut: bool,
    /// The user who reads.
    pub me: Option<UserId>,
    /// Those people in it whose names are known.
    pub names: Vec<User>,
    /// When those of its messages expire that do, by the device's clock.
    pub expires: BTreeMap<u64, u64>,
}

/// What is needed to say what an entry means.
pub struct Reader<'a> {
    /// Where the entries are.
    pub conversation: ConversationId,
    /// The user who reads.
    pub me: Option<UserId>,
    /// The user with this id; called by the id when the name is not known.
    pub name: &'a dyn Fn(UserId) -> User,
}

impl std::fmt::Debug for Reader<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Reader").field("conversation", &self.conversation).finish_non_exhaustive()
    }
}

impl Reader<'_> {
    /// What an entry says; one whose body can't be read is passed on as it came.
    #[must_use]
    pub fn entry(&self, entry: wire::Entry) -> Entry {
        if entry.damaged {
            let (conversation, seq) = (self.conversation, entry.seq);
            return Entry::Damaged(DamagedEntry { conversation, seq });
        }
        let sender = sender(&entry);
        let origin = Origin {
            conversation: self.conversation,
            seq: entry.seq,
            sender: (self.name)(sender),
            time_ms: entry.time_ms,
            own: Some(sender) == self.me,
        };
        let known = EntryKind::try_from(i32::try_from(entry.kind).unwrap_or(0));
        let read = match known.unwrap_or(EntryKind::Unspecified) {
            EntryKind::Unspecified => None,
            EntryKind::Text => self.message(&entry, &origin),
            _ if entry.erased => {
                Some(Entry::Erased(Erased { origin: origin.clone(), kind: entry.kind }))
            }
            kind => self.action(kind, &entry.body, &origin),
        };
        read.unwrap_or_else(|| {
            let Origin { conversation, seq, sender, time_ms, .. } = origin;
            let (kind, body) = (entry.kind, entry.body);
            Entry::Unknown(UnknownEntry { conversation, seq, sender, kind, body, time_ms })
        })
    }

    fn message(&self, entry: &wire::Entry, origin: &Origin) -> Option<Entry> {
        let text = wire::Text::decode(entry.body.clone()).ok()?;
        let Origin { conversation, seq, sender, time_ms, own } = origin.clone();
        let mentions = mentions(&text.mentions);
        Some(Entry::Message(Message {
            ordinal: entry.ordinal,
            reply_to: (text.reply_to > 0).then_some(text.reply_to),
            mentions_me: names(&mentions, self.me),
            mentions,
            forwarded: text.forwarded,
            deleted: entry.erased,
            ..Message::plain(conversation, seq, sender, text.text, time_ms, own)
        }))
    }

    /// Everything but messages.
    fn action(&self, kind: EntryKind, body: &Bytes, origin: &Origin) -> Option<Entry> {
        let origin = origin.clone();
        Some(match kind {
            EntryKind::Edit => {
                let body: wire::Edit = read(body)?;
                let (target, text) = (body.seq, body.text.into());
                Entry::Edit(Edit { origin, target, text, mentions: mentions(&body.mentions) })
            }
            EntryKind::Delete => {
                let body: wire::Delete = read(body)?;
                let (target, target_ordinal) = (body.seq, body.ordinal);
                Entry::Deletion(Deletion { origin, target, target_ordinal })
            }
            EntryKind::Reaction => {
                let body: wire::Reaction = read(body)?;
                let (target, emoji, removed) = (body.seq, body.emoji.into(), body.removed);
                Entry::Reaction(Reaction { origin, target, emoji, removed })
            }
            EntryKind::Pin => {
                let body: wire::Pin = read(body)?;
                Entry::Pin(Pin { origin, target: body.seq, removed: body.removed })
            }
            _ => Entry::Change(Change { origin, what: self.what(kind, body)? }),
        })
    }

    fn what(&self, kind: EntryKind, body: &Bytes) -> Option<What> {
        let user = |bytes: &Bytes| UserId::from_slice(bytes).ok().map(self.name);
        let users = |ids: &[Bytes]| ids.iter().map(user).collect::<Option<Vec<User>>>();
        Some(match kind {
            EntryKind::GroupCreated => {
                let body: wire::GroupCreated = read(body)?;
                What::Created {
                    info: body.info.as_ref().map(convert::info).unwrap_or_default(),
                    settings: body.settings.as_ref().map(convert::settings).unwrap_or_default(),
                    members: users(&body.members)?,
                }
            }
            EntryKind::ConversationChanged => {
                let body: wire::ConversationChanged = read(body)?;
                What::Changed {
                    title: body.title.map(Arc::from),
                    description: body.description.map(Arc::from),
                    picture: body.picture.map(Arc::from),
                    settings: body.settings.as_ref().map(convert::settings),
                }
            }
            EntryKind::MembersAdded => {
                What::Added(users(&read::<wire::MembersAdded>(body)?.users)?)
            }
            EntryKind::MemberRemoved => {
                let body: wire::MemberRemoved = read(body)?;
                What::Removed { user: user(&body.user)?, ban: body.ban }
            }
            EntryKind::MemberUnbanned => {
                What::Unbanned(user(&read::<wire::MemberUnbanned>(body)?.user)?)
            }
            EntryKind::MemberLeft => What::Left,
            EntryKind::RoleChanged => {
                let body: wire::RoleChanged = read(body)?;
                What::Role { user: user(&body.user)?, role: convert::role(body.role) }
            }
            EntryKind::MemberJoined => What::Joined,
            EntryKind::HistoryErased => {
                What::Erased { up_to: read::<wire::HistoryErased>(body)?.up_to }
            }
            _ => return None,
        })
    }

    /// A page with the messages as they are now.
    #[must_use]
    pub fn page(&self, page: Page) -> HistoryPage {
        let mut entries: Vec<Entry> = page.entries.into_iter().map(|raw| self.entry(raw)).collect();
        let related = page.related.into_iter().map(|raw| self.entry(raw)).collect::<Vec<_>>();
        let (quoted, related): (Vec<Entry>, Vec<Entry>) =
            related.into_iter().partition(|entry| entry.message().is_some());
        let mut messages: BTreeMap<u64, &mut Message> = BTreeMap::new();
        for entry in &mut entries {
            if let Entry::Message(message) = entry {
                messages.insert(message.seq, message);
            }
        }
        let mut quoted: Vec<Message> = quoted
            .into_iter()
            .filter_map(|entry| match entry {
                Entry::Message(message) if !messages.contains_key(&message.seq) => Some(message),
                _ => None,
            })
            .collect();
        for message in &mut quoted {
            messages.insert(message.seq, message);
        }
        apply(&related, &mut messages);
        for (seq, at_ms) in &page.expires {
            if let Some(message) = messages.get_mut(seq) {
                message.expires_ms = Some(*at_ms);
            }
        }
        HistoryPage {
            entries,
            quoted,
            at_start: page.at_start,
            at_end: page.at_end,
            last_seq: page.last_seq,
            reactions_cut: page.related_cut,
            from_cache: false,
        }
    }
}

/// Lets the related entries, in order of seq, do to the messages what they did.
fn apply(related: &[Entry], messages: &mut BTreeMap<u64, &mut Message>) {
    let mut related: Vec<&Entry> = related.iter().collect();
    related.sort_by_key(|entry| entry.seq());
    for entry in related {
        match entry {
            Entry::Edit(edit) => {
                let Some(message) = messages.get_mut(&edit.target).filter(|it| !it.deleted) else {
                    continue;
                };
                message.text = Arc::clone(&edit.text);
                message.mentions.clone_from(&edit.mentions);
                message.edited =
                    Some(Edited { seq: edit.origin.seq, time_ms: edit.origin.time_ms });
            }
            Entry::Deletion(deletion) => {
                if let Some(message) = messages.get_mut(&deletion.target) {
                    message.text = Arc::from("");
                    message.mentions.clear();
                    message.edited = None;
                    message.reactions.clear();
                    message.pinned = false;
                    message.deleted = true;
                }
            }
            Entry::Reaction(reaction) => {
                if let Some(message) = messages.get_mut(&reaction.target).filter(|it| !it.deleted) {
                    react(&mut message.reactions, reaction);
                }
            }
            Entry::Pin(pin) => {
                if let Some(message) = messages.get_mut(&pin.target).filter(|it| !it.deleted) {
                    message.pinned = !pin.removed;
                }
            }
            _ => {}
        }
    }
}

fn react(groups: &mut Vec<ReactionGroup>, reaction: &Reaction) {
    let user = &reaction.origin.sender;
    let group = groups.iter_mut().find(|group| same_emoji(&group.emoji, &reaction.emoji));
    match (group, reaction.removed) {
        (Some(group), true) => group.users.retain(|other| other.id != user.id),
        (Some(group), false) if group.users.iter().any(|other| other.id == user.id) => {}
        (Some(group), false) => group.users.push(user.clone()),
        (None, true) => {}
        (None, false) => groups
            .push(ReactionGroup { emoji: Arc::clone(&reaction.emoji), users: vec![user.clone()] }),
    }
    groups.retain(|group| !group.users.is_empty());
}

/// Whether two emoji are the same, however it is said that they are no letters.
#[must_use]
pub fn same_emoji(one: &str, other: &str) -> bool {
    let plain = |emoji: &str| emoji.chars().filter(|c| *c != '\u{fe0f}').collect::<String>();
    plain(one) == plain(other)
}

fn mentions(mentions: &[wire::Mention]) -> Vec<Mention> {
    let mention = |mention: &wire::Mention| {
        let who = match mention.who.as_ref()? {
            mention::Who::User(id) => Mentioned::User(UserId::from_slice(id).ok()?),
            mention::Who::Everyone(true) => Mentioned::Everyone,
            mention::Who::Everyone(false) => return None,
        };
        Some(Mention { start: mention.start, length: mention.length, who })
    };
    mentions.iter().filter_map(mention).collect()
}

fn names(mentions: &[Mention], me: Option<UserId>) -> bool {
    mentions.iter().any(|mention| match mention.who {
        Mentioned::User(user) => Some(user) == me,
        Mentioned::Everyone => true,
    })
}

/// Seq of the message an edit, deletion, reaction or pin is about.
#[must_use]
pub fn target(entry: &wire::Entry) -> Option<u64> {
    if entry.damaged {
        return None;
    }
    let kind = EntryKind::try_from(i32::try_from(entry.kind).ok()?).ok()?;
    let target = match kind {
        EntryKind::Edit => read::<wire::Edit>(&entry.body)?.seq,
        EntryKind::Delete => read::<wire::Delete>(&entry.body)?.seq,
        EntryKind::Reaction => read::<wire::Reaction>(&entry.body)?.seq,
        EntryKind::Pin => read::<wire::Pin>(&entry.body)?.seq,
        _ => return None,
    };
    (target > 0).then_some(target)
}

/// The author of an entry; one that the server did not set has an id of zeros.
#[must_use]
pub fn sender(entry: &wire::Entry) -> UserId {
    UserId::from_slice(&entry.sender).unwrap_or(UserId::new([0; 16]))
}

/// The users whose names are needed to show an entry.
#[must_use]
pub fn people(entry: &wire::Entry) -> Vec<UserId> {
    if entry.damaged {
        return Vec::new();
    }
    let mut people = vec![sender(entry)];
    let kind = EntryKind::try_from(i32::try_from(entry.kind).unwrap_or(0));
    let named: Vec<Bytes> = match kind {
        Ok(EntryKind::GroupCreated) => {
            read::<wire::GroupCreated>(&entry.body).map(|body| body.members).unwrap_or_default()
        }
        Ok(EntryKind::MembersAdded) => {
            read::<wire::MembersAdded>(&entry.body).map(|body| body.users).unwrap_or_default()
        }
        Ok(EntryKind::MemberRemoved) => {
            read::<wire::MemberRemoved>(&entry.body).into_iter().map(|body| body.user).collect()
        }
        Ok(EntryKind::MemberUnbanned) => {
            read::<wire::MemberUnbanned>(&entry.body).into_iter().map(|body| body.user).collect()
        }
        Ok(EntryKind::RoleChanged) => {
            read::<wire::RoleChanged>(&entry.body).into_iter().map(|body| body.user).collect()
        }
        _ => Vec::new(),
    };
    people.extend(named.iter().filter_map(|id| UserId::from_slice(id).ok()));
    people
}

/// The body of an entry, if it is one of this type.
#[must_use]
pub fn read<M: prost::Message + Default>(body: &Bytes) -> Option<M> {
    M::decode(body.clone()).ok()
}

#[cfg(test)]
#[path = "history_tests.rs"]
mod tests;
