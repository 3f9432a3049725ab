//! Slash commands: a line that begins with `/` is a wish, not a message.
//!
//! Pure: a line and where it was written in, a [`Wish`] or why not out. What a
//! command is about is the picked message, else the newest one that fits. A
//! message that shall begin with a slash begins with two.

use parley_client::{
    AccountSettingsChange, Audience, ConversationId, NotifyLevel, PreferencesChange, ProfileChange,
    Role, Who,
};

use crate::chat::act::{Act, GroupAct, History, Part, SettingsChange, Target, Words};
use crate::chat::clock::{Zone, day};

const HOUR_MS: u64 = 3_600_000;

/// Every command: its name, what follows it, what it does. The help shows them.
pub(crate) const COMMANDS: &[(&str, &str, &str)] = &[
    ("group", "TITLE: ben cat", "make a group"),
    ("join", "CODE", "come in by an invite link"),
    ("who", "", "who is here, and how it works"),
    ("add", "ben cat", "add people"),
    ("remove", "ben", "put somebody out"),
    ("ban", "ben", "put out and keep out"),
    ("unban", "ben", "no longer keep out"),
    ("banned", "", "who is kept out"),
    ("leave", "", "leave the group"),
    ("role", "ben admin", "member, admin or owner"),
    ("title", "TEXT", "rename the group"),
    ("about", "TEXT", "describe the group"),
    ("allow", "send admins", "who may send, add, info"),
    ("newcomers", "all", "what newcomers see: all or new"),
    ("keep", "DAYS", "erase what is older; 0 keeps all"),
    ("invite", "[HOURS [USES]]", "make an invite link"),
    ("invites", "", "the links that work"),
    ("revoke", "ID", "end a link"),
    ("reply", "[TEXT]", "answer the picked message"),
    ("edit", "", "change an own message"),
    ("delete", "", "delete for all"),
    ("hide", "", "delete for me"),
    ("react", "\u{1f44d}", "react"),
    ("unreact", "\u{1f44d}", "take a reaction back"),
    ("pin", "", "pin the message"),
    ("unpin", "", "take the pin off"),
    ("pins", "", "the pinned messages"),
    ("mentions", "", "messages that name me"),
    ("edits", "", "what it said before"),
    ("receipts", "", "who has the message"),
    ("at", "2026-11-22", "go to a day"),
    ("mute", "[HOURS]", "be quiet; 0 no longer"),
    ("archive", "[off]", "put it away"),
    ("top", "[off]", "keep it on top"),
    ("unread", "", "mark as unread"),
    ("level", "mentions", "all, mentions or none"),
    ("accept", "", "take up a stranger's request"),
    ("clear", "", "clear it for me"),
    ("profile", "[ben]", "what is known of somebody"),
    ("me", "about TEXT", "name, about, picture, phone, email"),
    ("contact", "[ben]", "add to my contacts"),
    ("uncontact", "[ben]", "take out of my contacts"),
    ("contacts", "", "my contacts"),
    ("block", "[ben]", "block somebody"),
    ("unblock", "[ben]", "no longer"),
    ("blocked", "", "whom I block"),
    ("report", "REASON", "tell the operators"),
    ("settings", "[presence nobody]", "privacy"),
    ("devices", "", "my devices"),
    ("logout", "ID or others", "sign devices out"),
    ("export", "FILE", "all my data"),
    ("help", "", "these commands"),
];

/// Where a command was written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spot {
    pub(crate) conversation: Option<ConversationId>,
    /// The other one of a 1:1.
    pub(crate) peer: Option<String>,
    /// The picked message.
    pub(crate) picked: Option<u64>,
    pub(crate) newest: Option<u64>,
    pub(crate) newest_own: Option<u64>,
    pub(crate) newest_of_others: Option<u64>,
    /// The newest entry of any kind.
    pub(crate) last_seq: u64,
    pub(crate) now_ms: u64,
    pub(crate) zone: Zone,
}

/// What a command asks for.
#[cfg_attr(test, derive(Debug, PartialEq, Eq))]
pub(crate) enum Wish {
    Do(Act),
    /// Answer this message, with a text if one was given.
    Reply {
        seq: u64,
        text: String,
    },
    /// Put this own message into the composer.
    Edit {
        seq: u64,
    },
    /// Show another part of the conversation.
    Go(Part),
    Help,
}

/// A name of a command that begins like this, the first in the table.
pub(crate) fn complete(start: &str) -> Option<&'static str> {
    COMMANDS.iter().map(|(name, _, _)| *name).find(|name| name.starts_with(start))
}

/// What a line asks for: `None` when it is a message.
pub(crate) fn parse(line: &str, spot: &Spot) -> Option<Result<Wish, String>> {
    let rest = line.strip_prefix('/').filter(|rest| !rest.starts_with('/'))?;
    let (name, text) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
    let known = COMMANDS.iter().find(|(known, _, _)| *known == name);
    let Some((name, usage, _)) = known else {
        return Some(Err(format!("/{name} is no command; F1 shows them, // begins a message")));
    };
    let wish = wish(name, text.trim(), spot);
    Some(wish.ok_or_else(|| match *usage {
        "" => format!("/{name} has nothing here to work on"),
        usage => format!("/{name} {usage}: something is missing or does not fit"),
    }))
}

/// `None` when something is missing.
fn wish(name: &str, text: &str, spot: &Spot) -> Option<Wish> {
    let words = || text.split([' ', ',']).filter(|word| !word.is_empty()).map(name_of);
    let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    let group = |act| Some(Act::Group { conversation: spot.conversation?, act });
    let names = || Some(words().collect::<Vec<_>>()).filter(|names| !names.is_empty());
    Some(Wish::Do(match name {
        "help" => return Some(Wish::Help),
        "group" => new_group(text)?,
        "join" => Act::Join { code: some(text)? },
        "who" => group(info())?,
        "add" => group(GroupAct::Add { users: names()? })?,
        "remove" => group(GroupAct::Remove { users: names()? })?,
        "ban" => group(GroupAct::Ban { users: names()? })?,
        "unban" => group(GroupAct::Unban { users: names()? })?,
        "banned" => group(GroupAct::Banned)?,
        "leave" => group(GroupAct::Leave)?,
        "role" => {
            let (user, role) = text.split_once(' ')?;
            let role = Role::of_word(role.trim())?;
            group(GroupAct::Role { user: name_of(user), role })?
        }
        "title" | "about" => {
            let (title, description) =
                if name == "title" { (some(text), None) } else { (None, Some(text.to_owned())) };
            if name == "title" && title.is_none() {
                return None;
            }
            group(GroupAct::Info { title, description, picture: None, settings: None })?
        }
        "allow" | "newcomers" | "keep" => group(settings(name, text)?)?,
        "invite" => group(invite(text, spot.now_ms)?)?,
        "invites" => group(GroupAct::Invites)?,
        "revoke" => group(GroupAct::Revoke { link: some(text)? })?,
        "reply" => {
            let seq = spot.picked.or(spot.newest_of_others).or(spot.newest)?;
            return Some(Wish::Reply { seq, text: text.to_owned() });
        }
        "edit" => return Some(Wish::Edit { seq: spot.picked.or(spot.newest_own)? }),
        "at" => return Some(Wish::Go(Part::AroundTime(spot.zone.start_ms(day(text)?)))),
        "delete" | "hide" | "react" | "unreact" | "pin" | "unpin" | "edits" | "receipts" => {
            return on_message(name, text, spot);
        }
        "pins" => history(spot, Part::Pinned)?,
        "mentions" => history(spot, Part::MentionsBefore(u64::MAX))?,
        "mute" | "archive" | "top" | "unread" | "level" | "accept" | "clear" => {
            preferences(name, text, spot)?
        }
        _ => return people(name, text, spot).map(Wish::Do),
    }))
}

fn name_of(word: &str) -> String {
    word.trim_start_matches('@').to_owned()
}

/// `TITLE: ben cat`, or only a title.
fn new_group(text: &str) -> Option<Act> {
    let (title, members) = text.rsplit_once(':').unwrap_or((text, ""));
    let members = members.split([' ', ',']).filter(|word| !word.is_empty()).map(name_of);
    let title = title.trim().to_owned();
    (!title.is_empty()).then(|| Act::NewGroup {
        title,
        description: String::new(),
        picture: String::new(),
        members: members.collect(),
        settings: SettingsChange::default(),
    })
}

/// Changes nothing, so it describes.
fn info() -> GroupAct {
    GroupAct::Info { title: None, description: None, picture: None, settings: None }
}

fn settings(name: &str, text: &str) -> Option<GroupAct> {
    let mut change = SettingsChange::default();
    match name {
        "allow" => {
            let (what, who) = text.split_once(' ')?;
            let who = Some(Who::of_word(who.trim())?);
            match what {
                "send" => change.send = who,
                "add" => change.add = who,
                "info" => change.edit_info = who,
                _ => return None,
            }
        }
        "newcomers" => match text {
            "all" => change.history_for_newcomers = Some(true),
            "new" => change.history_for_newcomers = Some(false),
            _ => return None,
        },
        _ => change.retention_s = Some(text.parse::<u64>().ok()?.checked_mul(24 * 3600)?),
    }
    let settings = Some(change);
    Some(GroupAct::Info { title: None, description: None, picture: None, settings })
}

fn invite(text: &str, now_ms: u64) -> Option<GroupAct> {
    let mut numbers = text.split_whitespace().map(|word| word.parse::<u64>().ok());
    let hours = numbers.next().map_or(Some(0), |hours| hours)?;
    let uses = numbers.next().map_or(Some(0), |uses| uses)?;
    let expires_ms = match hours {
        0 => 0,
        hours => now_ms.checked_add(hours.checked_mul(HOUR_MS)?)?,
    };
    Some(GroupAct::Invite { expires_ms, max_uses: u32::try_from(uses).ok()? })
}

fn target(spot: &Spot) -> Option<Target> {
    let peer = || spot.peer.clone().map(Target::User);
    spot.conversation.map(Target::Conversation).or_else(peer)
}

fn on_message(name: &str, text: &str, spot: &Spot) -> Option<Wish> {
    let of = target(spot)?;
    let newest = spot.picked.or(spot.newest);
    Some(Wish::Do(match name {
        "delete" => Act::DeleteForAll { of, seq: spot.picked.or(spot.newest_own)? },
        "hide" => Act::DeleteForMe { of, seqs: vec![newest?] },
        "react" | "unreact" => {
            let emoji = if text.is_empty() { "\u{1f44d}" } else { text };
            Act::React { of, seq: newest?, emoji: emoji.to_owned(), remove: name == "unreact" }
        }
        "pin" | "unpin" => Act::Pin { of, seq: newest?, remove: name == "unpin" },
        "edits" => return history(spot, Part::EditsOf(newest?)).map(Wish::Do),
        _ => Act::Receipts { of, seq: spot.picked.or(spot.newest_own)? },
    }))
}

fn history(spot: &Spot, range: Part) -> Option<Act> {
    Some(Act::History(History { of: target(spot)?, range, limit: 100 }))
}

fn preferences(name: &str, text: &str, spot: &Spot) -> Option<Act> {
    let mut change = PreferencesChange::default();
    let on = match text {
        "" | "on" => true,
        "off" => false,
        _ if matches!(name, "mute" | "level") => true,
        _ => return None,
    };
    match name {
        "mute" => {
            change.muted_until_ms = Some(match text {
                "off" | "0" => 0,
                "" => u64::MAX,
                hours => {
                    spot.now_ms.checked_add(hours.parse::<u64>().ok()?.checked_mul(HOUR_MS)?)?
                }
            });
        }
        "archive" => change.archived = Some(on),
        "top" => change.pinned = Some(on),
        "unread" => change.marked_unread = Some(on),
        "level" => change.level = Some(NotifyLevel::of_word(text)?),
        "accept" => change.accept = true,
        _ => change.cleared_up_to = Some(spot.last_seq),
    }
    Some(Act::Preferences { of: target(spot)?, change: Box::new(change) })
}

fn people(name: &str, text: &str, spot: &Spot) -> Option<Act> {
    let named = || Some(name_of(text)).filter(|name| !name.is_empty());
    let user = || named().or_else(|| spot.peer.clone());
    Some(match name {
        "profile" => Act::Profile { user: user() },
        "me" => Act::ChangeProfile(profile(text)?),
        "contact" | "uncontact" => Act::Contact { user: user()?, remove: name == "uncontact" },
        "contacts" => Act::Contacts,
        "block" | "unblock" => Act::Block { user: user()?, remove: name == "unblock" },
        "blocked" => Act::Blocked,
        "report" => Act::Report {
            user: spot.peer.clone()?,
            conversation: spot.conversation,
            seqs: spot.picked.into_iter().collect(),
            reason: named()?,
        },
        "settings" => Act::Settings(account(text)?),
        "devices" => Act::Devices,
        "logout" if text == "others" => Act::LogOutOthers,
        "logout" => Act::LogOut { device: named()? },
        "export" => Act::Export { file: Some(named()?) },
        _ => return None,
    })
}

fn profile(text: &str) -> Option<ProfileChange> {
    let (field, value) = text.split_once(' ').unwrap_or((text, ""));
    let value = Some(value.trim().to_owned());
    let mut change = ProfileChange::default();
    match field {
        "name" => change.display_name = value,
        "about" => change.about = value,
        "picture" => change.picture = value,
        "phone" => change.phone = value,
        "email" => change.email = value,
        _ => return None,
    }
    Some(change)
}

fn account(text: &str) -> Option<AccountSettingsChange> {
    let mut change = AccountSettingsChange::default();
    if text.is_empty() {
        return Some(change);
    }
    let (field, value) = text.split_once(' ')?;
    let value = value.trim();
    let flag = match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    };
    match field {
        "receipts" => change.read_receipts = Some(flag?),
        "typing" => change.typing = Some(flag?),
        _ => {
            let audience = Some(Audience::of_word(value)?);
            match field {
                "presence" => change.presence = audience,
                "phone" => change.phone = audience,
                "email" => change.email = audience,
                "groups" => change.group_adds = audience,
                "messages" => change.messages = audience,
                _ => return None,
            }
        }
    }
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONVERSATION: ConversationId = ConversationId::new([7; 16]);

    fn spot() -> Spot {
        Spot {
            conversation: Some(CONVERSATION),
            peer: Some("ben".to_owned()),
            picked: None,
            newest: Some(9),
            newest_own: Some(8),
            newest_of_others: Some(9),
            last_seq: 10,
            now_ms: 1_000,
            zone: Zone::UTC,
        }
    }

    fn wish(line: &str) -> Wish {
        parse(line, &spot()).unwrap().unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    fn of() -> Target {
        Target::Conversation(CONVERSATION)
    }

    #[test]
    fn a_message_is_no_command() {
        for line in ["hello", "//hello", "", " /who", "// /"] {
            assert!(parse(line, &spot()).is_none(), "{line}");
        }
        assert!(parse("/dance", &spot()).unwrap().is_err());
        assert!(parse("/", &spot()).unwrap().is_err());
    }

    #[test]
    fn groups_are_made_and_led() {
        let Wish::Do(Act::NewGroup { title, members, .. }) = wish("/group Walks: @ben, cat") else {
            panic!("a new group")
        };
        assert_eq!((title.as_str(), members), ("Walks", vec!["ben".to_owned(), "cat".to_owned()]));
        let group = |act| Wish::Do(Act::Group { conversation: CONVERSATION, act });
        let users = vec!["ben".to_owned(), "cat".to_owned()];
        assert_eq!(wish("/add ben cat"), group(GroupAct::Add { users: users.clone() }));
        assert_eq!(wish("/ban @ben cat"), group(GroupAct::Ban { users: users.clone() }));
        assert_eq!(wish("/unban ben, cat"), group(GroupAct::Unban { users }));
        assert_eq!(wish("/banned"), group(GroupAct::Banned));
        let user = "ben".to_owned();
        assert_eq!(wish("/role @ben admin"), group(GroupAct::Role { user, role: Role::Admin }));
        assert_eq!(
            wish("/invite 2 5"),
            group(GroupAct::Invite { expires_ms: 1_000 + 2 * HOUR_MS, max_uses: 5 })
        );
        assert_eq!(wish("/invite"), group(GroupAct::Invite { expires_ms: 0, max_uses: 0 }));
        let settings =
            Some(SettingsChange { send: Some(Who::Admins), ..SettingsChange::default() });
        let info = GroupAct::Info { title: None, description: None, picture: None, settings };
        assert_eq!(wish("/allow send admins"), group(info));
    }

    #[test]
    fn the_picked_message_comes_before_the_newest() {
        assert_eq!(wish("/delete"), Wish::Do(Act::DeleteForAll { of: of(), seq: 8 }));
        assert_eq!(wish("/reply yes"), Wish::Reply { seq: 9, text: "yes".to_owned() });
        let picked = Spot { picked: Some(3), ..spot() };
        let wish = parse("/react \u{1f600}", &picked).unwrap().unwrap();
        let emoji = "\u{1f600}".to_owned();
        assert_eq!(wish, Wish::Do(Act::React { of: of(), seq: 3, emoji, remove: false }));
    }

    #[test]
    fn what_is_missing_is_said() {
        for line in
            ["/role ben king", "/add", "/ban", "/title", "/level loud", "/mute soon", "/at noon"]
        {
            assert!(parse(line, &spot()).unwrap().is_err(), "{line}");
        }
        for line in ["/who", "/delete", "/mute", "/pins", "/block", "/report rude"] {
            assert!(parse(line, &Spot::default()).unwrap().is_err(), "{line} without a place");
        }
    }

    #[test]
    fn every_command_of_the_help_does_something_as_it_is_shown() {
        let names: std::collections::HashSet<&str> =
            COMMANDS.iter().map(|(name, _, _)| *name).collect();
        assert_eq!(names.len(), COMMANDS.len());
        for (name, usage, _) in COMMANDS {
            let example = match *usage {
                "DAYS" | "HOURS" => "3".to_owned(),
                "ID or others" => "others".to_owned(),
                usage => {
                    usage.replace(['[', ']'], "").replace("HOURS USES", "1 2").replace("HOURS", "1")
                }
            };
            wish(&format!("/{name} {example}"));
        }
    }

    #[test]
    fn the_start_of_a_name_is_completed() {
        assert_eq!(complete("pro"), Some("profile"));
        assert_eq!(complete("xyz"), None);
    }
}
