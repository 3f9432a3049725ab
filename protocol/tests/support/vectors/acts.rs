//! What a client writes in and about conversations beyond texts: entries of
//! every kind, and the requests around them.

use bytes::Bytes;
use parley_protocol::Message;
use parley_protocol::wire::client_envelope::Kind;
use parley_protocol::wire::{
    ClientEnvelope, EntryKind, Fetch, Hello, Hidden, Hide, Invites, NewInvite, NotifyLevel,
    PeekInvite, Ping, Receipts, Send, SetPreferences, Typing, invites, send,
};

use super::super::proto_json::put_varint;
use super::Vector;
use super::bodies;
use super::cast::{CODE, GROUP, INVITE, TALK, TOKEN, wire};

pub fn vectors() -> Vec<Vector> {
    let mut all = sending();
    all.extend(reading());
    all.extend(own());
    all.extend(invites());
    all
}

fn sending() -> Vec<Vector> {
    let into_group =
        |id: &[u8], kind, body| sent(Some(send::To::Conversation(wire(&GROUP))), id, kind, body);
    vec![
        client(
            "hello_in_the_background",
            "The app is not in front of the user.",
            1,
            Kind::Hello(Hello {
                version_min: 1,
                version_max: 1,
                token: wire(&TOKEN),
                background: true,
                ..Hello::default()
            }),
        ),
        client(
            "ping_background",
            "The app went out of sight.",
            20,
            Kind::Ping(Ping { background: true }),
        ),
        client(
            "send_group_created",
            "Makes the group whose id follows from the device and this id.",
            21,
            sent(None, b"my-group", EntryKind::GroupCreated, bodies::created().encode_to_vec()),
        )
        .followed_by(b"\x30\x01"),
        client(
            "send_answer",
            "A message that answers another and names people.",
            22,
            into_group(b"my-2", EntryKind::Text, bodies::text_answer().encode_to_vec()),
        ),
        client(
            "send_edit",
            "Another text for seq 7.",
            23,
            into_group(b"my-3", EntryKind::Edit, bodies::edit().encode_to_vec()),
        ),
        client(
            "send_delete",
            "Seq 7 is deleted for all.",
            24,
            into_group(b"my-4", EntryKind::Delete, bodies::delete().encode_to_vec()),
        ),
        client(
            "send_reaction",
            "A reaction to seq 7.",
            25,
            into_group(b"my-5", EntryKind::Reaction, bodies::reaction().encode_to_vec()),
        ),
        client(
            "send_pin",
            "Seq 7 is pinned.",
            26,
            into_group(b"my-6", EntryKind::Pin, bodies::pin().encode_to_vec()),
        ),
        client(
            "send_member_left",
            "The sender leaves.",
            27,
            into_group(b"my-7", EntryKind::MemberLeft, Vec::new()),
        ),
        client(
            "send_member_joined",
            "Joins by a link; the body is empty.",
            28,
            sent(None, b"my-8", EntryKind::MemberJoined, Vec::new()),
        )
        .followed_by(&[b"\x3a\x2b", CODE.as_bytes()].concat()),
        client(
            "typing",
            "The user writes; request 0 asks for no answer.",
            0,
            Kind::Typing(Typing { conversation: wire(&TALK), stopped: false }),
        ),
        client(
            "typing_stopped",
            "And stopped.",
            0,
            Kind::Typing(Typing { conversation: wire(&TALK), stopped: true }),
        ),
    ]
}

fn reading() -> Vec<Vector> {
    let fetch = |limit| Kind::Fetch(Fetch { conversation: wire(&GROUP), from: None, limit });
    vec![
        client("fetch_around_time", "Both sides of a moment.", 30, fetch(20))
            .followed_by(b"\x30\x80\xc4\x82\x99\xa0\x34"),
        client("fetch_mentions", "The newest ten that name the reader.", 31, fetch(10))
            .followed_by(b"\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
        client("fetch_pinned", "What is pinned.", 32, fetch(0)).followed_by(b"\x40\x01"),
        client("fetch_edits", "What seq 7 was changed to, time and again.", 33, fetch(0))
            .followed_by(b"\x48\x07"),
        client(
            "receipts",
            "Who has seq 7?",
            34,
            Kind::Receipts(Receipts { conversation: wire(&GROUP), seq: 7 }),
        ),
    ]
}

fn own() -> Vec<Vector> {
    vec![
        client(
            "set_preferences",
            "Everything at once.",
            35,
            Kind::SetPreferences(SetPreferences {
                conversation: wire(&TALK),
                muted_until_ms: Some(u64::MAX),
                archived: Some(true),
                pinned: Some(false),
                marked_unread: Some(true),
                level: Some(NotifyLevel::Mentions as i32),
                draft: Some("I think".into()),
                draft_reply_to: Some(7),
                cleared_up_to: Some(3),
                accepted: Some(true),
            }),
        ),
        client(
            "set_preferences_unmuted",
            "A zero that is given is written; the rest stays.",
            36,
            Kind::SetPreferences(SetPreferences {
                conversation: wire(&TALK),
                muted_until_ms: Some(0),
                ..SetPreferences::default()
            }),
        ),
        client(
            "hide",
            "Two messages are hidden from the user alone.",
            37,
            Kind::Hide(Hide { conversation: wire(&TALK), seqs: vec![2, 300] }),
        ),
        client(
            "hidden",
            "Which did they hide, after the first two?",
            38,
            Kind::Hidden(Hidden { conversation: wire(&TALK), after: 2 }),
        ),
    ]
}

fn invites() -> Vec<Vector> {
    let invites = |act| Kind::Invites(Invites { conversation: wire(&GROUP), act: Some(act) });
    let new = NewInvite { expires_ms: 1_795_435_200_000, max_uses: 10 };
    vec![
        client(
            "invites_create",
            "A link for ten, until tomorrow.",
            39,
            invites(invites::Act::Create(new)),
        ),
        client(
            "invites_create_unbounded",
            "A link without an end; the inner message is empty and written.",
            40,
            invites(invites::Act::Create(NewInvite::default())),
        ),
        client("invites_revoke", "A link ends.", 41, invites(invites::Act::Revoke(wire(&INVITE)))),
        client("invites_list", "Which links work?", 42, invites(invites::Act::List(true))),
        client(
            "peek_invite",
            "Where does it lead?",
            43,
            Kind::PeekInvite(PeekInvite { code: CODE.into() }),
        ),
    ]
}

fn sent(to: Option<send::To>, id: &[u8], kind: EntryKind, body: Vec<u8>) -> Kind {
    Kind::Send(Send { to, client_message_id: wire(id), kind: kind as u32, body: Bytes::from(body) })
}

impl Vector {
    /// The same with another field at the end of the request: a choice whose
    /// number is higher than those of the fields beside it.
    fn followed_by(self, field: &[u8]) -> Self {
        let envelope = ClientEnvelope::decode(self.bytes.as_slice()).unwrap();
        let mut inner = match &envelope.kind {
            Some(Kind::Send(send)) => send.encode_to_vec(),
            Some(Kind::Fetch(fetch)) => fetch.encode_to_vec(),
            other => panic!("{other:?} has no such choice"),
        };
        // The request's number and the kind's key; both are short.
        let mut bytes = self.bytes[..3].to_vec();
        inner.extend_from_slice(field);
        put_varint(inner.len() as u64, &mut bytes);
        bytes.extend_from_slice(&inner);
        Self { bytes, late_choice: true, ..self }
    }
}

pub fn client(name: &'static str, about: &'static str, request: u64, kind: Kind) -> Vector {
    let bytes = ClientEnvelope { request, kind: Some(kind) }.encode_to_vec();
    Vector { name, about, message: "ClientEnvelope", bytes, canonical: true, late_choice: false }
}
