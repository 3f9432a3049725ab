//! From what the SDK says to reports.

use parley_client::{
    Change, Conversation, ConversationId, ConversationKind, DamagedEntry, Deletion, Description,
    Device, Edit, Entry, HistoryPage, Invite, InvitePreview, Mention, Mentioned, Message, Origin,
    Pin, Preferences, Presence, Profile, Reaction, Receipt, Reset, ResetReason, Sent, Typing,
    UnknownEntry, What,
};

use super::group::{
    AboutReport, ChangeReport, GroupReport, InviteReport, MemberReport, PreviewReport,
    SettingsReport,
};
use super::message::{
    ConversationReport, DamagedReport, Deed, DeedReport, EventItem, HistoryItem, ItemDeed,
    ItemEvent, MentionReport, MessageReport, PreferencesReport, ReactionsReport, ReceiptReport,
    SentReport, TypingReport, UnknownReport,
};
use super::people::{DeviceReport, PresenceReport, ProfileReport};
use super::{Names, Report, ResetReport};
use crate::chat::act::Words as _;

impl Report {
    pub(crate) fn message(message: &Message, names: &Names) -> Self {
        Self::Message(message_report(message, names))
    }

    pub(crate) fn edit(edit: &Edit, names: &Names) -> Self {
        Self::Edit(deed_report(&edit.origin, edit.target, edited(edit, names), names))
    }

    pub(crate) fn deletion(deletion: &Deletion, names: &Names) -> Self {
        Self::Delete(deed_report(&deletion.origin, deletion.target, DELETED, names))
    }

    pub(crate) fn reaction(reaction: &Reaction, names: &Names) -> Self {
        Self::Reaction(deed_report(&reaction.origin, reaction.target, reacted(reaction), names))
    }

    pub(crate) fn pin(pin: &Pin, names: &Names) -> Self {
        let deed = Deed::Pin { removed: pin.removed };
        Self::Pin(deed_report(&pin.origin, pin.target, deed, names))
    }

    pub(crate) fn sent(id: String, sent: Sent) -> Self {
        let Sent { conversation, seq, time_ms, duplicate, .. } = sent;
        Self::Sent(SentReport {
            id,
            conversation: conversation.to_string(),
            seq,
            time_ms,
            duplicate,
        })
    }

    pub(crate) fn conversations(
        list: &[Conversation],
        names: &Names,
        now_ms: u64,
        id: Option<String>,
    ) -> Self {
        let line = |line| conversation_report(line, names, now_ms);
        Self::Conversations { conversations: list.iter().map(line).collect(), id }
    }

    pub(crate) fn conversation(line: &Conversation, names: &Names, now_ms: u64) -> Self {
        Self::Conversation(Box::new(conversation_report(line, names, now_ms)))
    }

    pub(crate) fn receipt(receipt: &Receipt, user: String) -> Self {
        Self::Receipt(ReceiptReport {
            conversation: receipt.conversation.to_string(),
            user,
            user_id: receipt.user.to_string(),
            delivered: receipt.delivered,
            read: receipt.read,
            time_ms: receipt.time_ms,
        })
    }

    pub(crate) fn typing(typing: &Typing, names: &Names) -> Self {
        Self::Typing(TypingReport {
            conversation: typing.conversation.to_string(),
            user: names.of_user(&typing.user),
            user_id: typing.user.id.to_string(),
            active: typing.active,
            id: None,
        })
    }

    pub(crate) fn presence(presence: &Presence, names: &Names, id: Option<String>) -> Self {
        Self::Presence(PresenceReport {
            user: names.of_user(&presence.user),
            user_id: presence.user.id.to_string(),
            online: presence.online,
            last_seen_ms: presence.last_seen_ms.unwrap_or(0),
            id,
        })
    }

    pub(crate) fn profile(profile: &Profile, names: &Names, id: Option<String>) -> Self {
        Self::Profile(Box::new(profile_report(profile, names, id)))
    }

    pub(crate) fn unknown_entry(entry: &UnknownEntry, names: &Names) -> Self {
        Self::UnknownEntry(unknown_report(entry, names))
    }

    pub(crate) fn damaged(entry: DamagedEntry) -> Self {
        Self::DamagedEntry(damaged_report(entry))
    }

    pub(crate) fn reset(reset: Reset) -> Self {
        let reason = match reset.reason {
            ResetReason::StorePutBack => "store_put_back",
            ResetReason::LogEndsEarlier => "log_ends_earlier",
            _ => "log_differs",
        };
        Self::Reset(ResetReport {
            conversation: reset.conversation.map(|id| id.to_string()),
            reason,
        })
    }

    pub(crate) fn preferences(
        conversation: ConversationId,
        preferences: &Preferences,
        id: Option<String>,
    ) -> Self {
        Self::Preferences(PreferencesReport {
            conversation: conversation.to_string(),
            muted_until_ms: preferences.muted_until_ms,
            archived: preferences.archived,
            pinned: preferences.pinned,
            marked_unread: preferences.marked_unread,
            level: preferences.level.word(),
            draft: preferences.draft.to_string(),
            draft_reply_to: preferences.draft_reply_to.unwrap_or(0),
            cleared_up_to: preferences.cleared_up_to,
            accepted: preferences.accepted,
            id,
        })
    }
}

impl GroupReport {
    /// A group with something in it that is filled in by the caller.
    pub(crate) fn of(conversation: ConversationId, id: Option<String>) -> Self {
        Self { conversation: conversation.to_string(), id, ..Self::default() }
    }

    /// A change that was seen; `description` is how the group stands since.
    pub(crate) fn changed(
        change: &Change,
        description: Option<&Description>,
        names: &Names,
    ) -> Self {
        Self {
            change: Some(change_report(change, names)),
            seq: Some(change.origin.seq),
            time_ms: Some(change.origin.time_ms),
            about: description.map(|description| about_report(description, names)),
            ..Self::of(change.origin.conversation, None)
        }
    }
}

/// The entries of a page as the items of a history.
pub(crate) fn history_items<'a>(
    page: &'a HistoryPage,
    names: &'a Names,
) -> impl Iterator<Item = HistoryItem> + 'a {
    page.entries.iter().filter_map(|entry| history_item(entry, names))
}

fn history_item(entry: &Entry, names: &Names) -> Option<HistoryItem> {
    let deed = |origin: &Origin, seq, deed, event: fn(ItemDeed) -> ItemEvent| {
        event_item(origin, event(ItemDeed { seq, deed }), names)
    };
    Some(match entry {
        Entry::Message(message) => HistoryItem::Message(message_report(message, names)),
        Entry::Edit(edit) => deed(&edit.origin, edit.target, edited(edit, names), ItemEvent::Edit),
        Entry::Deletion(gone) => deed(&gone.origin, gone.target, DELETED, ItemEvent::Delete),
        Entry::Reaction(reaction) => {
            deed(&reaction.origin, reaction.target, reacted(reaction), ItemEvent::Reaction)
        }
        Entry::Pin(pin) => {
            deed(&pin.origin, pin.target, Deed::Pin { removed: pin.removed }, ItemEvent::Pin)
        }
        Entry::Change(change) => {
            event_item(&change.origin, ItemEvent::Group(change_report(change, names)), names)
        }
        Entry::Unknown(entry) => HistoryItem::Unknown(unknown_report(entry, names)),
        Entry::Damaged(entry) => HistoryItem::Damaged(damaged_report(*entry)),
        // What it was is gone; the hole in the seqs says so.
        _ => return None,
    })
}

const DELETED: Deed = Deed::Delete { r#for: "all" };

fn edited(edit: &Edit, names: &Names) -> Deed {
    Deed::Edit { text: edit.text.to_string(), mentions: mention_reports(&edit.mentions, names) }
}

fn reacted(reaction: &Reaction) -> Deed {
    Deed::Reaction { emoji: reaction.emoji.to_string(), removed: reaction.removed }
}

fn event_item(origin: &Origin, event: ItemEvent, names: &Names) -> HistoryItem {
    HistoryItem::Event(EventItem {
        conversation: origin.conversation.to_string(),
        seq: origin.seq,
        from: names.of_user(&origin.sender),
        time_ms: origin.time_ms,
        own: origin.own,
        event,
    })
}

fn deed_report(origin: &Origin, seq: u64, deed: Deed, names: &Names) -> DeedReport {
    DeedReport {
        conversation: origin.conversation.to_string(),
        seq,
        deed,
        from: names.of_user(&origin.sender),
        time_ms: origin.time_ms,
        own: origin.own,
        entry_seq: origin.seq,
    }
}

fn message_report(message: &Message, names: &Names) -> MessageReport {
    let reactions = message.reactions.iter().map(|reaction| ReactionsReport {
        emoji: reaction.emoji.to_string(),
        users: reaction.users.iter().map(|user| names.of_user(user)).collect(),
    });
    MessageReport {
        conversation: message.conversation.to_string(),
        seq: message.seq,
        from: names.of_user(&message.sender),
        text: message.text.to_string(),
        time_ms: message.time_ms,
        own: message.own,
        reply_to: message.reply_to,
        mentions: mention_reports(&message.mentions, names),
        forwarded: message.forwarded,
        edited: message.edited.is_some(),
        deleted: message.deleted,
        pinned: message.pinned,
        reactions: reactions.collect(),
    }
}

fn mention_reports(mentions: &[Mention], names: &Names) -> Vec<MentionReport> {
    let report = |mention: &Mention| {
        let (user, everyone) = match mention.who {
            Mentioned::User(user) => (Some(names.of(user)), false),
            Mentioned::Everyone => (None, true),
        };
        MentionReport { user, everyone, start: mention.start, length: mention.length }
    };
    mentions.iter().map(report).collect()
}

fn damaged_report(entry: DamagedEntry) -> DamagedReport {
    let (conversation, seq) = (entry.conversation.to_string(), entry.seq);
    DamagedReport { conversation, seq, damaged: true }
}

fn unknown_report(entry: &UnknownEntry, names: &Names) -> UnknownReport {
    UnknownReport {
        conversation: entry.conversation.to_string(),
        seq: entry.seq,
        from: names.of_user(&entry.sender),
        kind: entry.kind,
        time_ms: entry.time_ms,
    }
}

/// What changed, in a history as much as live.
pub(crate) fn change_report(change: &Change, names: &Names) -> ChangeReport {
    let by = names.of_user(&change.origin.sender);
    let mut report = ChangeReport { by, ..ChangeReport::default() };
    let users = |users: &[parley_client::User]| -> Vec<String> {
        users.iter().map(|user| names.of_user(user)).collect()
    };
    match &change.what {
        What::Created { info, members, .. } => {
            report.change = "created";
            report.new_title = Some(info.title.to_string());
            report.users = users(members);
        }
        What::Changed { title, .. } => {
            report.change = "info";
            report.new_title = title.as_ref().map(ToString::to_string);
        }
        What::Added(added) => {
            report.change = "added";
            report.users = users(added);
        }
        What::Removed { user, ban } => {
            report.change = if *ban { "banned" } else { "removed" };
            report.users = vec![names.of_user(user)];
        }
        What::Unbanned(user) => {
            report.change = "unbanned";
            report.users = vec![names.of_user(user)];
        }
        What::Left => report.change = "left",
        What::Joined => report.change = "joined",
        What::Role { user, role } => {
            report.change = "role";
            report.users = vec![names.of_user(user)];
            report.role = Some(role.word());
        }
        What::Erased { up_to } => {
            report.change = "erased";
            report.erased_up_to = Some(*up_to);
        }
        _ => report.change = "other",
    }
    report
}

pub(crate) fn about_report(description: &Description, names: &Names) -> AboutReport {
    let members = description.members.iter().map(|member| MemberReport {
        user: names.of_user(&member.user),
        user_id: member.user.id.to_string(),
        role: member.role.word(),
        delivered: member.delivered,
        read: member.read,
    });
    let settings = description.settings;
    AboutReport {
        kind: kind_word(description.kind),
        title: description.info.title.to_string(),
        description: description.info.description.to_string(),
        picture: description.info.picture.to_string(),
        members: members.collect(),
        settings: SettingsReport {
            send: settings.send.word(),
            add: settings.add.word(),
            edit_info: settings.edit_info.word(),
            history_for_newcomers: settings.history_for_newcomers,
            retention_s: settings.retention_s,
        },
        pinned: description.pinned.clone(),
        former: description.former,
        last_seq: description.last_seq,
        first_after: description.first_after,
        created_ms: description.created_ms,
    }
}

pub(crate) fn invite_report(invite: &Invite, names: &Names) -> InviteReport {
    InviteReport {
        id: invite.id.to_string(),
        code: invite.code.clone(),
        created_by: names.of(invite.created_by),
        created_ms: invite.created_ms,
        expires_ms: invite.expires_ms.unwrap_or(0),
        max_uses: invite.max_uses.unwrap_or(0),
        uses: invite.uses,
    }
}

pub(crate) fn preview_report(preview: &InvitePreview) -> PreviewReport {
    PreviewReport {
        title: preview.info.title.to_string(),
        description: preview.info.description.to_string(),
        member_count: preview.members,
        joined: preview.joined,
    }
}

const fn kind_word(kind: ConversationKind) -> &'static str {
    match kind {
        ConversationKind::Direct => "direct",
        ConversationKind::Group => "group",
    }
}

fn conversation_report(line: &Conversation, names: &Names, now_ms: u64) -> ConversationReport {
    let group = line.kind == ConversationKind::Group;
    ConversationReport {
        conversation: line.id.to_string(),
        kind: (group || line.peer.is_some()).then_some(kind_word(line.kind)),
        with: line.peer.as_ref().map(|peer| names.of_user(peer)),
        title: group.then(|| line.info.title.to_string()),
        role: line.role.filter(|_| group).map(|role| role.word()),
        former: line.former,
        request: line.request,
        last_seq: line.last_seq,
        unread: line.unread,
        mentions: line.mentions,
        read: line.read,
        peer_delivered: line.peer_delivered,
        peer_read: line.peer_read,
        last_time_ms: line.last_time_ms,
        muted: line.preferences.muted_until_ms > now_ms,
        archived: line.preferences.archived,
        pinned: line.preferences.pinned,
        marked_unread: line.preferences.marked_unread,
    }
}

pub(crate) fn profile_report(
    profile: &Profile,
    names: &Names,
    id: Option<String>,
) -> ProfileReport {
    ProfileReport {
        user: names.of_user(&profile.user),
        user_id: profile.user.id.to_string(),
        display_name: profile.display_name.to_string(),
        about: profile.about.to_string(),
        picture: profile.picture.to_string(),
        phone: profile.phone.to_string(),
        email: profile.email.to_string(),
        deleted: profile.deleted,
        id,
    }
}

pub(crate) fn device_report(device: &Device) -> DeviceReport {
    DeviceReport {
        device_id: device.device_id.clone(),
        name: device.name.clone(),
        platform: device.platform.clone(),
        created_ms: device.created_ms,
        last_active_ms: device.last_active_ms,
        current: device.current,
        sessions: device.sessions,
    }
}
