//! Requests that meet each other: few people, few conversations, few ids, and
//! now and then something that isn't there.

use arbitrary::Arbitrary;
use bytes::Bytes;
use parley_protocol::wire::client_envelope::Kind as Ask;
use parley_protocol::wire::{self, EntryKind, send, update_account};
use parley_protocol::{Message as _, UserId};

use super::NOBODY;
use crate::program::Blob;

/// One request.
#[derive(Debug, Arbitrary)]
pub(crate) enum Request {
    Text { to: u8, id: u8, text: Blob, reply_to: u8, mention: u8 },
    Act { conversation: u8, id: u8, what: u8, seq: u8, user: u8 },
    Group { id: u8, members: u8, settings: u8 },
    Change { conversation: u8, id: u8, settings: u8, title: Blob },
    Join { id: u8, link: u8 },
    Fetch { conversation: u8, from: u8, seq: u8, limit: u8 },
    Prefer { conversation: u8, what: u8, number: u8 },
    Invite { conversation: u8, what: u8, link: u8 },
    Person { what: u8, user: u8, text: Blob },
    Other { what: u8, conversation: u8, number: u8 },
}

/// What requests can name.
pub(crate) struct Known<'a> {
    pub(crate) people: &'a [UserId],
    pub(crate) conversations: &'a [Bytes],
    /// Id and code of the invite links that were given out.
    pub(crate) links: &'a [(Bytes, String)],
    /// How many messages there are up to a seq.
    pub(crate) ordinal: &'a dyn Fn(&Bytes, u64) -> u64,
}

impl Known<'_> {
    fn user(&self, number: u8) -> UserId {
        *self.people.get(usize::from(number) % (self.people.len() + 1)).unwrap_or(&NOBODY)
    }

    fn conversation(&self, number: u8) -> Bytes {
        let at = usize::from(number) % (self.conversations.len() + 1);
        self.conversations.get(at).cloned().unwrap_or_else(|| match number % 3 {
            0 => Bytes::from_static(b"short"),
            _ => NOBODY.to_wire(),
        })
    }

    fn link(&self, number: u8) -> (Bytes, String) {
        let at = usize::from(number) % (self.links.len() + 1);
        let none = || (NOBODY.to_wire(), "x".repeat(usize::from(number % 50)));
        self.links.get(at).cloned().unwrap_or_else(none)
    }

    /// The request on the wire.
    pub(crate) fn ask(&self, request: Request) -> Ask {
        match request {
            Request::Text { to, id, text, reply_to, mention } => {
                let text = String::from_utf8_lossy(&text.0).into_owned();
                let who = match mention % 4 {
                    0 => wire::mention::Who::Everyone(true),
                    _ => wire::mention::Who::User(self.user(mention / 4).to_wire()),
                };
                let mentions = (mention > 99).then_some(wire::Mention {
                    start: u32::from(mention % 3),
                    length: 1 + u32::from(mention % 2),
                    who: Some(who),
                });
                let body = wire::Text {
                    text,
                    reply_to: u64::from(reply_to.saturating_sub(200)),
                    mentions: mentions.into_iter().collect(),
                    forwarded: false,
                };
                let to = match to % 2 {
                    0 => send::To::Peer(self.user(to / 2).to_wire()),
                    _ => send::To::Conversation(self.conversation(to / 2)),
                };
                sends(to, id, EntryKind::Text, body.encode_to_vec())
            }
            Request::Act { conversation, id, what, seq, user } => {
                let to = self.conversation(conversation);
                let (kind, body) = self.act(&to, what, seq.into(), user);
                sends(send::To::Conversation(to), id, kind, body)
            }
            Request::Group { id, members, settings: chosen } => {
                let chosen = settings(chosen);
                let bit = |number: &usize| members >> number & 1 == 1;
                let others = self.people.iter().enumerate().filter(|(number, _)| bit(number));
                let body = wire::GroupCreated {
                    info: Some(wire::GroupInfo { title: "t".into(), ..wire::GroupInfo::default() }),
                    settings: (members < 128).then_some(chosen),
                    members: others.map(|(_, user)| user.to_wire()).collect(),
                };
                let to = send::To::NewGroup(true);
                sends(to, id, EntryKind::GroupCreated, body.encode_to_vec())
            }
            Request::Change { conversation, id, settings: chosen, title } => {
                let body = wire::ConversationChanged {
                    title: (!title.0.is_empty())
                        .then(|| String::from_utf8_lossy(&title.0).into_owned()),
                    settings: (chosen < 128).then(|| settings(chosen)),
                    ..wire::ConversationChanged::default()
                };
                let to = send::To::Conversation(self.conversation(conversation));
                sends(to, id, EntryKind::ConversationChanged, body.encode_to_vec())
            }
            Request::Join { id, link } => {
                let (_, code) = self.link(link);
                sends(send::To::Invite(code), id, EntryKind::MemberJoined, Vec::new())
            }
            Request::Fetch { conversation, from, seq, limit } => {
                let seq = u64::from(seq % 40);
                let seq = if seq == 39 { u64::MAX } else { seq };
                use wire::fetch::From;
                let from = match from % 8 {
                    0 | 1 => From::AfterSeq(seq),
                    2 => From::BeforeSeq(seq),
                    3 => From::AroundSeq(seq),
                    4 => From::AroundTimeMs(seq),
                    5 => From::MentionsBefore(seq),
                    6 => From::Pinned(true),
                    _ => From::EditsOf(seq),
                };
                Ask::Fetch(wire::Fetch {
                    conversation: self.conversation(conversation),
                    from: Some(from),
                    limit: u32::from(limit % 6),
                })
            }
            Request::Prefer { conversation, what, number } => {
                self.prefer(self.conversation(conversation), what, number)
            }
            Request::Invite { conversation, what, link } => {
                let (id, code) = self.link(link);
                let act = match what % 4 {
                    0 => wire::invites::Act::Create(wire::NewInvite {
                        expires_ms: if what > 200 { 1 } else { 0 },
                        max_uses: u32::from(what / 64),
                    }),
                    1 => wire::invites::Act::Revoke(id),
                    2 => wire::invites::Act::List(true),
                    _ => return Ask::PeekInvite(wire::PeekInvite { code }),
                };
                let conversation = self.conversation(conversation);
                Ask::Invites(wire::Invites { conversation, act: Some(act) })
            }
            Request::Person { what, user, text } => self.person(what, user, &text.0),
            Request::Other { what, conversation, number } => {
                self.other(what, self.conversation(conversation), number.into())
            }
        }
    }

    /// An entry about a message, or about who is in.
    fn act(&self, to: &Bytes, what: u8, seq: u64, user: u8) -> (EntryKind, Vec<u8>) {
        let seq = seq % 24;
        let removed = user % 3 == 2;
        let user = self.user(user).to_wire();
        match what % 10 {
            0 => {
                let text = "edited".to_owned();
                let edit = wire::Edit { seq, text, mentions: Vec::new() };
                (EntryKind::Edit, edit.encode_to_vec())
            }
            1 | 2 => {
                let ordinal = (self.ordinal)(to, seq) + u64::from(what > 250);
                (EntryKind::Delete, wire::Delete { seq, ordinal }.encode_to_vec())
            }
            3 => {
                let emoji = if what > 128 { "+" } else { "x" }.to_owned();
                (EntryKind::Reaction, wire::Reaction { seq, emoji, removed }.encode_to_vec())
            }
            4 => (EntryKind::Pin, wire::Pin { seq, removed }.encode_to_vec()),
            5 => {
                let users = vec![user];
                (EntryKind::MembersAdded, wire::MembersAdded { users }.encode_to_vec())
            }
            6 if seq % 4 == 1 => {
                (EntryKind::MemberUnbanned, wire::MemberUnbanned { user }.encode_to_vec())
            }
            6 => {
                let ban = seq.is_multiple_of(4);
                (EntryKind::MemberRemoved, wire::MemberRemoved { user, ban }.encode_to_vec())
            }
            7 => (EntryKind::MemberLeft, Vec::new()),
            8 => {
                let role = i32::from(what % 3) + 1;
                (EntryKind::RoleChanged, wire::RoleChanged { user, role }.encode_to_vec())
            }
            _ => (EntryKind::HistoryErased, wire::HistoryErased { up_to: seq }.encode_to_vec()),
        }
    }

    fn prefer(&self, conversation: Bytes, what: u8, number: u8) -> Ask {
        let mut set = wire::SetPreferences { conversation, ..wire::SetPreferences::default() };
        match what % 7 {
            0 => set.muted_until_ms = Some(u64::from(number) << (what / 4)),
            1 => set.archived = Some(number % 2 == 1),
            2 => set.level = Some(i32::from(number % 5)),
            3 => set.draft = Some("d".repeat(number.into())),
            4 => set.cleared_up_to = Some((number % 24).into()),
            5 => set.accepted = Some(number % 2 == 1),
            _ => {
                let seqs = vec![u64::from(number % 24), u64::from(what)];
                return Ask::Hide(wire::Hide { conversation: set.conversation, seqs });
            }
        }
        Ask::SetPreferences(set)
    }

    fn person(&self, what: u8, user: u8, text: &[u8]) -> Ask {
        let text = String::from_utf8_lossy(text).into_owned();
        let number = user;
        let user = self.user(user).to_wire();
        use update_account::Change;
        let change = match what % 12 {
            0 => Change::AddContact(user),
            1 => Change::RemoveContact(user),
            2 => Change::Block(user),
            3 | 4 => Change::Unblock(user),
            5 => Change::Settings(wire::AccountSettings {
                messages: i32::from(number % 5),
                group_adds: i32::from(number / 5 % 5),
                read_receipts: Some(number > 128),
                ..wire::AccountSettings::default()
            }),
            6 => Change::Profile(wire::ProfileChange {
                about: Some(text),
                ..wire::ProfileChange::default()
            }),
            7 => return Ask::GetProfile(wire::GetProfile { user }),
            8 => return Ask::GetAccount(wire::GetAccount {}),
            9 => {
                let by = wire::lookup::By::Name(text);
                return Ask::Lookup(wire::Lookup { by: Some(by) });
            }
            10 => {
                let subscribe = wire::Subscribe { users: vec![user], drop: Vec::new(), once: true };
                return Ask::Subscribe(subscribe);
            }
            _ => {
                let by = wire::lookup::By::User(user);
                return Ask::Lookup(wire::Lookup { by: Some(by) });
            }
        };
        Ask::UpdateAccount(wire::UpdateAccount { change: Some(change) })
    }

    fn other(&self, what: u8, conversation: Bytes, number: u64) -> Ask {
        match what % 7 {
            0 => Ask::Describe(wire::Describe { conversation }),
            1 => Ask::Receipts(wire::Receipts { conversation, seq: number % 24 }),
            2 => Ask::Sync(wire::Sync { feed_position: number % 64 }),
            3 => Ask::Hidden(wire::Hidden { conversation, after: number as u32 % 8 }),
            4 => Ask::Typing(wire::Typing { conversation, stopped: number % 2 == 1 }),
            5 => Ask::Read(wire::Read { conversation, up_to: number }),
            _ => Ask::Report(wire::Report {
                user: self.user(number as u8).to_wire(),
                conversation,
                seqs: vec![number % 24],
                reason: "spam".to_owned(),
            }),
        }
    }
}

fn sends(to: send::To, id: u8, kind: EntryKind, body: Vec<u8>) -> Ask {
    Ask::Send(wire::Send {
        to: Some(to),
        // Few, so that they are used again; 15 stands for none.
        client_message_id: match id % 16 {
            15 => Bytes::new(),
            id => Bytes::copy_from_slice(&[id; 4]),
        },
        kind: kind as u32,
        body: body.into(),
    })
}

fn settings(bits: u8) -> wire::ConversationSettings {
    let who = |bit: u8| 1 + i32::from(bits >> bit & 1);
    wire::ConversationSettings {
        send: who(0),
        add: who(1),
        edit_info: who(2),
        history_for_newcomers: bits & 8 == 8,
        // Long enough that nothing is too old within a run.
        retention_s: if bits & 16 == 16 { 1_000_000_000 } else { 0 },
    }
}
