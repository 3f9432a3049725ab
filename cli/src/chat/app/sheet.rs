//! What is read and put away again: the answer to a slash command as lines.
//!
//! Built from the same reports that scripts get. Every line is sanitised here.

use super::slash::COMMANDS;
use crate::chat::clock::Zone;
use crate::chat::report::{
    AboutReport, DeviceReport, GroupReport, HistoryItem, InviteReport, MessageReport,
    ProfileReport, ReceiptsReport, Report,
};
use crate::chat::text::one_line;

/// Lines of one sheet.
const LINES: usize = 2_000;

/// Something to read.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Sheet {
    pub(crate) title: String,
    pub(crate) lines: Vec<String>,
    /// The line at the top of the window.
    pub(crate) top: usize,
}

// What people say about themselves stays out of debug output.
impl std::fmt::Debug for Sheet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sheet").field("lines", &self.lines.len()).finish_non_exhaustive()
    }
}

impl Sheet {
    fn new(title: &str, mut lines: Vec<String>) -> Self {
        lines.truncate(LINES);
        for line in &mut lines {
            *line = one_line(line);
        }
        Self { title: one_line(title), lines, top: 0 }
    }

    /// Every slash command.
    pub(crate) fn commands() -> Self {
        let line = |(name, usage, meaning): &(&str, &str, &str)| {
            format!("{:<28} {meaning}", format!("/{name} {usage}"))
        };
        Self::new("Commands", COMMANDS.iter().map(line).collect())
    }

    /// The sheet for the answers of one command; `None` when a remark does.
    pub(crate) fn of(reports: &[Report], zone: Zone) -> Option<Self> {
        let moment = |time_ms| moment(zone, time_ms);
        Some(match reports.first()? {
            Report::Group(group) => return group_sheet(group, zone),
            Report::Receipts(receipts) => receipts_sheet(receipts, zone),
            Report::History { history, .. } => {
                Self::new("Messages", history.iter().filter_map(|i| item(i, zone)).collect())
            }
            Report::Profile(profile) => Self::new(&profile.user, profile_lines(profile)),
            Report::Contacts { contacts, .. } => Self::new("Contacts", people(contacts)),
            Report::Blocked { blocked, .. } => Self::new("Blocked", people(blocked)),
            Report::Devices { devices, .. } => {
                let lines = devices.iter().flat_map(|device| device_lines(device, zone));
                Self::new("Devices", lines.collect())
            }
            Report::Settings(settings) => Self::new(
                "Settings",
                vec![
                    format!("presence  {}", settings.presence),
                    format!("phone     {}", settings.phone),
                    format!("email     {}", settings.email),
                    format!("groups    {}", settings.group_adds),
                    format!("messages  {}", settings.messages),
                    format!("receipts  {}", on_off(settings.read_receipts)),
                    format!("typing    {}", on_off(settings.typing)),
                    String::new(),
                    "/settings presence contacts changes one".to_owned(),
                ],
            ),
            Report::Presence(presence) => {
                let seen = match (presence.online, presence.last_seen_ms) {
                    (true, _) => "online".to_owned(),
                    (false, 0) => "offline".to_owned(),
                    (false, time_ms) => format!("last seen {}", moment(time_ms)),
                };
                Self::new(&presence.user, vec![seen])
            }
            _ => return None,
        })
    }

    /// The remark for an answer that needs no sheet.
    pub(crate) fn notice(report: &Report) -> Option<String> {
        Some(match report {
            Report::Group(group) => match &group.change {
                Some(change) => format!("{}: done", change.change),
                None => return None,
            },
            Report::Contact(user) if user.contact == Some(true) => {
                format!("{} is a contact", one_line(&user.user))
            }
            Report::Contact(user) => format!("{} is no contact any more", one_line(&user.user)),
            Report::Block(user) => format!("{} is blocked", one_line(&user.user)),
            Report::Unblock(user) => format!("{} is no longer blocked", one_line(&user.user)),
            Report::Reported(user) => format!("{} was reported", one_line(&user.user)),
            Report::Preferences(_) => "set on all your devices".to_owned(),
            Report::Hidden(_) => "deleted for you".to_owned(),
            Report::Account(account) => match (account.exported, account.deleted) {
                (Some(lines), _) => format!("{lines} lines were written"),
                (None, true) => "the account is deleted".to_owned(),
                (None, false) => return None,
            },
            _ => return None,
        })
    }

    /// Moves the window; its height is the caller's.
    pub(crate) fn scroll(&mut self, down: bool, count: usize) {
        let last = self.lines.len().saturating_sub(1);
        self.top = if down { (self.top + count).min(last) } else { self.top.saturating_sub(count) };
    }
}

fn on_off(flag: bool) -> &'static str {
    if flag { "on" } else { "off" }
}

fn moment(zone: Zone, time_ms: u64) -> String {
    format!("{} {}", zone.day(time_ms), zone.hour_minute(time_ms))
}

fn group_sheet(group: &GroupReport, zone: Zone) -> Option<Sheet> {
    if let Some(invite) = &group.invite {
        let mut lines = invite_lines(invite, zone);
        lines.push(String::new());
        lines.push("Whoever has the code comes in with /join CODE.".to_owned());
        return Some(Sheet::new("Invite link", lines));
    }
    if let Some(invites) = &group.invites {
        let lines = invites.iter().flat_map(|invite| invite_lines(invite, zone)).collect();
        return Some(Sheet::new("Invite links", lines));
    }
    if let Some(banned) = &group.banned {
        let nobody = || vec!["Nobody.".to_owned()];
        let lines = if banned.is_empty() { nobody() } else { banned.clone() };
        return Some(Sheet::new("Banned", lines));
    }
    // A change shows in the timeline.
    let about = group.about.as_ref().filter(|_| group.change.is_none())?;
    Some(about_sheet(about))
}

fn about_sheet(about: &AboutReport) -> Sheet {
    let AboutReport { settings, members, .. } = about;
    let mut lines = Vec::new();
    if about.kind == "group" {
        if !about.description.is_empty() {
            lines.push(about.description.clone());
        }
        let newcomers = if settings.history_for_newcomers { "everything" } else { "what is new" };
        lines.push(format!(
            "send: {} · add: {} · info: {} · newcomers see {newcomers}",
            settings.send, settings.add, settings.edit_info
        ));
    }
    if settings.retention_s > 0 {
        lines.push(format!("erased after {} hours", settings.retention_s / 3600));
    }
    lines.push(format!("{} members", members.len()));
    let width = members.iter().map(|member| member.user.chars().count()).max().unwrap_or(0);
    lines.extend(members.iter().map(|member| match member.role {
        "member" => format!("  {}", member.user),
        role => format!("  {:<width$}  {role}", member.user),
    }));
    Sheet::new(if about.title.is_empty() { "Who is here" } else { &about.title }, lines)
}

fn invite_lines(invite: &InviteReport, zone: Zone) -> Vec<String> {
    let expires = match invite.expires_ms {
        0 => "for ever".to_owned(),
        time_ms => format!("until {}", moment(zone, time_ms)),
    };
    let uses = match invite.max_uses {
        0 => format!("used {} times", invite.uses),
        most => format!("used {} of {most} times", invite.uses),
    };
    vec![invite.code.clone(), format!("  {} · {expires} · {uses}", invite.id)]
}

fn receipts_sheet(receipts: &ReceiptsReport, zone: Zone) -> Sheet {
    let width =
        receipts.members.iter().map(|member| member.user.chars().count()).max().unwrap_or(0);
    let lines = receipts.members.iter().map(|member| {
        let state = match (member.read_ms, member.delivered_ms) {
            (0, 0) => "not delivered".to_owned(),
            (0, time_ms) => format!("delivered {}", moment(zone, time_ms)),
            (time_ms, _) => format!("read {}", moment(zone, time_ms)),
        };
        format!("{:<width$}  {state}", member.user)
    });
    Sheet::new("Who has it", lines.collect())
}

fn item(item: &HistoryItem, zone: Zone) -> Option<String> {
    match item {
        HistoryItem::Message(MessageReport { from, text, time_ms, .. }) => {
            Some(format!("{} {from}: {text}", moment(zone, *time_ms)))
        }
        HistoryItem::Event(event) => {
            let text = event.edited_text()?;
            Some(format!("{} {}: {text}", moment(zone, event.time_ms), event.from))
        }
        HistoryItem::Unknown(_) | HistoryItem::Damaged(_) => None,
    }
}

fn profile_lines(profile: &ProfileReport) -> Vec<String> {
    if profile.deleted {
        return vec!["This account was deleted.".to_owned()];
    }
    let fields = [
        ("name", &profile.display_name),
        ("about", &profile.about),
        ("phone", &profile.phone),
        ("email", &profile.email),
        ("picture", &profile.picture),
    ];
    let said = fields.iter().filter(|(_, value)| !value.is_empty());
    let mut lines: Vec<String> = said.map(|(name, value)| format!("{name:<8} {value}")).collect();
    if lines.is_empty() {
        lines.push("Nothing is known.".to_owned());
    }
    lines
}

fn people(profiles: &[ProfileReport]) -> Vec<String> {
    let line = |profile: &ProfileReport| match profile.display_name.as_str() {
        "" => profile.user.clone(),
        name => format!("{} · {name}", profile.user),
    };
    if profiles.is_empty() {
        vec!["Nobody.".to_owned()]
    } else {
        profiles.iter().map(line).collect()
    }
}

fn device_lines(device: &DeviceReport, zone: Zone) -> Vec<String> {
    let here = if device.current { " · this one" } else { "" };
    let active = match device.last_active_ms {
        0 => String::new(),
        time_ms => format!(" · last active {}", moment(zone, time_ms)),
    };
    vec![
        format!("{}{here}", device.name),
        format!("  {} · {}{active}", device.device_id, device.platform),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::report::{MemberReceiptReport, UserReport};

    #[test]
    fn answers_become_lines_without_control_characters() {
        let receipt = |user: &str, delivered_ms, read_ms| MemberReceiptReport {
            user: user.to_owned(),
            delivered_ms,
            read_ms,
        };
        let receipts = Report::Receipts(ReceiptsReport {
            conversation: String::new(),
            seq: 1,
            members: vec![receipt("a\u{1b}[2J", 1, 0), receipt("benjamin", 0, 0)],
            id: None,
        });
        let sheet = Sheet::of(&[receipts], Zone::UTC).unwrap();
        assert_eq!(sheet.lines[1], "benjamin  not delivered");
        assert!(sheet.lines[0].ends_with("delivered 1970-01-01 00:00"));
        assert!(!sheet.lines[0].contains('\u{1b}'));
    }

    #[test]
    fn what_needs_no_sheet_gets_a_remark() {
        let user = UserReport { user: "ben".to_owned(), contact: Some(true), id: None };
        let report = Report::Contact(user);
        assert_eq!(Sheet::notice(&report).as_deref(), Some("ben is a contact"));
        assert!(Sheet::of(&[report], Zone::UTC).is_none());
        assert!(Sheet::of(&[], Zone::UTC).is_none());
    }

    #[test]
    fn who_is_banned_is_listed_also_when_it_is_nobody() {
        let sheet = |banned: &[&str]| {
            let banned = Some(banned.iter().map(|name| (*name).to_owned()).collect());
            let report = GroupReport { banned, ..GroupReport::default() };
            Sheet::of(&[Report::Group(Box::new(report))], Zone::UTC).unwrap().lines
        };
        assert_eq!(sheet(&["ben", "cat"]), ["ben", "cat"]);
        assert_eq!(sheet(&[]), ["Nobody."]);
    }

    #[test]
    fn the_window_stays_on_the_sheet() {
        let mut sheet = Sheet::commands();
        sheet.scroll(true, 10_000);
        assert_eq!(sheet.top, sheet.lines.len() - 1);
        sheet.scroll(false, 10_000);
        assert_eq!(sheet.top, 0);
    }
}
