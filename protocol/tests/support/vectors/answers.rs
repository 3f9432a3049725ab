//! What a server writes in and about conversations beyond texts.

use parley_protocol::wire::server_envelope::Kind;
use parley_protocol::wire::{
    Changed, Changes, ConversationKind, Described, FeedEntry, Fetched, HiddenSeqs, InviteLink,
    InviteLinks, InvitePreview, Limits, Member, MemberReceipt, NotifyLevel, Preferences,
    ReceiptList, Role, ServerEnvelope, Typed, Welcome,
};
use parley_protocol::{Message, limits};

use super::Vector;
use super::bodies;
use super::cast::{
    ALICE, BOB, CAROL, CODE, DEVICE, GROUP, INCARNATION, INVITE, SESSION, TALK, TIME_MS, wire,
};
use super::entries::{first, second};

pub fn vectors() -> Vec<Vector> {
    let mut all = feed();
    all.extend(groups());
    all.extend(receipts());
    all.extend(own());
    all.extend(invites());
    all
}

fn feed() -> Vec<Vector> {
    let preferences = Preferences {
        muted_until_ms: u64::MAX,
        archived: true,
        pinned: true,
        marked_unread: true,
        level: NotifyLevel::None as i32,
        draft: "I think".into(),
        draft_reply_to: 7,
        cleared_up_to: 3,
        accepted: true,
    };
    let talk = FeedEntry {
        conversation: wire(&TALK),
        version: 4711,
        last_seq: 9,
        unread: 2,
        read: 5,
        last_time_ms: TIME_MS,
        delivered: 7,
        last_ordinal: 8,
        floor_ordinal: 5,
        mentions: 1,
        preferences: Some(preferences),
        hidden: 2,
        request: true,
        ..FeedEntry::default()
    };
    let quiet = FeedEntry {
        conversation: wire(&TALK),
        version: 4712,
        last_seq: 10,
        last_time_ms: TIME_MS,
        last_ordinal: 8,
        floor_ordinal: 8,
        last_message_ms: TIME_MS - 5000,
        ..FeedEntry::default()
    };
    let short = Limits { least_retention_s: limits::LEAST_RETENTION_S, ..Limits::default() };
    vec![
        server(
            "welcome_with_groups",
            "A server that has groups says their limit and both heartbeats.",
            1,
            Kind::Welcome(Welcome {
                version: 1,
                session: wire(&SESSION),
                user: wire(&ALICE),
                device: wire(&DEVICE),
                user_name: "alice".into(),
                limits: Some(Limits {
                    text_chars: limits::TEXT_CHARS,
                    frame_bytes: limits::FRAME_BYTES,
                    requests_in_flight: limits::REQUESTS_IN_FLIGHT,
                    fetch_entries: limits::FETCH_ENTRIES,
                    group_members: limits::GROUP_MEMBERS,
                    ..Limits::default()
                }),
                server_time_ms: TIME_MS,
                heartbeat_ms: 4000,
                background_heartbeat_ms: 30_000,
                account_revision: 12,
                changes: Some(Changes::default()),
                ..Welcome::default()
            }),
        ),
        server(
            "changes_with_preferences",
            "All that a feed entry says: three messages since the floor, one of them deleted.",
            0,
            Kind::Changes(Changes { entries: vec![talk], feed_position: 4711, more: false }),
        ),
        server(
            "changes_after_a_reaction",
            "The last entry is newer than the last message, by which lists are ordered.",
            0,
            Kind::Changes(Changes { entries: vec![quiet], feed_position: 4712, more: false }),
        ),
        server(
            "welcome_with_the_least_retention",
            "A server says the shortest retention that can be set.",
            1,
            Kind::Welcome(Welcome { version: 1, limits: Some(short), ..Welcome::default() }),
        ),
        server(
            "welcome_with_the_incarnation",
            "A server says which life of its store this is.",
            1,
            Kind::Welcome(Welcome {
                version: 1,
                incarnation: wire(&INCARNATION),
                ..Welcome::default()
            }),
        ),
    ]
}

fn groups() -> Vec<Vector> {
    let member = |id: &[u8], name: &str, role: Role, joined_seq| Member {
        user: wire(id),
        name: name.into(),
        role: role as i32,
        joined_seq,
        ..Member::default()
    };
    vec![
        server(
            "described_group",
            "A group with an owner, an admin and a member.",
            17,
            Kind::Described(Described {
                conversation: wire(&GROUP),
                kind: ConversationKind::Group as i32,
                members: vec![
                    member(&ALICE, "alice", Role::Owner, 1),
                    member(&BOB, "bob", Role::Admin, 1),
                    member(&CAROL, "carol", Role::Member, 12),
                ],
                last_seq: 40,
                info: Some(bodies::info()),
                settings: Some(bodies::settings()),
                pinned: vec![7, 300],
                first_after: 3,
                former: false,
                created_ms: TIME_MS,
                ..Described::default()
            }),
        ),
        server(
            "described_with_bans",
            "A group as an admin sees it, with somebody who may not come in.",
            17,
            Kind::Described(Described {
                conversation: wire(&GROUP),
                kind: ConversationKind::Group as i32,
                banned: vec![wire(&CAROL)],
                ..Described::default()
            }),
        ),
        server(
            "described_kept_for_a_while",
            "A 1:1 in which what the other one writes is kept for a day.",
            17,
            Kind::Described(Described {
                conversation: wire(&TALK),
                kind: ConversationKind::Direct as i32,
                peer_retention_s: 86_400,
                ..Described::default()
            }),
        ),
        server(
            "described_as_it_was",
            "As somebody sees it who was put out at 40.",
            17,
            Kind::Described(Described {
                conversation: wire(&GROUP),
                kind: ConversationKind::Group as i32,
                last_seq: 40,
                former: true,
                ..Described::default()
            }),
        ),
        server(
            "fetched_related",
            "A page, and what belongs to it from elsewhere in the log; some reactions didn't fit.",
            9,
            Kind::Fetched(Fetched {
                conversation: wire(&GROUP),
                entries: vec![second()],
                at_start: false,
                at_end: true,
                last_seq: 2,
                related: vec![first()],
                related_cut: true,
            }),
        ),
        server(
            "typed",
            "Bob writes; without news it is over after six seconds.",
            0,
            Kind::Typed(Typed {
                conversation: wire(&GROUP),
                user: wire(&BOB),
                stopped: false,
                expires_ms: limits::TYPING_MS,
            }),
        ),
        server(
            "typed_stopped",
            "And stopped.",
            0,
            Kind::Typed(Typed {
                stopped: true,
                conversation: wire(&GROUP),
                user: wire(&BOB),
                expires_ms: 0,
            }),
        ),
    ]
}

fn receipts() -> Vec<Vector> {
    vec![server(
        "receipt_list",
        "Bob has read seq 7, Carol has it.",
        34,
        Kind::ReceiptList(ReceiptList {
            conversation: wire(&GROUP),
            seq: 7,
            members: vec![
                MemberReceipt { user: wire(&BOB), delivered_ms: TIME_MS, read_ms: TIME_MS + 900 },
                MemberReceipt { user: wire(&CAROL), delivered_ms: TIME_MS + 5, read_ms: 0 },
            ],
        }),
    )]
}

fn own() -> Vec<Vector> {
    vec![
        server(
            "changed",
            "The preferences are set, or the messages hidden.",
            35,
            Kind::Changed(Changed { conversation: wire(&TALK), feed_position: 4720 }),
        ),
        server(
            "hidden_seqs",
            "Four are hidden in all; here are those after the first two.",
            38,
            Kind::HiddenSeqs(HiddenSeqs {
                conversation: wire(&TALK),
                seqs: vec![2, 300],
                total: 4,
            }),
        ),
    ]
}

fn invites() -> Vec<Vector> {
    let link = InviteLink {
        id: wire(&INVITE),
        code: CODE.into(),
        created_by: wire(&ALICE),
        created_ms: TIME_MS,
        expires_ms: TIME_MS + 86_400_000,
        max_uses: 10,
        uses: 3,
    };
    vec![
        server(
            "invite_links",
            "One link works.",
            42,
            Kind::InviteLinks(InviteLinks { conversation: wire(&GROUP), links: vec![link] }),
        ),
        server(
            "invite_preview",
            "What it leads to; the asker is in it already.",
            43,
            Kind::InvitePreview(InvitePreview {
                conversation: wire(&GROUP),
                info: Some(bodies::info()),
                members: 3,
                joined: true,
            }),
        ),
    ]
}

pub fn server(name: &'static str, about: &'static str, request: u64, kind: Kind) -> Vector {
    let bytes = ServerEnvelope { request, kind: Some(kind) }.encode_to_vec();
    Vector { name, about, message: "ServerEnvelope", bytes, canonical: true, late_choice: false }
}
