//! A server that says anything at any time: every kind of entry and answer,
//! extreme numbers, ids of any length, answers to nothing. The machine never panics, and what it keeps is bounded.

#![allow(clippy::unwrap_used, reason = "tests may")]

use bytes::Bytes;
use fastrand::Rng;
use parley_protocol::wire::{self, client_envelope::Kind as Ask, server_envelope::Kind};
use prost::Message as _;

use parley_client_machine::{
    Backoff, Call, CallId, CatchUp, Config, Error, ErrorKind, Machine, Output, Range, Saved, Tick,
    To, Token, Transport,
};

fn machine() -> Machine {
    let config = Config {
        backoff: Backoff::default(),
        request_timeout_ms: 1_000,
        catch_up: CatchUp::Undelivered,
        can_sign_in: true,
        has_token: true,
        client_name: ("hostile".into(), "1".into()),
        keeps: true,
    };
    Machine::new(config, Saved::default())
}

fn number(rng: &mut Rng) -> u64 {
    match rng.u32(..8) {
        0 => 0,
        1 => u64::MAX,
        2 => u64::MAX - 1,
        3 => rng.u64(..),
        4 => 1 << 63,
        _ => rng.u64(1..6),
    }
}

fn id(rng: &mut Rng) -> Bytes {
    match rng.u32(..30) {
        0 => Bytes::new(),
        1 => vec![1; 17].into(),
        n => vec![(n % 3) as u8; 16].into(),
    }
}

fn entry(rng: &mut Rng) -> Bytes {
    if rng.u32(..10) == 0 {
        return std::iter::repeat_with(|| rng.u8(..)).take(9).collect::<Vec<_>>().into();
    }
    let kind = rng.u32(..26);
    let entry = wire::Entry {
        seq: number(rng),
        ordinal: number(rng),
        time_ms: number(rng),
        epoch: number(rng),
        sender: id(rng),
        kind,
        body: body(rng, kind),
        erased: rng.bool(),
        damaged: rng.u32(..8) == 0,
    };
    entry.encode_to_vec().into()
}

/// A body of the kind, with numbers and ids that mean nothing.
fn body(rng: &mut Rng, kind: u32) -> Bytes {
    let text = "x".repeat(rng.usize(..9));
    let who = Some(wire::mention::Who::User(id(rng)));
    let mention = wire::Mention { start: rng.u32(..), length: rng.u32(..), who };
    let users = |rng: &mut Rng| (0..rng.usize(..9)).map(|_| id(rng)).collect::<Vec<_>>();
    let settings = wire::ConversationSettings {
        send: rng.i32(-1..4),
        add: rng.i32(..),
        retention_s: number(rng),
        ..wire::ConversationSettings::default()
    };
    let info = wire::GroupInfo { title: text.clone(), ..wire::GroupInfo::default() };
    let bytes = match kind {
        1 => wire::Text { text, reply_to: number(rng), mentions: vec![mention], forwarded: true }
            .encode_to_vec(),
        2 => wire::Edit { seq: number(rng), text, mentions: vec![mention] }.encode_to_vec(),
        3 => wire::Delete { seq: number(rng), ordinal: number(rng) }.encode_to_vec(),
        4 => wire::Reaction { seq: number(rng), emoji: text, removed: rng.bool() }.encode_to_vec(),
        5 => wire::Pin { seq: number(rng), removed: rng.bool() }.encode_to_vec(),
        16 => {
            wire::GroupCreated { info: Some(info), settings: Some(settings), members: users(rng) }
                .encode_to_vec()
        }
        17 => wire::ConversationChanged {
            title: Some(text),
            settings: Some(settings),
            ..wire::ConversationChanged::default()
        }
        .encode_to_vec(),
        18 => wire::MembersAdded { users: users(rng) }.encode_to_vec(),
        19 => wire::MemberRemoved { user: id(rng), ban: false }.encode_to_vec(),
        21 => wire::RoleChanged { user: id(rng), role: rng.i32(-1..5) }.encode_to_vec(),
        22 => wire::MemberJoined { invite: id(rng) }.encode_to_vec(),
        23 => wire::HistoryErased { up_to: number(rng) }.encode_to_vec(),
        _ => Vec::new(),
    };
    bytes.into()
}

fn entries(rng: &mut Rng) -> Vec<Bytes> {
    (0..rng.usize(..5)).map(|_| entry(rng)).collect()
}

fn changes(rng: &mut Rng) -> wire::Changes {
    let entry = |rng: &mut Rng| wire::FeedEntry {
        last_message_ms: number(rng),
        conversation: id(rng),
        version: number(rng),
        last_seq: number(rng),
        unread: number(rng),
        read: number(rng),
        last_time_ms: number(rng),
        delivered: number(rng),
        last_ordinal: number(rng),
        floor_ordinal: number(rng),
        mentions: rng.u32(..),
        preferences: rng.bool().then(|| wire::Preferences {
            level: rng.i32(-1..5),
            cleared_up_to: number(rng),
            ..wire::Preferences::default()
        }),
        hidden: rng.u32(..),
        request: rng.bool(),
    };
    let entries = (0..rng.usize(..4)).map(|_| entry(rng)).collect();
    wire::Changes { entries, feed_position: number(rng), more: rng.bool() }
}

fn described(rng: &mut Rng) -> wire::Described {
    let member = |rng: &mut Rng| wire::Member {
        user: id(rng),
        name: "name".into(),
        delivered: number(rng),
        read: number(rng),
        delivered_ms: number(rng),
        read_ms: number(rng),
        role: rng.i32(-1..5),
        joined_seq: number(rng),
    };
    let members = (0..rng.usize(..4)).map(|_| member(rng)).collect();
    wire::Described {
        conversation: id(rng),
        kind: rng.i32(-1..4),
        members,
        last_seq: number(rng),
        ..wire::Described::default()
    }
}

fn kind(rng: &mut Rng) -> Kind {
    let code = if rng.bool() { rng.u32(..) } else { *rng.choice(&[200, 306, 501, 504]).unwrap() };
    match rng.u32(..24) {
        14 => Kind::Typed(wire::Typed {
            conversation: id(rng),
            user: id(rng),
            stopped: rng.bool(),
            expires_ms: rng.u32(..),
        }),
        15 => Kind::Presence(presence(rng)),
        16 => Kind::Subscribed(wire::Subscribed { presence: vec![presence(rng), presence(rng)] }),
        17 => Kind::Profile(wire::Profile {
            user: id(rng),
            name: "n".repeat(rng.usize(..3)),
            deleted: rng.bool(),
            ..wire::Profile::default()
        }),
        18 => Kind::AccountChanged(wire::AccountChanged { revision: number(rng) }),
        19 => Kind::AccountState(wire::AccountState::default()),
        20 => Kind::HiddenSeqs(wire::HiddenSeqs {
            conversation: id(rng),
            seqs: (0..rng.usize(..3)).map(|_| number(rng)).collect(),
            total: rng.u32(..),
        }),
        21 => Kind::Changed(wire::Changed { conversation: id(rng), feed_position: number(rng) }),
        22 => Kind::ReceiptList(wire::ReceiptList::default()),
        23 => Kind::InviteLinks(wire::InviteLinks::default()),
        0 => Kind::Welcome(welcome(rng)),
        1 => Kind::Pong(wire::Pong { feed_position: number(rng), server_time_ms: number(rng) }),
        2 => Kind::Sent(wire::Sent {
            conversation: id(rng),
            seq: number(rng),
            time_ms: number(rng),
            ordinal: number(rng),
            duplicate: rng.bool(),
            feed_position: number(rng),
        }),
        3..=5 => Kind::Deliver(wire::Deliver {
            conversation: id(rng),
            feed_position: number(rng),
            entries: entries(rng),
        }),
        6 => Kind::Fetched(wire::Fetched {
            conversation: id(rng),
            entries: entries(rng),
            at_start: rng.bool(),
            at_end: rng.bool(),
            last_seq: number(rng),
            related: entries(rng),
            related_cut: rng.bool(),
        }),
        7 => Kind::Receipt(wire::Receipt {
            conversation: id(rng),
            user: id(rng),
            delivered: number(rng),
            read: number(rng),
            time_ms: number(rng),
            feed_position: number(rng),
        }),
        8 => Kind::Changes(changes(rng)),
        9 => {
            let user = wire::User { id: id(rng), name: "bob".into() };
            Kind::Found(wire::Found { user: rng.bool().then_some(user) })
        }
        10 => Kind::Described(described(rng)),
        11 => Kind::Failure(wire::Failure {
            code,
            text: "\u{1b}[2J".into(),
            retry_after_ms: number(rng),
        }),
        12 => match rng.u32(..4) {
            0 => {
                Kind::Close(wire::Close { code, text: String::new(), retry_after_ms: number(rng) })
            }
            _ => Kind::Drain(wire::Drain { within_ms: number(rng) }),
        },
        _ => Kind::Moved(wire::Moved {
            conversation: id(rng),
            delivered: number(rng),
            read: number(rng),
        }),
    }
}

fn presence(rng: &mut Rng) -> wire::Presence {
    wire::Presence { user: id(rng), online: rng.bool(), last_seen_ms: number(rng) }
}

fn welcome(rng: &mut Rng) -> wire::Welcome {
    wire::Welcome {
        version: 1,
        session: vec![1; 16].into(),
        user: vec![1; 16].into(),
        device: vec![1; 16].into(),
        user_name: "ann".into(),
        limits: Some(wire::Limits { requests_in_flight: rng.u32(..), ..wire::Limits::default() }),
        heartbeat_ms: rng.u32(..),
        background_heartbeat_ms: rng.u32(..),
        account_revision: number(rng),
        changes: Some(changes(rng)),
        ..wire::Welcome::default()
    }
}

/// What an application may do meanwhile.
fn act(machine: &mut Machine, rng: &mut Rng, tick: Tick, calls: &mut u64) {
    *calls += 1;
    let conversation = parley_protocol::ConversationId::new([rng.u8(..3); 16]);
    if rng.u32(..4) == 0 {
        machine.typing(tick, conversation, rng.bool());
        machine.set_background(tick, rng.bool());
    }
    let user = || vec![1; 16].into();
    let call = match rng.u32(..9) {
        6 => Call::Ask(Ask::GetAccount(wire::GetAccount {})),
        7 => Call::Ask(Ask::Subscribe(wire::Subscribe {
            users: vec![user()],
            ..wire::Subscribe::default()
        })),
        8 => Call::Users(vec![parley_protocol::UserId::new([rng.u8(..3); 16])]),
        0 => Call::Fetch { conversation, range: Range::After(number(rng)), limit: rng.u32(..) },
        1 => Call::Describe { conversation },
        2 => Call::Lookup { name: "bob".into() },
        3 => Call::Read { conversation, up_to: number(rng) },
        4 => Call::List,
        _ => {
            let id = parley_protocol::ClientMessageId::new(vec![1; 9].into()).unwrap();
            let to =
                if rng.bool() { To::Name("bob".into()) } else { To::Conversation(conversation) };
            machine.queue(to, id, 1, Bytes::from_static(b"\x0a\x01x"));
            return;
        }
    };
    machine.call(tick, CallId(*calls), call);
}

#[test]
fn whatever_the_server_says_the_machine_neither_panics_nor_grows() {
    for seed in 0..400 {
        let mut rng = Rng::with_seed(seed);
        let mut machine = machine();
        let (mut now_ms, mut calls, mut asked) = (0, 0, Vec::new());
        machine.handle_token(Token::new([1; 32]));
        machine.start();
        for _ in 0..200 {
            now_ms += rng.u64(..300);
            let tick = Tick { now_ms, wall_ms: now_ms, random: rng.u64(..) };
            while let Some(output) = machine.poll_output() {
                match output {
                    Output::Dial => {
                        asked.clear();
                        machine.handle_connected(tick, Transport::Tls);
                    }
                    Output::SignIn => machine.handle_token(Token::new([1; 32])),
                    _ => {}
                }
            }
            while let Some(envelope) = machine.poll_transmit(now_ms) {
                let hello = matches!(envelope.kind, Some(wire::client_envelope::Kind::Hello(_)));
                asked.push(envelope.request);
                if hello {
                    let kind = Some(Kind::Welcome(welcome(&mut rng)));
                    let welcome = wire::ServerEnvelope { request: envelope.request, kind };
                    machine.handle_envelope(tick, welcome);
                }
            }
            let request = match rng.u32(..3) {
                0 => 0,
                _ => rng.choice(&asked).copied().unwrap_or(0),
            };
            let kind = (rng.u32(..20) > 0).then(|| kind(&mut rng));
            machine.handle_envelope(tick, wire::ServerEnvelope { request, kind });
            if rng.u32(..4) == 0 {
                act(&mut machine, &mut rng, tick, &mut calls);
            }
            if rng.u32(..40) == 0 {
                machine.handle_failure(tick, Error::new(ErrorKind::Network, "cut"));
            }
            if machine.deadline(now_ms).is_some_and(|at| at <= now_ms) {
                machine.handle_timeout(tick);
            }
            let _ = machine.take_saves();
            let sizes = machine.sizes();
            assert!(sizes.conversations <= 3);
            // Three ids there are; one that is no id stands for an unknown author.
            assert!(sizes.names <= 4 && sizes.requested_names <= 4);
            assert!(sizes.typing <= 9 && sizes.notices <= 3);
        }
    }
}
