//! The table: what each actor gets for each action.
//!
//! Columns of a group: stranger, former member, one who is banned, newcomer,
//! member, one whom the owner blocked, admin, owner. Of a 1:1 with the owner: stranger, the other one,
//! one whom the owner blocked, one who blocked the owner. Where people act on
//! people, the same four.

use parley_protocol::UserId;
use parley_protocol::wire::{
    self, ConversationSettings, EntryKind, Role, Who as Least, fetch::From, invites, send,
};

use super::scene::{Scene, Who};
use crate::common::asks as ask;
use crate::common::session::{Ask, Said};

/// How the group is set when the actor acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// As at first: members send, admins do the rest.
    Plain,
    /// Members do all that can be given to them.
    Open,
    /// Only admins send.
    Quiet,
}

impl Stage {
    pub(crate) fn settings(self) -> Option<ConversationSettings> {
        let all = |send, rest| {
            let (send, add, edit_info) = (send as i32, rest as i32, rest as i32);
            Some(ConversationSettings { send, add, edit_info, ..ConversationSettings::default() })
        };
        match self {
            Self::Plain => None,
            Self::Open => all(Least::Members, Least::Members),
            Self::Quiet => all(Least::Admins, Least::Admins),
        }
    }
}

type Asks = fn(&Scene, Who) -> Ask;
type Check = fn(&Scene, Who, &Said) -> Result<(), String>;

/// One line of the table.
pub(crate) struct Action {
    pub(crate) name: &'static str,
    pub(crate) ask: Asks,
    /// Answers in the order of the columns.
    wanted: &'static str,
    columns: &'static [Who],
    pub(crate) stage: Stage,
    /// What the same actor asks before.
    pub(crate) before: &'static [Asks],
    /// Asked by a session that was given nothing.
    pub(crate) fresh: bool,
    /// What everybody gets over HTTP, when that is something else.
    pub(crate) over_http: Option<&'static str>,
    /// What must hold of an answer.
    pub(crate) check: Option<Check>,
}

const IN_GROUP: &[Who] = &[
    Who::Stranger,
    Who::Former,
    Who::Banned,
    Who::Newcomer,
    Who::Member,
    Who::Blocked,
    Who::Admin,
    Who::Owner,
];
const IN_TALK: &[Who] = &[Who::Stranger, Who::Member, Who::Blocked, Who::Blocker];

const fn group(name: &'static str, wanted: &'static str, ask: Asks) -> Action {
    let (columns, stage) = (IN_GROUP, Stage::Plain);
    Action {
        name,
        ask,
        wanted,
        columns,
        stage,
        before: &[],
        fresh: false,
        over_http: None,
        check: None,
    }
}

const fn talk(name: &'static str, wanted: &'static str, ask: Asks) -> Action {
    Action { columns: IN_TALK, ..group(name, wanted, ask) }
}

impl Action {
    const fn on(self, stage: Stage) -> Self {
        Self { stage, ..self }
    }

    const fn after(self, before: &'static [Asks]) -> Self {
        Self { before, ..self }
    }

    const fn fresh(self) -> Self {
        Self { fresh: true, ..self }
    }

    const fn in_a_session(self) -> Self {
        Self { over_http: Some("session_needed"), ..self }
    }

    const fn holds(self, check: Check) -> Self {
        Self { check: Some(check), ..self }
    }

    pub(crate) fn cells(&self) -> impl Iterator<Item = (Who, &'static str)> {
        let wanted: Vec<_> = self.wanted.split_whitespace().collect();
        assert_eq!(wanted.len(), self.columns.len(), "the columns of {}", self.name);
        self.columns.iter().copied().zip(wanted.into_iter().map(spelled))
    }
}

fn spelled(short: &'static str) -> &'static str {
    match short {
        "nf" => "not_found",
        "fb" => "forbidden",
        "ti" => "target_invalid",
        "na" => "not_accepted",
        "ii" => "invite_invalid",
        "br" => "bad_request",
        "ca" => "cursor_ahead",
        other => other,
    }
}

const NOBODY: UserId = UserId::new([0xee; 16]);

#[rustfmt::skip]
pub(crate) const GROUP: &[Action] = &[
    //                                     str for ban new mem blk adm own
    group("say",                             "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::text(&s.group, &s.id(), "hi", 0, &[])),
    group("say, when only admins may",       "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::text(&s.group, &s.id(), "hi", 0, &[])).on(Stage::Quiet),
    group("answer",                          "nf  fb  fb  ti  ok  ok  ok  ok", |s, _| ask::text(&s.group, &s.id(), "hi", s.others.0, &[])),
    group("answer what was deleted",         "nf  fb  fb  ti  ok  ok  ok  ok", |s, _| ask::text(&s.group, &s.id(), "hi", s.deleted.0, &[])),
    group("answer what is no message",       "nf  fb  fb  ti  ti  ti  ti  ti", |s, _| ask::text(&s.group, &s.id(), "hi", 1, &[])),
    group("answer what is not there",        "nf  fb  fb  ti  ti  ti  ti  ti", |s, _| ask::text(&s.group, &s.id(), "hi", 900, &[])),
    group("mention everyone",                "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::to_everyone(&s.group, &s.id(), "hi")),
    group("mention everyone, open",          "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::to_everyone(&s.group, &s.id(), "hi")).on(Stage::Open),
    group("say nothing",                     "text_empty text_empty text_empty text_empty text_empty text_empty text_empty text_empty", |s, _| ask::text(&s.group, &s.id(), "", 0, &[])),
    group("edit one's own",                  "nf  fb  fb  ok  ok  ok  ok  ok", |s, w| ask::edit(&s.group, &s.id(), s.own(w).0, "new")),
    group("edit one's own, quiet",           "nf  fb  fb  fb  fb  fb  ok  ok", |s, w| ask::edit(&s.group, &s.id(), s.own(w).0, "new")).on(Stage::Quiet),
    group("edit another's",                  "nf  fb  fb  ti  fb  fb  fb  fb", |s, _| ask::edit(&s.group, &s.id(), s.others.0, "new")),
    group("edit what was deleted",           "nf  fb  fb  ti  ti  ti  ti  ti", |s, _| ask::edit(&s.group, &s.id(), s.deleted.0, "new")),
    group("delete one's own",                "nf  fb  fb  ok  ok  ok  ok  ok", |s, w| ask::delete(&s.group, &s.id(), s.own(w).0, s.own(w).1)),
    group("delete one's own, quiet",         "nf  fb  fb  ok  ok  ok  ok  ok", |s, w| ask::delete(&s.group, &s.id(), s.own(w).0, s.own(w).1)).on(Stage::Quiet),
    group("delete another's",                "nf  fb  fb  ti  fb  fb  ok  ok", |s, _| ask::delete(&s.group, &s.id(), s.others.0, s.others.1)),
    group("delete with a wrong ordinal",     "nf  fb  fb  ti  ti  ti  ti  ti", |s, w| ask::delete(&s.group, &s.id(), s.own(w).0, s.own(w).1 + 1)),
    group("delete again",                    "nf  fb  fb  ti  ti  ti  ti  ti", |s, _| ask::delete(&s.group, &s.id(), s.deleted.0, s.deleted.1)),
    group("react",                           "nf  fb  fb  ti  ok  ok  ok  ok", |s, _| ask::react(&s.group, &s.id(), s.others.0, "x")),
    group("react, when only admins may",     "nf  fb  fb  fb  fb  fb  ok  ok", |s, w| ask::react(&s.group, &s.id(), s.own(w).0, "x")).on(Stage::Quiet),
    group("react to what was deleted",       "nf  fb  fb  ti  ti  ti  ti  ti", |s, _| ask::react(&s.group, &s.id(), s.deleted.0, "x")),
    group("take a reaction back",            "nf  fb  fb  ok  ok  ok  ok  ok", |s, w| ask::unreact(&s.group, &s.id(), s.own(w).0, "y")).after(&[|s, w| ask::react(&s.group, "first", s.own(w).0, "y")]),
    group("pin",                             "nf  fb  fb  fb  fb  fb  ok  ok", |s, w| ask::pin(&s.group, &s.id(), s.own(w).0, false)),
    group("pin, when members may",           "nf  fb  fb  ok  ok  ok  ok  ok", |s, w| ask::pin(&s.group, &s.id(), s.own(w).0, false)).on(Stage::Open),
    group("pin what is pinned",              "nf  fb  fb  fb  fb  fb  ti  ti", |s, _| ask::pin(&s.group, &s.id(), s.others.0, false)),
    group("take the pin off",                "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::pin(&s.group, &s.id(), s.others.0, true)),
    group("take off what is not pinned",     "nf  fb  fb  fb  fb  fb  ti  ti", |s, w| ask::pin(&s.group, &s.id(), s.own(w).0, true)),
    group("change the title",                "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::title(&s.group, &s.id(), "New")),
    group("change the title, open",          "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::title(&s.group, &s.id(), "New")).on(Stage::Open),
    group("change the settings",             "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::settings(&s.group, &s.id(), ConversationSettings::default())),
    group("change the settings, open",       "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::settings(&s.group, &s.id(), ConversationSettings::default())).on(Stage::Open),
    group("keep for a while",                "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::settings(&s.group, &s.id(), ConversationSettings { retention_s: 86_400, ..ConversationSettings::default() })),
    group("keep for too short a while",      "nf  fb  fb  fb  fb  fb  fb  br", |s, _| ask::settings(&s.group, &s.id(), ConversationSettings { retention_s: 1, ..ConversationSettings::default() })),
    group("show newcomers what was",         "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::settings(&s.group, &s.id(), ConversationSettings { history_for_newcomers: true, ..ConversationSettings::default() })),
    group("add",                             "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Stranger)])),
    group("add, when members may",           "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Stranger)])).on(Stage::Open),
    group("add who was put out",             "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Former)])),
    group("add who is in",                   "nf  fb  fb  fb  fb  fb  ti  ti", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::OtherMember)])),
    group("add nobody there is",             "nf  fb  fb  fb  fb  fb  nf  nf", |s, _| ask::add(&s.group, &s.id(), &[NOBODY])),
    group("add a deleted account",           "nf  fb  fb  fb  fb  fb  nf  nf", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Gone)])),
    group("add one who lets nobody",         "nf  fb  fb  fb  fb  fb  na  na", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Shy)])),
    group("add two, one of them shy",        "nf  fb  fb  fb  fb  fb  na  na", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Stranger), s.user(Who::Shy)])),
    group("remove a member",                 "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::remove(&s.group, &s.id(), &s.user(Who::OtherMember))),
    group("remove a member, open",           "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::remove(&s.group, &s.id(), &s.user(Who::OtherMember))).on(Stage::Open),
    group("remove an admin",                 "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::remove(&s.group, &s.id(), &s.user(Who::OtherAdmin))),
    group("remove the owner",                "nf  fb  fb  fb  fb  fb  fb  fb", |s, _| ask::remove(&s.group, &s.id(), &s.user(Who::Owner))),
    group("remove oneself",                  "nf  fb  fb  fb  fb  fb  fb  fb", |s, w| ask::remove(&s.group, &s.id(), &s.user(if w == Who::Stranger { Who::Member } else { w }))),
    group("remove who is not in",            "nf  fb  fb  fb  fb  fb  ti  ti", |s, _| ask::remove(&s.group, &s.id(), &s.user(Who::Shy))),
    group("ban a member",                    "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::ban(&s.group, &s.id(), &s.user(Who::OtherMember))),
    group("ban who was put out",             "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::ban(&s.group, &s.id(), &s.user(Who::Former))),
    group("ban an admin",                    "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::ban(&s.group, &s.id(), &s.user(Who::OtherAdmin))),
    group("ban the owner",                   "nf  fb  fb  fb  fb  fb  fb  fb", |s, _| ask::ban(&s.group, &s.id(), &s.user(Who::Owner))),
    group("let one in who was not banned",   "nf  fb  fb  fb  fb  fb  ti  ti", |s, _| ask::unban(&s.group, &s.id(), &s.user(Who::Former))),
    group("ban who is banned",               "nf  fb  fb  fb  fb  fb  ti  ti", |s, _| ask::ban(&s.group, &s.id(), &s.user(Who::Banned))),
    group("let the banned in again",         "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::unban(&s.group, &s.id(), &s.user(Who::Banned))),
    group("let the banned in again, open",   "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::unban(&s.group, &s.id(), &s.user(Who::Banned))).on(Stage::Open),
    group("add the banned",                  "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Banned)])),
    group("add the banned, open",            "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::add(&s.group, &s.id(), &[s.user(Who::Banned)])).on(Stage::Open),
    group("remove the banned",               "nf  fb  fb  fb  fb  fb  ti  ti", |s, _| ask::remove(&s.group, &s.id(), &s.user(Who::Banned))),
    group("leave",                           "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::leave(&s.group, &s.id())),
    group("make an admin",                   "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::role(&s.group, &s.id(), &s.user(Who::OtherMember), Role::Admin)),
    group("unmake an admin",                 "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::role(&s.group, &s.id(), &s.user(Who::OtherAdmin), Role::Member)),
    group("hand the group over",             "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::role(&s.group, &s.id(), &s.user(Who::OtherMember), Role::Owner)),
    group("hand it to a stranger",           "nf  fb  fb  fb  fb  fb  fb  ti", |s, _| ask::role(&s.group, &s.id(), &s.user(Who::Shy), Role::Owner)),
    group("raise oneself",                   "nf  fb  fb  fb  fb  fb  fb  ti", |s, w| ask::role(&s.group, &s.id(), &s.user(w), Role::Owner)),
    group("erase",                           "nf  fb  fb  fb  fb  fb  fb  ok", |s, _| ask::erase(&s.group, &s.id(), 3)),
    group("erase what is to come",           "nf  fb  fb  fb  fb  fb  fb  ti", |s, _| ask::erase(&s.group, &s.id(), 900)),
    group("make it again",                   "br  br  br  br  br  br  br  br", |s, _| ask::put(&s.group, &s.id(), EntryKind::GroupCreated, &wire::GroupCreated { info: Some(wire::GroupInfo { title: "x".to_owned(), ..Default::default() }), ..Default::default() })),
    group("join without a link",             "br  br  br  br  br  br  br  br", |s, _| ask::put(&s.group, &s.id(), EntryKind::MemberJoined, &wire::MemberJoined::default())),
    group("say what has no kind",            "kind_invalid kind_invalid kind_invalid kind_invalid kind_invalid kind_invalid kind_invalid kind_invalid", |s, _| { ask::put(&s.group, &s.id(), EntryKind::Unspecified, &wire::MemberLeft {}) }),
    group("fetch the first",                 "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::AfterSeq(0), 0)).holds(some),
    group("fetch the last",                  "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::BeforeSeq(u64::MAX), 0)).holds(some),
    group("fetch around",                    "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::AroundSeq(5), 0)),
    group("fetch around a time",             "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::AroundTimeMs(1), 0)),
    group("fetch after all",                 "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::AfterSeq(u64::MAX), 0)),
    group("fetch mentions",                  "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::MentionsBefore(u64::MAX), 0)).holds(mentions),
    group("fetch pins",                      "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::Pinned(true), 0)),
    group("fetch edits",                     "nf  ok  ok  ti  ok  ok  ok  ok", |s, _| ask::fetch(&s.group, From::EditsOf(s.others.0), 0)),
    group("describe",                        "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::describe(&s.group)).holds(described),
    group("who has it",                      "nf  fb  fb  ti  ok  ok  ok  ok", |s, _| ask::receipts(&s.group, s.others.0)),
    group("who has one's own",               "nf  fb  fb  ok  ok  ok  ok  ok", |s, w| ask::receipts(&s.group, s.own(w).0)),
    group("deliver what was not given",      "nf  ca  ca  ca  ca  ca  ca  ca", |s, w| ask::delivered(&s.group, s.end(w))).fresh().in_a_session(),
    group("read what was not given",         "nf  ca  ca  ca  ca  ca  ca  ca", |s, w| ask::read(&s.group, s.end(w))).fresh().in_a_session(),
    group("read what was given",             "nf  ok  ok  ok  ok  ok  ok  ok", |s, w| ask::read(&s.group, s.end(w))).after(&[|s, _| ask::fetch(&s.group, From::AfterSeq(0), 0)]).in_a_session(),
    group("read beyond the end",             "nf  ca  ca  ca  ca  ca  ca  ca", |s, w| ask::read(&s.group, s.end(w) + 1)).after(&[|s, _| ask::fetch(&s.group, From::AfterSeq(0), 0)]).in_a_session(),
    group("type",                            "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::typing(&s.group)),
    group("mute",                            "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::prefer(&s.group, |p| p.muted_until_ms = Some(5))),
    group("draft",                           "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::prefer(&s.group, |p| p.draft = Some("so".to_owned()))),
    group("hide one's own",                  "nf  ok  ok  ok  ok  ok  ok  ok", |s, w| ask::hide(&s.group, &[s.own(w).0])),
    group("list what is hidden",             "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::hidden(&s.group, 0)),
    group("make a link",                     "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::invites(&s.group, invites::Act::Create(Default::default()))),
    group("make a link, open",               "nf  fb  fb  ok  ok  ok  ok  ok", |s, _| ask::invites(&s.group, invites::Act::Create(Default::default()))).on(Stage::Open),
    group("list links",                      "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::invites(&s.group, invites::Act::List(true))).holds(one_link),
    group("end a link",                      "nf  fb  fb  fb  fb  fb  ok  ok", |s, _| ask::invites(&s.group, invites::Act::Revoke(s.link.clone().into()))),
    group("look at a link",                  "ok  ok  ii  ok  ok  ok  ok  ok", |s, _| ask::peek(&s.code)).holds(joined),
    group("look at an ended link",           "ii  ii  ii  ii  ii  ii  ii  ii", |s, _| ask::peek(&s.ended_code)),
    group("look at no link",                 "ii  ii  ii  ii  ii  ii  ii  ii", |_, _| ask::peek("nonsense")),
    group("join",                            "ok  ok  ii  ti  ti  ti  ti  ti", |s, _| ask::join(&s.code, &s.id())),
    group("join by an ended link",           "ii  ii  ii  ii  ii  ii  ii  ii", |s, _| ask::join(&s.ended_code, &s.id())),
    group("join by no link",                 "ii  ii  ii  ii  ii  ii  ii  ii", |s, _| ask::join(&"A".repeat(43), &s.id())),
    group("sync",                            "ok  ok  ok  ok  ok  ok  ok  ok", |_, _| ask::sync(0)),
    group("report in it",                    "nf  ok  ok  ok  ok  ok  ok  ok", |s, _| ask::report(&s.user(Who::OtherMember), Some(&s.group), &[])),
];

#[rustfmt::skip]
pub(crate) const DIRECT: &[Action] = &[
    //                              str mem blk blr
    talk("say",                             "nf  ok  na  na", |s, w| ask::text(&s.talk(w), &s.id(), "hi", 0, &[])),
    talk("say to the person",               "ok  ok  na  na", |s, _| ask::text_to(&s.user(Who::Owner), &s.id(), "hi")),
    talk("answer",                          "nf  ok  na  na", |s, w| ask::text(&s.talk(w), &s.id(), "hi", 1, &[])),
    talk("edit one's own",                  "nf  ok  na  na", |s, w| ask::edit(&s.talk(w), &s.id(), 2, "new")),
    talk("edit the other's",                "nf  fb  fb  fb", |s, w| ask::edit(&s.talk(w), &s.id(), 1, "new")),
    talk("delete the other's",              "nf  fb  fb  fb", |s, w| ask::delete(&s.talk(w), &s.id(), 1, 1)),
    talk("react",                           "nf  ok  na  na", |s, w| ask::react(&s.talk(w), &s.id(), 1, "x")),
    talk("pin and take it off",             "nf  ok  ti  ti", |s, w| ask::pin(&s.talk(w), &s.id(), 1, true)).after(&[|s, w| ask::pin(&s.talk(w), &format!("pin-{}", s.number), 1, false)]),
    talk("keep for a while",                "nf  ok  na  na", |s, w| ask::settings(&s.talk(w), &s.id(), ConversationSettings::default())),
    talk("give it a title",                 "nf  fb  fb  fb", |s, w| ask::title(&s.talk(w), &s.id(), "New")),
    talk("add somebody",                    "nf  fb  fb  fb", |s, w| ask::add(&s.talk(w), &s.id(), &[s.user(Who::Admin)])),
    talk("remove the other",                "nf  fb  fb  fb", |s, w| ask::remove(&s.talk(w), &s.id(), &s.user(Who::Owner))),
    talk("leave",                           "nf  fb  fb  fb", |s, w| ask::leave(&s.talk(w), &s.id())),
    talk("take a role",                     "nf  fb  fb  fb", |s, w| ask::role(&s.talk(w), &s.id(), &s.user(Who::Owner), Role::Admin)),
    talk("erase",                           "nf  fb  fb  fb", |s, w| ask::erase(&s.talk(w), &s.id(), 1)),
    talk("fetch",                           "nf  ok  ok  ok", |s, w| ask::fetch(&s.talk(w), From::AfterSeq(0), 0)),
    talk("describe",                        "nf  ok  ok  ok", |s, w| ask::describe(&s.talk(w))).holds(no_cursors_of_the_owner),
    talk("who has it",                      "nf  ok  ok  ok", |s, w| ask::receipts(&s.talk(w), 2)).holds(no_receipt_of_the_owner),
    talk("read it",                         "nf  ok  ok  ok", |s, w| ask::read(&s.talk(w), 2)).after(&[|s, w| ask::fetch(&s.talk(w), From::AfterSeq(0), 0)]).in_a_session(),
    talk("type",                            "nf  ok  ok  ok", |s, w| ask::typing(&s.talk(w))),
    talk("mute",                            "nf  ok  ok  ok", |s, w| ask::prefer(&s.talk(w), |p| p.muted_until_ms = Some(5))),
    talk("hide",                            "nf  ok  ok  ok", |s, w| ask::hide(&s.talk(w), &[1])),
    talk("make a link",                     "nf  fb  fb  fb", |s, w| ask::invites(&s.talk(w), invites::Act::Create(Default::default()))),
];

#[rustfmt::skip]
pub(crate) const PEOPLE: &[Action] = &[
    //                              str mem blk blr
    talk("make a group with",               "ok  ok  na  na", |s, _| ask::new_group(&s.id(), "x", ConversationSettings::default(), &[s.user(Who::Owner)])),
    talk("make a group with nobody",        "nf  nf  nf  nf", |s, _| ask::new_group(&s.id(), "x", ConversationSettings::default(), &[NOBODY])),
    talk("make a group with oneself",       "br  br  br  br", |s, w| ask::new_group(&s.id(), "x", ConversationSettings::default(), &[s.user(w)])),
    talk("write to nobody",                 "nf  nf  nf  nf", |s, _| ask::text_to(&NOBODY, &s.id(), "hi")),
    talk("write to the deleted",            "nf  nf  nf  nf", |s, _| ask::text_to(&s.user(Who::Gone), &s.id(), "hi")),
    talk("write to oneself",                "ok  ok  ok  ok", |s, w| ask::text_to(&s.user(w), &s.id(), "hi")),
    talk("react to a person",               "ok  ok  na  na", |s, _| ask::send(send::To::Peer(s.user(Who::Owner).to_wire()), &s.id(), EntryKind::Reaction, &wire::Reaction { seq: 1, emoji: "x".to_owned(), removed: false })),
    talk("look a name up",                  "ok  ok  ok  ok", |s, _| ask::look_up(s.name(Who::Owner))),
    talk("look an id up",                   "ok  ok  ok  ok", |s, _| ask::look_up_id(&s.user(Who::Owner))),
    talk("look nobody up",                  "nf  nf  nf  nf", |_, _| ask::look_up("nobody-here")),
    talk("see the profile",                 "ok  ok  ok  ok", |s, _| ask::profile_of(&s.user(Who::Owner))).holds(profile),
    talk("see a deleted profile",           "ok  ok  ok  ok", |s, _| ask::profile_of(&s.user(Who::Gone))).holds(gone),
    talk("see nobody's profile",            "nf  nf  nf  nf", |_, _| ask::profile_of(&NOBODY)),
    talk("see who is there, once",          "ok  ok  ok  ok", |s, _| ask::subscribe(&[s.user(Who::Owner)], true)).holds(presence),
    talk("be told who comes",               "ok  ok  ok  ok", |s, _| ask::subscribe(&[s.user(Who::Owner)], false)).in_a_session().holds(presence),
    talk("see one's account",               "ok  ok  ok  ok", |_, _| Ask::GetAccount(wire::GetAccount {})),
    talk("add a contact",                   "ok  ok  ok  ok", |s, _| ask::update(wire::update_account::Change::AddContact(s.user(Who::Shy).to_wire()))),
    talk("add nobody as contact",           "nf  nf  nf  nf", |_, _| ask::update(wire::update_account::Change::AddContact(NOBODY.to_wire()))),
    talk("block",                           "ok  ok  ok  ok", |s, _| ask::block(&s.user(Who::Shy))),
    talk("unblock",                         "ok  ok  ok  ok", |s, _| ask::unblock(&s.user(Who::Shy))),
    talk("report",                          "ok  ok  ok  ok", |s, _| ask::report(&s.user(Who::Owner), None, &[])),
    talk("report nobody",                   "nf  nf  nf  nf", |_, _| ask::report(&NOBODY, None, &[])),
];

fn holds(what: &str, good: bool) -> Result<(), String> {
    if good { Ok(()) } else { Err(what.to_owned()) }
}

fn fetched(said: &Said) -> Vec<parley_protocol::wire::Entry> {
    super::entries_in(said)
}

fn some(scene: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let last = fetched(said).iter().map(|entry| entry.seq).max();
    holds("not up to the last visible", last == Some(scene.end(who)))
}

/// Only the former member was ever mentioned, and may know.
fn mentions(_: &Scene, who: Who, said: &Said) -> Result<(), String> {
    holds("mentions of somebody else", fetched(said).is_empty() == (who != Who::Former))
}

fn described(scene: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let Said::Described(group) = said else { return Err("not Described".to_owned()) };
    let has = |who| group.members.iter().any(|member| member.user == scene.user(who).to_wire());
    holds("last_seq", group.last_seq == scene.end(who))?;
    holds("former", group.former == matches!(who, Who::Former | Who::Banned))?;
    let out = matches!(who, Who::Former | Who::Banned);
    // Whoever was put out doesn't learn who came after, nor who is banned.
    holds("the newcomer", has(Who::Newcomer) != out)?;
    let rules = matches!(who, Who::Admin | Who::Owner);
    let banned: &[_] = if rules { &[scene.user(Who::Banned).to_wire()] } else { &[] };
    holds("the banned", group.banned == banned)?;
    holds("the admin", has(Who::Admin))
}

fn one_link(scene: &Scene, _: Who, said: &Said) -> Result<(), String> {
    let Said::InviteLinks(list) = said else { return Err("not InviteLinks".to_owned()) };
    let codes: Vec<_> = list.links.iter().map(|link| &link.code).collect();
    holds("the links that work", codes == [&scene.code])
}

fn joined(_: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let Said::InvitePreview(preview) = said else { return Err("not InvitePreview".to_owned()) };
    let inside = !matches!(who, Who::Stranger | Who::Former);
    holds("joined", preview.joined == inside)?;
    holds("how many", preview.members == 8)
}

fn no_cursors_of_the_owner(scene: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let Said::Described(talk) = said else { return Err("not Described".to_owned()) };
    let owner = scene.user(Who::Owner).to_wire();
    let owner = talk.members.iter().find(|member| member.user == owner).ok_or("no owner")?;
    let shown = (owner.delivered, owner.read, owner.delivered_ms, owner.read_ms) != (0, 0, 0, 0);
    holds("cursors of somebody blocked", !shown || who == Who::Member)
}

fn no_receipt_of_the_owner(scene: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let Said::ReceiptList(list) = said else { return Err("not ReceiptList".to_owned()) };
    let owner = scene.user(Who::Owner).to_wire();
    let receipt = list.members.iter().find(|member| member.user == owner);
    let shown = receipt.is_some_and(|receipt| (receipt.delivered_ms, receipt.read_ms) != (0, 0));
    holds("receipts of somebody blocked", !shown || who == Who::Member)
}

/// The phone number is for contacts, and nobody is one; what the owner says of
/// themselves is not for those with a block in between.
fn profile(_: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let Said::Profile(profile) = said else { return Err("not Profile".to_owned()) };
    let open = matches!(who, Who::Stranger | Who::Member);
    holds("the name", profile.name == "founder")?;
    holds("the phone number", profile.phone.is_empty())?;
    holds("what they say", (profile.about == "here") == open && profile.about.is_empty() != open)
}

fn gone(_: &Scene, _: Who, said: &Said) -> Result<(), String> {
    let Said::Profile(profile) = said else { return Err("not Profile".to_owned()) };
    holds("deleted", profile.deleted && profile.name.is_empty() && profile.about.is_empty())
}

fn presence(_: &Scene, who: Who, said: &Said) -> Result<(), String> {
    let Said::Subscribed(subscribed) = said else { return Err("not Subscribed".to_owned()) };
    let [one] = subscribed.presence.as_slice() else { return Err("not one".to_owned()) };
    let open = matches!(who, Who::Stranger | Who::Member);
    holds("presence across a block", open || (!one.online && one.last_seen_ms == 0))
}
