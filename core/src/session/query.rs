//! What a session may ask besides sending and moving cursors. It is answered
//! one after another for each session; what it changes is the user's own, or
//! never reaches a log.

use parley_protocol::{Code, ConversationId, UserId, limits, wire};

/// A question, or a change outside the logs.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    /// The feed position, as the answer to a heartbeat.
    Ping {
        /// The app is not in front of its user.
        background: bool,
    },
    /// Entries of a conversation.
    Fetch {
        /// Where.
        conversation: ConversationId,
        /// Which.
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
        /// Where.
        conversation: ConversationId,
        /// Which message.
        seq: u64,
    },
    /// The user writes, or stopped.
    Typing {
        /// Where.
        conversation: ConversationId,
        /// They stopped.
        stopped: bool,
    },
    /// Tell when these come, go or change their profile.
    Subscribe {
        /// These.
        users: Vec<UserId>,
        /// No longer these.
        drop: Vec<UserId>,
        /// Only how they are now.
        once: bool,
    },
    /// Set something for a conversation. Checked, but for the conversation.
    SetPreferences(ConversationId, wire::SetPreferences),
    /// Hide messages from oneself.
    Hide {
        /// Where.
        conversation: ConversationId,
        /// Which, each once.
        seqs: Vec<u64>,
    },
    /// Which messages are hidden.
    Hidden {
        /// Where.
        conversation: ConversationId,
        /// How many of the oldest to leave out.
        after: u32,
    },
    /// Make, end or list invite links.
    Invites {
        /// Of which group.
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

pub(super) fn subscribe(asked: &wire::Subscribe) -> Result<Query, Code> {
    if asked.users.len() > limits::SUBSCRIPTIONS || asked.drop.len() > limits::SUBSCRIPTIONS {
        return Err(Code::BadRequest);
    }
    Ok(Query::Subscribe {
        users: asked.users.iter().map(|id| user(id)).collect::<Result<_, _>>()?,
        drop: asked.drop.iter().map(|id| user(id)).collect::<Result<_, _>>()?,
        once: asked.once,
    })
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
    seqs.sort_unstable();
    seqs.dedup();
    let fits = (1..=limits::HIDE_SEQS).contains(&seqs.len()) && !seqs.contains(&0);
    let conversation = conversation(&id)?;
    if fits { Ok(Query::Hide { conversation, seqs }) } else { Err(Code::BadRequest) }
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
        Act::List(_) => InviteAct::List,
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
    let one_line = [display_name, phone, email]
        .into_iter()
        .flatten()
        .all(|text| !text.chars().any(char::is_control));
    let fits = chars(display_name) <= limits::DISPLAY_NAME_CHARS
        && chars(about) <= limits::ABOUT_CHARS
        && bytes(picture) <= limits::PICTURE_BYTES
        && bytes(phone) <= limits::PHONE_BYTES
        && bytes(email) <= limits::EMAIL_BYTES
        && one_line;
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
