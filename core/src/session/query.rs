//! What a client may ask besides sending, moving cursors and typing. A session's
//! queries are answered one after another; what they change is the user's own,
//! or never reaches a log.

use parley_protocol::visible::{is_one_line, is_plain, shows_something};
use parley_protocol::{Code, ConversationId, UserId, limits, wire};

use super::Subscription;

/// A question, or a change outside the logs.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// Entries of a conversation.
    Fetch {
        /// The conversation they are in.
        conversation: ConversationId,
        /// Where they begin or end.
        range: Range,
        /// At most this many, 1 to the limit.
        limit: u32,
    },
    /// What changed in the feed since a position.
    Sync {
        /// The position.
        since: u64,
    },
    /// A user by exact name.
    FindByName(String),
    /// A user by id.
    FindById(UserId),
    /// Members, info and cursors of a conversation.
    Describe(ConversationId),
    /// Who has a message.
    Receipts {
        /// The conversation it is in.
        conversation: ConversationId,
        /// The message's seq.
        seq: u64,
    },
    /// How these people are now.
    Presence(Vec<UserId>),
    /// Set something for a conversation. Checked, but for the conversation.
    SetPreferences(ConversationId, wire::SetPreferences),
    /// Hide messages from oneself.
    Hide {
        /// The conversation they are in.
        conversation: ConversationId,
        /// The seqs of the messages, each once, in order.
        seqs: Vec<u64>,
    },
    /// Which messages are hidden.
    Hidden {
        /// The conversation they are in.
        conversation: ConversationId,
        /// How many of the oldest to leave out.
        after: u32,
    },
    /// Make, end or list invite links.
    Invites {
        /// The group they lead to.
        conversation: ConversationId,
        /// What to do.
        act: InviteAct,
    },
    /// What an invite code leads to.
    PeekInvite(InviteCode),
    /// Somebody's profile.
    GetProfile(UserId),
    /// All of one's own account data.
    GetAccount,
    /// Change one thing of it. Ids and lengths are checked.
    UpdateAccount(wire::update_account::Change),
    /// Tell the operators. Checked.
    Report(wire::Report),
}

/// What an invite link is made of. Whoever has it can join, so it stays out of
/// debug output.
#[derive(Clone, PartialEq, Eq)]
pub struct InviteCode(pub String);

impl std::fmt::Debug for InviteCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("InviteCode")
    }
}

/// Which entries a fetch wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// Those above this seq.
    After(u64),
    /// The newest of those below this seq.
    Before(u64),
    /// Those on both sides of this seq.
    Around(u64),
    /// Those on both sides of this moment, Unix milliseconds.
    AroundTime(u64),
    /// The newest messages below this seq that mention the reader.
    MentionsBefore(u64),
    /// The pinned messages.
    Pinned,
    /// The edits of the message with this seq.
    EditsOf(u64),
}

/// What to do with invite links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InviteAct {
    /// Make one.
    Create {
        /// When it ends, Unix milliseconds; 0 for never.
        expires_ms: u64,
        /// How often it can be used; 0 without limit.
        max_uses: u32,
    },
    /// End the one with this id.
    Revoke([u8; 8]),
    /// List those that work.
    List,
}

pub(super) fn conversation(id: &[u8]) -> Result<ConversationId, Code> {
    ConversationId::from_slice(id).map_err(|_| Code::BadRequest)
}

pub(super) fn user(id: &[u8]) -> Result<UserId, Code> {
    UserId::from_slice(id).map_err(|_| Code::BadRequest)
}

pub(super) fn subscription(asked: &wire::Subscribe) -> Result<Subscription, Code> {
    if asked.users.len() > limits::SUBSCRIPTIONS || asked.drop.len() > limits::SUBSCRIPTIONS {
        return Err(Code::BadRequest);
    }
    Ok(Subscription {
        users: asked.users.iter().map(|id| user(id)).collect::<Result<_, _>>()?,
        drop: asked.drop.iter().map(|id| user(id)).collect::<Result<_, _>>()?,
    })
}

/// Who is asked about once has nobody to be dropped, but the form is the same.
pub(super) fn presence(asked: &wire::Subscribe) -> Result<Query, Code> {
    subscription(asked).map(|wanted| Query::Presence(wanted.users))
}

pub(super) fn receipts(asked: &wire::Receipts) -> Result<Query, Code> {
    Ok(Query::Receipts { conversation: conversation(&asked.conversation)?, seq: asked.seq })
}

pub(super) fn set_preferences(asked: wire::SetPreferences) -> Result<Query, Code> {
    let id = conversation(&asked.conversation)?;
    let draft = asked.draft.as_deref().unwrap_or_default();
    let level = wire::NotifyLevel::try_from(asked.level.unwrap_or_default());
    // What was accepted can't be taken back; who regrets it blocks.
    let fits = draft.chars().count() <= limits::DRAFT_CHARS
        && level.is_ok()
        && asked.accepted != Some(false);
    if fits { Ok(Query::SetPreferences(id, asked)) } else { Err(Code::BadRequest) }
}

pub(super) fn hide(asked: wire::Hide) -> Result<Query, Code> {
    let wire::Hide { conversation: id, mut seqs } = asked;
    // What was given is counted, also where it repeats: sorting it costs too.
    let fits = (1..=limits::HIDE_SEQS).contains(&seqs.len()) && !seqs.contains(&0);
    let conversation = conversation(&id)?;
    if !fits {
        return Err(Code::BadRequest);
    }
    seqs.sort_unstable();
    seqs.dedup();
    Ok(Query::Hide { conversation, seqs })
}

pub(super) fn hidden(asked: &wire::Hidden) -> Result<Query, Code> {
    Ok(Query::Hidden { conversation: conversation(&asked.conversation)?, after: asked.after })
}

pub(super) fn invites(asked: &wire::Invites) -> Result<Query, Code> {
    use wire::invites::Act;
    let act = match asked.act.as_ref().ok_or(Code::BadRequest)? {
        Act::Create(new) => {
            InviteAct::Create { expires_ms: new.expires_ms, max_uses: new.max_uses }
        }
        Act::Revoke(id) => {
            InviteAct::Revoke(<[u8; 8]>::try_from(&**id).map_err(|_| Code::BadRequest)?)
        }
        Act::List(true) => InviteAct::List,
        // A choice that says no asks for nothing.
        Act::List(false) => return Err(Code::BadRequest),
    };
    Ok(Query::Invites { conversation: conversation(&asked.conversation)?, act })
}

pub(super) fn update_account(asked: wire::UpdateAccount) -> Result<Query, Code> {
    use wire::update_account::Change;
    let change = asked.change.ok_or(Code::BadRequest)?;
    match &change {
        Change::Profile(profile) => check_profile(profile)?,
        Change::Settings(settings) => {
            let audiences = [
                settings.presence,
                settings.phone,
                settings.email,
                settings.group_adds,
                settings.messages,
            ];
            if audiences.into_iter().any(|audience| wire::Audience::try_from(audience).is_err()) {
                return Err(Code::BadRequest);
            }
        }
        Change::AddContact(id)
        | Change::RemoveContact(id)
        | Change::Block(id)
        | Change::Unblock(id) => {
            user(id)?;
        }
    }
    Ok(Query::UpdateAccount(change))
}

fn check_profile(profile: &wire::ProfileChange) -> Result<(), Code> {
    let wire::ProfileChange { display_name, about, picture, phone, email } = profile;
    let chars = |text: &Option<String>| text.as_deref().unwrap_or_default().chars().count();
    let bytes = |text: &Option<String>| text.as_deref().unwrap_or_default().len();
    let one_line = [display_name, phone, email].into_iter().flatten().all(|text| is_one_line(text));
    // Empty is how one takes it off; what only looks empty is no name.
    let named = display_name.as_deref().is_none_or(|name| name.is_empty() || shows_something(name));
    let plain = about.as_deref().is_none_or(is_plain);
    let fits = chars(display_name) <= limits::DISPLAY_NAME_CHARS
        && chars(about) <= limits::ABOUT_CHARS
        && bytes(picture) <= limits::PICTURE_BYTES
        && bytes(phone) <= limits::PHONE_BYTES
        && bytes(email) <= limits::EMAIL_BYTES
        && one_line
        && named
        && plain;
    if fits { Ok(()) } else { Err(Code::BadRequest) }
}

pub(super) fn report(asked: wire::Report) -> Result<Query, Code> {
    user(&asked.user)?;
    if !asked.conversation.is_empty() {
        conversation(&asked.conversation)?;
    }
    let fits = (1..=limits::REPORT_CHARS).contains(&asked.reason.chars().count())
        && asked.seqs.len() <= limits::REPORT_SEQS;
    if fits { Ok(Query::Report(asked)) } else { Err(Code::BadRequest) }
}
