//! Keys keep their bytes, their order and their calm.

use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::storage::store::families::FAMILIES;

fn hex(bytes: &[u8]) -> String {
    base16ct::lower::encode_string(bytes)
}

fn any_key() -> impl Strategy<Value = RowKey> {
    // Few shards and ids, so that neighbours differ in the later fields too.
    let shard = prop_oneof![0u16..3, Just(0x00ff), Just(0x0100), any::<u16>()].prop_map(ShardId);
    let id = prop_oneof![Just([0u8; 16]), Just([0xff; 16]), any::<[u8; 16]>()];
    let number = prop_oneof![0u64..3, 250u64..260, Just(u64::MAX), any::<u64>()];
    let client = proptest::collection::vec(prop_oneof![Just(0u8), Just(0xff), any::<u8>()], 1..=64)
        .prop_map(|bytes| ClientMessageId::new(bytes.into()).unwrap());
    let fact =
        proptest::sample::select(vec![Fact::Format, Fact::ShardCount, Fact::Boots, Fact::NodeId]);
    let parts = (
        prop::sample::select(Table::ALL),
        shard,
        id.clone(),
        id,
        number,
        client,
        "[a-z][a-z0-9._-]{2,31}",
        any::<[u8; 32]>(),
        fact,
        0u8..5,
    );
    parts.prop_map(
        |(table, shard, a, b, number, client_message_id, name, token_hash, fact, pick)| {
            let (conversation, user) = (ConversationId::new(a), UserId::new(a));
            let (c, other) = (ConversationId::new(b), UserId::new(b));
            let hash: [u8; 8] = token_hash[..8].try_into().unwrap();
            let second = u64::from_be_bytes(hash);
            match table {
                Table::Entries => RowKey::Entry { shard, conversation, seq: number },
                Table::Dedupe => RowKey::Dedupe {
                    shard,
                    conversation,
                    device: DeviceId::new(b),
                    client_message_id,
                },
                Table::Conversations => RowKey::Conversation { shard, conversation },
                Table::Cursors => RowKey::Cursor { shard, conversation, user: UserId::new(b) },
                Table::Outbox => RowKey::Outbox { shard, index: number },
                Table::Relations => {
                    let target = number;
                    let relation = match pick {
                        0 => Relation::Edit { seq: second },
                        1 => Relation::Delete,
                        2 => Relation::Pin,
                        3 => Relation::Change,
                        _ => Relation::Reaction { user: other, emoji_hash: second },
                    };
                    let reference = Reference { target, relation };
                    RowKey::Relation { shard, conversation, reference }
                }
                Table::Mentions => {
                    RowKey::Mention { shard, conversation, user: other, seq: number }
                }
                Table::Deleted => RowKey::Deleted { shard, conversation, ordinal: number },
                Table::Steps => {
                    let which = if pick == 0 { Which::Delivered } else { Which::Read };
                    RowKey::Step { shard, conversation, user: other, which, seq: number }
                }
                Table::Invites => RowKey::Invite { shard, conversation, invite: hash },
                Table::Retention => RowKey::Retention { shard, conversation },
                Table::Preferences => RowKey::Preferences { shard, user, conversation: c },
                Table::Hidden => {
                    let number = u32::try_from(number % 300).unwrap();
                    RowKey::Hidden { shard, user, conversation: c, number }
                }
                Table::Persons => RowKey::Person { shard, user },
                Table::Contacts => RowKey::Contact { shard, user, contact: other },
                Table::Blocks => RowKey::Block { shard, user, blocked: other },
                Table::BlockedBy => RowKey::BlockedBy { shard, user, blocker: other },
                Table::Reports => RowKey::Report { shard, time_ms: number, report: a },
                Table::Seen => RowKey::Seen { shard, user, device: DeviceId::new(b) },
                Table::Departures => RowKey::Departure { shard, user },
                Table::Presence => RowKey::Presence { shard, user },
                Table::Ended => RowKey::Ended { shard, user },
                Table::Skeletons => RowKey::Skeleton { shard, name },
                Table::Feed => RowKey::Feed { shard, user, conversation: ConversationId::new(b) },
                Table::FeedIndex => RowKey::FeedIndex { shard, user, version: number },
                Table::Users => RowKey::User { shard, user },
                Table::Names => RowKey::Name { shard, name },
                Table::Devices => RowKey::Device { shard, user, device: DeviceId::new(b) },
                Table::Tokens => RowKey::Token { shard, token_hash },
                Table::Meta => RowKey::Meta { fact },
            }
        },
    )
}

proptest! {
    #[test]
    fn keys_round_trip(key in any_key()) {
        let bytes = key.encode();
        prop_assert_eq!(RowKey::decode(key.table().family(), bytes.as_bytes()), Ok(key));
    }

    #[test]
    fn bytes_order_as_fields_do(a in any_key(), b in any_key()) {
        if a.table() == b.table() {
            prop_assert_eq!(a.encode().cmp(&b.encode()), a.cmp(&b));
        }
    }

    #[test]
    fn decoding_takes_any_bytes_and_accepts_only_what_encoding_makes(
        family in 0usize..6,
        bytes in proptest::collection::vec(any::<u8>(), 0..120),
    ) {
        let family = FAMILIES[family].family;
        if let Ok(key) = RowKey::decode(family, &bytes) {
            let again = key.encode();
            prop_assert_eq!(again.as_bytes(), &*bytes);
        }
    }

    #[test]
    fn a_damaged_key_is_another_key_or_an_error(key in any_key(), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let mut bytes = key.encode().as_bytes().to_vec();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        prop_assert_ne!(RowKey::decode(key.table().family(), &bytes), Ok(key));
    }

    #[test]
    fn the_successor_is_above_all_that_begin_alike(
        prefix in proptest::collection::vec(prop_oneof![Just(0xffu8), any::<u8>()], 0..6),
        tail in proptest::collection::vec(any::<u8>(), 0..6),
        other in proptest::collection::vec(any::<u8>(), 0..6),
    ) {
        let prefix = Key(prefix);
        let successor = prefix.successor();
        let inside = prefix.clone().with(&tail);
        prop_assert!(successor.as_ref().is_none_or(|successor| inside < *successor));
        // And nothing fits in between.
        let other = Key(other);
        if let Some(successor) = successor && other >= prefix && other < successor {
            prop_assert!(other.as_bytes().starts_with(prefix.as_bytes()));
        }
    }
}

#[test]
fn kinds_are_unique_within_a_family_and_tables_without_one_are_alone() {
    for a in Table::ALL.iter().copied() {
        for b in Table::ALL.iter().copied() {
            if a != b && a.family() == b.family() {
                assert!(a.kind().is_some() && b.kind().is_some(), "{a:?} {b:?}");
                assert_ne!(a.kind(), b.kind(), "{a:?} {b:?}");
            }
        }
    }
}

#[test]
fn key_bytes_are_pinned() {
    let shard = ShardId(0x0102);
    let conversation = ConversationId::new([0xc0; 16]);
    let user = UserId::new([0xb0; 16]);
    let device = DeviceId::new([0xd0; 16]);
    let client_message_id = ClientMessageId::new(Bytes::from_static(b"my-1")).unwrap();
    let c = "c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0c0";
    let u = "b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0";
    let d = "d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0d0";
    let relation = |relation| {
        let reference = Reference { target: 5, relation };
        RowKey::Relation { shard, conversation, reference }
    };
    let pinned = [
        (RowKey::Entry { shard, conversation, seq: 0x1122 }, format!("0102{c}0000000000001122")),
        (
            RowKey::Dedupe { shard, conversation, device, client_message_id },
            format!("0102{c}{d}6d792d31"),
        ),
        (RowKey::Conversation { shard, conversation }, format!("010201{c}")),
        (RowKey::Cursor { shard, conversation, user }, format!("010202{c}{u}")),
        (RowKey::Outbox { shard, index: 7 }, "0102030000000000000007".to_owned()),
        (
            relation(Relation::Edit { seq: 9 }),
            format!("010204{c}0100000000000000050000000000000009"),
        ),
        (relation(Relation::Delete), format!("010204{c}020000000000000005")),
        (
            relation(Relation::Reaction { user, emoji_hash: 0xabcd }),
            format!("010204{c}030000000000000005{u}000000000000abcd"),
        ),
        (relation(Relation::Pin), format!("010204{c}040000000000000005")),
        (relation(Relation::Change), format!("010204{c}050000000000000005")),
        (
            RowKey::Mention { shard, conversation, user, seq: 7 },
            format!("010205{c}{u}0000000000000007"),
        ),
        (RowKey::Deleted { shard, conversation, ordinal: 7 }, format!("010206{c}0000000000000007")),
        (
            RowKey::Step { shard, conversation, user, which: Which::Delivered, seq: 7 },
            format!("010207{c}{u}010000000000000007"),
        ),
        (
            RowKey::Step { shard, conversation, user, which: Which::Read, seq: 7 },
            format!("010207{c}{u}020000000000000007"),
        ),
        (
            RowKey::Invite { shard, conversation, invite: [0xe0; 8] },
            format!("010208{c}e0e0e0e0e0e0e0e0"),
        ),
        (RowKey::Retention { shard, conversation }, format!("010209{c}")),
        (RowKey::Preferences { shard, user, conversation }, format!("010224{u}{c}")),
        (RowKey::Hidden { shard, user, conversation, number: 7 }, format!("010225{u}{c}00000007")),
        (RowKey::Presence { shard, user }, format!("01022d{u}")),
        (RowKey::Ended { shard, user }, format!("01022e{u}")),
        (RowKey::Skeleton { shard, name: "bob".to_owned() }, "01022f626f62".to_owned()),
        (RowKey::Feed { shard, user, conversation }, format!("010210{u}{c}")),
        (RowKey::FeedIndex { shard, user, version: 9 }, format!("010211{u}0000000000000009")),
        (RowKey::User { shard, user }, format!("010220{u}")),
        (RowKey::Name { shard, name: "bob".to_owned() }, "010221626f62".to_owned()),
        (RowKey::Device { shard, user, device }, format!("010222{u}{d}")),
        (RowKey::Token { shard, token_hash: [0xa5; 32] }, format!("010223{}", "a5".repeat(32))),
        (RowKey::Meta { fact: Fact::Format }, "ffff3001".to_owned()),
        (RowKey::Meta { fact: Fact::ShardCount }, "ffff3002".to_owned()),
        (RowKey::Meta { fact: Fact::Boots }, "ffff3003".to_owned()),
        (RowKey::Meta { fact: Fact::NodeId }, "ffff3004".to_owned()),
        (RowKey::Meta { fact: Fact::Skeletons }, "ffff3005".to_owned()),
        (RowKey::Meta { fact: Fact::Clock }, "ffff3006".to_owned()),
        (RowKey::Meta { fact: Fact::Erasing }, "ffff3007".to_owned()),
        (RowKey::Meta { fact: Fact::Incarnation }, "ffff3008".to_owned()),
    ];
    for (key, expected) in pinned {
        assert_eq!(hex(key.encode().as_bytes()), expected, "{key:?}");
    }
}

#[test]
fn what_is_no_key_is_refused_by_its_reason() {
    let bytes = |text: &str| {
        (0..text.len() / 2)
            .map(|at| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap())
            .collect::<Vec<_>>()
    };
    let decode = |family, text: &str| RowKey::decode(family, &bytes(text)).unwrap_err();
    assert_eq!(decode(Family::Log, ""), KeyError::Length);
    assert_eq!(decode(Family::State, "0000"), KeyError::Length);
    assert_eq!(decode(Family::State, "000099"), KeyError::Kind(0x99));
    // A kind of another family.
    assert_eq!(decode(Family::State, "000020"), KeyError::Kind(0x20));
    assert_eq!(decode(Family::State, "000003000000000000000700"), KeyError::Length);
    let relation = |rest: &str| format!("000004{}{rest}", "c0".repeat(16));
    assert_eq!(decode(Family::State, &relation("060000000000000005")), KeyError::Field);
    assert_eq!(decode(Family::State, &relation("020000000000000005aa")), KeyError::Length);
    assert_eq!(decode(Family::Accounts, "000021"), KeyError::Length);
    assert_eq!(decode(Family::Accounts, "000021ff"), KeyError::Field);
    assert_eq!(decode(Family::Meta, "ffff3063"), KeyError::Field);
    assert_eq!(decode(Family::Meta, "00003001"), KeyError::Field);
}
