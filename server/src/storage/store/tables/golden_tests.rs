//! Rows keep their bytes, and damaged ones are errors.

use std::sync::Arc;

use parley_protocol::ids::{ClientMessageId, ConversationId, DeviceId, ShardId, UserId};
use parley_protocol::wire;
use proptest::prelude::*;

use super::*;
use crate::storage::store::engine::Engine;
use crate::storage::store::engine::memory::MemoryEngine;
use crate::storage::store::*;

const SHARD: ShardId = ShardId(3);

fn hex(row: &impl Message) -> String {
    base16ct::lower::encode_string(&row.encode_to_vec())
}

fn store() -> (Store, Arc<MemoryEngine>) {
    let engine = Arc::new(MemoryEngine::new());
    (Store::over(Arc::clone(&engine) as Arc<dyn Engine>, 4, [7; 16]).unwrap(), engine)
}

fn conversation(n: u8) -> ConversationId {
    ConversationId::new([n; 16])
}

fn place(n: u8) -> Place {
    Place { shard: SHARD, conversation: conversation(n) }
}

fn user(n: u8) -> UserId {
    UserId::new([n; 16])
}

#[test]
fn row_bytes_are_pinned() {
    let id = |byte: &'static [u8; 2]| Bytes::from_static(byte);
    let record = Record {
        device: id(b"\xd0\xd1"),
        client_message_id: Bytes::from_static(b"my-1"),
        peer: id(b"\xb0\xb1"),
        content_digest: 0x0102_0304_0506_0708,
        entry: Bytes::from_static(b"\x08\x01"),
    };
    assert_eq!(hex(&record), "0a02d0d112046d792d311a02b0b12108070605040302012a020801");
    let dedupe = DedupeRow { seq: 1, ordinal: 2, time_ms: 300, digest: 4 };
    assert_eq!(hex(&dedupe), "0801100218ac02210400000000000000");
    let member = MemberRow { user: id(b"\xb0\xb1"), joined_seq: 5, ..MemberRow::default() };
    let row = ConversationRow {
        kind: 1,
        members: vec![member],
        created_ms: 300,
        ..ConversationRow::default()
    };
    assert_eq!(hex(&row), "080112060a02b0b1100518ac02");
    let row = CursorRow {
        delivered: 1,
        delivered_ms: 2,
        read: 3,
        read_ms: 4,
        read_ordinal: 5,
        told: None,
    };
    assert_eq!(hex(&row), "08011002180320042805");
    let told = ToldRow { delivered: 1, delivered_ms: 2, read: 3, read_ms: 4 };
    let row = CursorRow { delivered: 5, told: Some(told), ..CursorRow::default() };
    assert_eq!(hex(&row), "080532080801100218032004");
    let member = MemberRow {
        user: id(b"\xb0\xb1"),
        joined_seq: 5,
        role: 2,
        joined_ordinal: 3,
        sees_after: 4,
        left_seq: 9,
    };
    let settings = SettingsRow {
        send: 1,
        add: 2,
        edit_info: 1,
        history_for_newcomers: true,
        retention_s: 300,
    };
    let row = ConversationRow {
        kind: 2,
        members: vec![member],
        created_ms: 300,
        title: "t".into(),
        description: "d".into(),
        picture: "p".into(),
        settings: Some(settings),
        pinned: vec![7],
        erased_up_to: 6,
        periods: vec![PeriodRow { of: id(b"\xb0\xb1"), after: 2, up_to: 3, retention_s: 4 }],
        open_from: 8,
        banned: vec![id(b"\xb2\xb3")],
        dated: true,
        turns: vec![9, 300],
    };
    let expected = "0802120e0a02b0b1100518022003280430091".to_owned()
        + "8ac02220174"
        + "2a0164"
        + "320170"
        + "3a0b080110021801200128ac02"
        + "420107"
        + "4806"
        + "520a0a02b0b1100218032004"
        + "5808"
        + "6202b2b3"
        + "6801"
        + "720309ac02";
    assert_eq!(hex(&row), expected);
    let (sent_seq, revision, message_ms, message_seq) = (8, 9, 10, 12);
    let row = FeedRow { sent_seq, revision, message_ms, message_seq, ..FeedRow::default() };
    assert_eq!(hex(&row), "40084809500a600c");
    let range = OutboxRange { conversation: id(b"\xc0\xc1"), from_seq: 1, to_seq: 2 };
    assert_eq!(hex(&OutboxRow { ranges: vec![range] }), "0a080a02c0c110011802");
    let row = FeedRow {
        version: 1,
        last_seq: 2,
        last_ordinal: 3,
        last_time_ms: 4,
        delivered: 5,
        read: 6,
        floor_ordinal: 7,
        ..FeedRow::default()
    };
    assert_eq!(hex(&row), "0801100218032004280530063807");
    let row =
        UserRow { name: "bob".into(), password_hash: "$a".into(), created_ms: 3, deleted_ms: 4 };
    assert_eq!(hex(&row), "0a03626f6212022461".to_owned() + "18032004");
    let token = DeviceToken { hash: id(b"\xa5\xa6"), created_ms: 4 };
    let row = DeviceRow {
        name: "n".into(),
        platform: "p".into(),
        created_ms: 3,
        tokens: vec![token],
        past: vec![id(b"\xa7\xa8")],
        signed_in_ms: 5,
        signed_in_from: "f".into(),
    };
    assert_eq!(
        hex(&row),
        "0a016e12017018032206".to_owned() + "0a02a5a61004" + "2a02a7a8" + "30053a0166"
    );
    let row = PersonRow {
        revision: 1,
        display_name: "B".into(),
        about: "a".into(),
        picture: "p".into(),
        phone: "1".into(),
        email: "e".into(),
        presence: 2,
        phone_for: 3,
        email_for: 1,
        group_adds: 2,
        messages: 3,
        hides_reads: true,
        hides_typing: true,
    };
    let pinned =
        "08011201421a0161220170".to_owned() + "2a013132016538024003480150025803" + "60016801";
    assert_eq!(hex(&row), pinned);
    assert_eq!(hex(&KnownRow { since_ms: 300 }), "08ac02");
    let row = ReportRow {
        reporter: id(b"\xb0\xb1"),
        user: id(b"\xb2\xb3"),
        conversation: id(b"\xc0\xc1"),
        seqs: vec![1, 300],
        reason: "r".into(),
    };
    assert_eq!(hex(&row), "0a02b0b11202b2b31a02c0c1220301ac022a0172");
    assert_eq!(hex(&SeenRow { active_ms: 300 }), "08ac02");
    assert_eq!(hex(&DepartureRow { device: id(b"\xd0\xd1") }), "0a02d0d1");
    let ended = EndedDevice {
        device: id(b"\xd0\xd1"),
        name: "n".into(),
        tokens: vec![id(b"\xa5\xa6"), id(b"\xa7\xa8")],
    };
    let row = EndedRow { devices: vec![ended] };
    assert_eq!(hex(&row), "0a0f".to_owned() + "0a02d0d112016e1a02a5a61a02a7a8");
    let row = TokenRow { user: id(b"\xb0\xb1"), device: id(b"\xd0\xd1"), used_ms: 5 };
    assert_eq!(hex(&row), "0a02b0b11202d0d11805");
    assert_eq!(hex(&RelationRow { seq: 300 }), "08ac02");
    assert_eq!(hex(&MentionRow { ordinal: 300 }), "08ac02");
    assert_eq!(hex(&DeletedRow { seq: 300, count: 0 }), "08ac02");
    assert_eq!(hex(&DeletedRow { seq: 300, count: 2 }), "08ac021002");
    assert_eq!(hex(&StepRow { time_ms: 300 }), "08ac02");
    assert_eq!(hex(&HiddenRow { seq: 300 }), "08ac02");
    assert_eq!(hex(&PresenceRow { last_seen_ms: 300 }), "08ac02");
    let period = ErasedRow { of: id(b"\xb0\xb1"), after: 2, seq: 3 };
    let row = RetentionRow { seq: 300, ordinal: 2, periods: vec![period], seen_seq: 5, seen_ms: 6 };
    assert_eq!(hex(&row), "08ac0210021a080a02b0b11002180320052806");
    let row = InviteRow {
        secret: id(b"\xa5\xa6"),
        created_by: id(b"\xb0\xb1"),
        created_ms: 3,
        expires_ms: 4,
        max_uses: 5,
        uses: 6,
        revoked: true,
    };
    assert_eq!(hex(&row), "0a02a5a61202b0b1180320042805".to_owned() + "30063801");
    let row = PreferencesRow {
        muted_until_ms: 1,
        archived: true,
        pinned: true,
        marked_unread: true,
        level: 2,
        draft: "d".into(),
        draft_reply_to: 3,
        cleared_up_to: 4,
        cleared_ordinal: 5,
        accepted: true,
        revision: 6,
        hidden: 7,
    };
    let expected = "0801100118012001280232016438034004480550015806".to_owned() + "6007";
    assert_eq!(hex(&row), expected);
}

#[test]
fn the_head_of_an_entry_is_what_the_wire_says() {
    let entry = wire::Entry {
        seq: 5,
        ordinal: 4,
        time_ms: 1_700_000_000_000,
        epoch: 2,
        sender: user(9).to_wire(),
        kind: 77,
        body: Bytes::from(vec![1; 1000]),
        erased: false,
        damaged: false,
    };
    let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
    let head = record.head().unwrap();
    assert_eq!((head.seq, head.ordinal, head.time_ms), (entry.seq, entry.ordinal, entry.time_ms));
    assert_eq!((head.epoch, head.sender, head.kind), (entry.epoch, entry.sender, entry.kind));
}

#[test]
fn a_record_is_decoded_without_copying_the_entry() {
    let record = Record { entry: Bytes::from(vec![1; 1000]), ..Record::default() };
    let bytes = Bytes::from(record.encode_to_vec());
    let entry = Record::decode(bytes.clone()).unwrap().entry;
    let within = bytes.as_ptr_range();
    assert!(within.contains(&entry.as_ptr()));
}

#[test]
fn debug_output_shows_no_text_and_no_hash() {
    let text = wire::Text { text: "a-secret".into(), ..wire::Text::default() }.encode_to_vec();
    let entry = wire::Entry { seq: 1, body: text.into(), ..wire::Entry::default() };
    let record = Record { entry: entry.encode_to_vec().into(), ..Record::default() };
    let user = UserRow {
        name: "bob".into(),
        password_hash: "a-secret".into(),
        created_ms: 1,
        deleted_ms: 0,
    };
    let token = DeviceToken { hash: Bytes::from_static(b"a-secret"), created_ms: 1 };
    let invite = InviteRow { secret: Bytes::from_static(b"a-secret"), ..InviteRow::default() };
    let preferences = PreferencesRow { draft: "a-secret".into(), ..PreferencesRow::default() };
    let shown = format!("{record:?} {user:?} {token:?} {invite:?} {preferences:?}");
    assert!(!shown.contains("a-secret") && !shown.contains("97, 45"), "{shown}");
    assert!(shown.contains("bob"), "{shown}");
}

#[test]
fn a_damaged_row_is_an_error_that_names_its_place() {
    let (store, engine) = store();
    let key = RowKey::Conversation { shard: SHARD, conversation: conversation(0xc0) };
    let damaged =
        Write { table: key.table(), key: key.encode(), value: Some(Bytes::from_static(b"\x0a")) };
    engine.write(&[damaged]).unwrap();
    let error = store.conversation(place(0xc0)).unwrap_err();
    let expected = format!("the row 000301{} of table conversations is damaged", "c0".repeat(16));
    assert_eq!(error.to_string(), expected);
    // A name is somebody's; it stays out of the error.
    let key = RowKey::Name { shard: SHARD, name: "bob".into() };
    let damaged =
        Write { table: key.table(), key: key.encode(), value: Some(Bytes::from_static(b"x")) };
    engine.write(&[damaged]).unwrap();
    let error = store.user_of_name(SHARD, "bob").unwrap_err();
    assert_eq!(error.to_string(), "the row 000321 of table names is damaged");
}

#[test]
fn rows_of_neighbours_are_not_mixed_up() {
    let (store, _) = store();
    let row = |n| CursorRow { delivered: n, ..CursorRow::default() };
    let device =
        |n: u8| (DeviceId::new([n; 16]), DeviceRow { name: n.to_string(), ..DeviceRow::default() });
    store
        .write_synced(&[
            cursors::put(place(1), user(2), &row(12)),
            cursors::put(place(1), user(1), &row(11)),
            cursors::put(place(2), user(1), &row(21)),
            cursors::put(Place { shard: ShardId(2), ..place(1) }, user(3), &row(13)),
            devices::put(SHARD, user(1), device(1).0, &device(1).1),
            devices::put(SHARD, user(1), device(2).0, &device(2).1),
            devices::put(SHARD, user(2), device(3).0, &device(3).1),
        ])
        .unwrap();
    let found = store.cursors(place(1), 10).unwrap();
    assert_eq!(found, [(user(1), row(11)), (user(2), row(12))]);
    assert_eq!(store.cursors(place(1), 1).unwrap().len(), 1);
    assert_eq!(store.cursor(place(2), user(1)).unwrap(), Some(row(21)));
    assert_eq!(store.devices(SHARD, user(1), 10).unwrap(), [device(1), device(2)]);
    store.write_synced(&[devices::delete(SHARD, user(1), device(1).0)]).unwrap();
    assert_eq!(store.devices(SHARD, user(1), 10).unwrap(), [device(2)]);
}

#[test]
fn a_user_is_found_by_name_and_by_token() {
    let (store, _) = store();
    let row =
        UserRow { name: "bob".into(), password_hash: "$".into(), created_ms: 1, deleted_ms: 0 };
    let token = TokenRow::new(user(1), DeviceId::new([2; 16]));
    store
        .write_synced(&[
            users::put(SHARD, user(1), &row),
            names::put(SHARD, "bob", user(1)),
            tokens::put(SHARD, [5; 32], &token),
        ])
        .unwrap();
    assert_eq!(store.user_of_name(SHARD, "bob").unwrap(), Some(user(1)));
    assert_eq!(store.user_of_name(SHARD, "bo").unwrap(), None);
    assert_eq!(store.user_of_name(ShardId(0), "bob").unwrap(), None);
    assert_eq!(store.user(SHARD, user(1)).unwrap(), Some(row));
    let owner = store.token(SHARD, [5; 32]).unwrap().unwrap().owner().unwrap();
    assert_eq!(owner, (user(1), DeviceId::new([2; 16])));
    store.write_synced(&[tokens::delete(SHARD, [5; 32]), names::delete(SHARD, "bob")]).unwrap();
    assert_eq!(store.token(SHARD, [5; 32]).unwrap(), None);
    assert_eq!(store.user_of_name(SHARD, "bob").unwrap(), None);
}

#[test]
fn a_feed_is_read_in_order_of_change_and_in_pages() {
    let (store, _) = store();
    let row = |version, last_seq| FeedRow { version, last_seq, ..FeedRow::default() };
    let put = |n, old, row: &FeedRow| {
        store.write_synced(&feed::put(SHARD, user(1), conversation(n), old, row)).unwrap();
    };
    assert_eq!(store.feed_position(SHARD, user(1)).unwrap(), 0);
    put(1, None, &row(1, 1));
    put(2, None, &row(2, 1));
    put(3, None, &row(3, 1));
    put(1, Some(1), &row(4, 2));
    // The same version again, as after a crash: nothing moves.
    put(1, Some(4), &row(4, 2));
    store.write_synced(&feed::put(SHARD, user(2), conversation(9), None, &row(9, 1))).unwrap();

    assert_eq!(store.feed_position(SHARD, user(1)).unwrap(), 4);
    let page = store.feed_after(SHARD, user(1), 0, 2).unwrap();
    assert_eq!(page.rows, [(conversation(2), row(2, 1)), (conversation(3), row(3, 1))]);
    assert!(page.more && page.position == 3);
    let page = store.feed_after(SHARD, user(1), page.position, 2).unwrap();
    assert_eq!(page.rows, [(conversation(1), row(4, 2))]);
    assert!(!page.more && page.position == 4);
    let page = store.feed_after(SHARD, user(1), 4, 2).unwrap();
    assert!(page.rows.is_empty() && !page.more && page.position == 4);
    assert_eq!(store.feed_row(SHARD, user(1), conversation(1)).unwrap(), Some(row(4, 2)));
}

#[test]
fn an_outbox_is_read_from_its_first_row_left() {
    let (store, _) = store();
    let row = |n| OutboxRow {
        ranges: vec![OutboxRange {
            conversation: conversation(n).to_wire(),
            from_seq: 1,
            to_seq: 1,
        }],
    };
    assert_eq!(store.outbox_end(SHARD).unwrap(), 0);
    let puts: Vec<_> = (1..=300).map(|index| outbox::put(SHARD, index, &row(1))).collect();
    store.write_synced(&puts).unwrap();
    store.write_synced(&[outbox::put(ShardId(2), 1, &row(2)), outbox::delete(SHARD, 1)]).unwrap();
    assert_eq!(store.outbox_end(SHARD).unwrap(), 300);
    assert_eq!(store.outbox_end(ShardId(2)).unwrap(), 1);
    assert_eq!(store.outbox_end(ShardId(1)).unwrap(), 0);
    let indexes: Vec<_> =
        store.outbox(SHARD, 0, 2).unwrap().into_iter().map(|(index, _)| index).collect();
    assert_eq!(indexes, [2, 3]);
    assert_eq!(store.outbox(SHARD, 299, 9).unwrap(), [(300, row(1))]);
}

#[test]
fn dedupe_rows_tell_devices_and_ids_apart() {
    let (store, _) = store();
    let id =
        |text: &'static str| ClientMessageId::new(Bytes::from_static(text.as_bytes())).unwrap();
    let row = DedupeRow { seq: 5, ordinal: 5, time_ms: 1, digest: 9 };
    let device = DeviceId::new([1; 16]);
    store.write_synced(&[dedupe::put(place(1), device, id("a"), &row)]).unwrap();
    assert_eq!(store.dedupe(place(1), device, &id("a")).unwrap(), Some(row));
    assert_eq!(store.dedupe(place(1), device, &id("ab")).unwrap(), None);
    assert_eq!(store.dedupe(place(2), device, &id("a")).unwrap(), None);
    assert_eq!(store.dedupe(place(1), DeviceId::new([2; 16]), &id("a")).unwrap(), None);
}

proptest! {
    #[test]
    fn no_bytes_make_a_row_panic(value in proptest::collection::vec(any::<u8>(), 0..200)) {
        let value = Bytes::from(value);
        if let Ok(record) = Record::decode(value.clone()) {
            let _ = (record.head(), record.device(), record.client_message_id(), record.peer());
        }
        let _ = DedupeRow::decode(value.clone());
        let _ = ConversationRow::decode(value.clone());
        let _ = CursorRow::decode(value.clone());
        let _ = OutboxRow::decode(value.clone());
        let _ = FeedRow::decode(value.clone());
        let _ = UserRow::decode(value.clone());
        let _ = DeviceRow::decode(value.clone());
        let _ = TokenRow::decode(value.clone()).map(|row| row.owner());
        let _ = InviteRow::decode(value.clone()).map(|row| row.works(0));
        let _ = PreferencesRow::decode(value.clone());
        let _ = RetentionRow::decode(value.clone());
        let _ = entries::without_body(1, &value);
    }

    /// A newer build may add fields; today's rows must survive them.
    #[test]
    fn unknown_fields_are_tolerated(tag in 100u32..1000, number: u64) {
        let row = DedupeRow { seq: 1, ordinal: 1, time_ms: 1, digest: 1 };
        let mut bytes = row.encode_to_vec();
        prost::encoding::uint64::encode(tag, &number, &mut bytes);
        prop_assert_eq!(DedupeRow::decode(&*bytes), Ok(row));
    }
}

#[test]
fn lists_of_people_are_read_and_a_block_is_in_both_homes() {
    let (store, _) = store();
    let (ann, bob, cat) = ((SHARD, user(1)), (ShardId(0), user(2)), (SHARD, user(3)));
    let since = KnownRow { since_ms: 1 };
    let mut writes = vec![
        contacts::put(ann.0, ann.1, cat.1, &since),
        contacts::put(ann.0, ann.1, bob.1, &since),
        contacts::put(cat.0, cat.1, ann.1, &since),
    ];
    writes.extend(blocks::put(ann, bob, &since));
    writes.extend(blocks::put(cat, bob, &since));
    store.write_synced(&writes).unwrap();
    assert_eq!(store.contacts(SHARD, ann.1, 10).unwrap(), [bob.1, cat.1]);
    assert_eq!(store.contacts(SHARD, ann.1, 1).unwrap(), [bob.1]);
    assert_eq!(store.blocked(SHARD, ann.1, 10).unwrap(), [bob.1]);
    assert_eq!(store.blocked_by(bob.0, bob.1, 10).unwrap(), [ann.1, cat.1]);
    assert!(store.blocked(bob.0, bob.1, 10).unwrap().is_empty());
    let mut writes = blocks::delete(ann, bob);
    writes.push(contacts::delete(ann.0, ann.1, bob.1));
    store.write_synced(&writes).unwrap();
    assert!(store.blocked(SHARD, ann.1, 10).unwrap().is_empty());
    assert_eq!(store.blocked_by(bob.0, bob.1, 10).unwrap(), [cat.1]);
    assert_eq!(store.contacts(SHARD, ann.1, 10).unwrap(), [cat.1]);
}

#[test]
fn what_a_deleted_account_left_is_erased_in_batches() {
    let (store, _) = store();
    let row = PreferencesRow { archived: true, ..PreferencesRow::default() };
    let mut writes: Vec<Write> =
        (1..=5).map(|n| preferences::put(SHARD, user(1), conversation(n), &row)).collect();
    writes.push(hidden::put(SHARD, user(1), conversation(1), 0, 9));
    writes.push(preferences::put(SHARD, user(2), conversation(1), &row));
    store.write_synced(&writes).unwrap();
    let mut erased = 0;
    loop {
        let writes = store.erasing(SHARD, user(1), 3).unwrap();
        assert!(writes.len() <= 3);
        if writes.is_empty() {
            break;
        }
        erased += writes.len();
        store.write_synced(&writes).unwrap();
    }
    assert_eq!(erased, 6);
    assert_eq!(store.preferences(SHARD, user(1), conversation(1)).unwrap(), None);
    assert_eq!(store.preferences(SHARD, user(2), conversation(1)).unwrap(), Some(row));
}

#[test]
fn reports_are_read_in_order_of_time_and_departures_all() {
    let (store, _) = store();
    let row = |reason: &str| ReportRow { reason: reason.into(), ..ReportRow::default() };
    let leaving = DepartureRow { device: Bytes::from_static(&[7; 16]) };
    store
        .write_synced(&[
            reports::put(SHARD, 300, [1; 16], &row("late")),
            reports::put(SHARD, 20, [2; 16], &row("early")),
            reports::put(ShardId(2), 1, [3; 16], &row("elsewhere")),
            departures::put(SHARD, user(1), &leaving),
        ])
        .unwrap();
    let found = |since, limit| -> Vec<u64> {
        store.reports(SHARD, since, limit).unwrap().iter().map(|found| found.time_ms).collect()
    };
    assert_eq!((found(0, 9), found(21, 9), found(0, 1)), (vec![20, 300], vec![300], vec![20]));
    assert_eq!(store.departures(SHARD, 9).unwrap(), [(user(1), leaving)]);
    assert!(store.departures(ShardId(2), 9).unwrap().is_empty());
}
