//! The steps in the server: rows, the store's write, the delivery as it is written.

use std::hint::black_box;

use bytes::{Bytes, BytesMut};
use parley_benches::Step;
use parley_protocol::{ClientMessageId, ConversationId, DeviceId, ShardId};
use parley_server::edge::listen::{DeliverSize, encode_deliver};
use parley_server::storage::store::tables::{dedupe, entries, outbox};
use parley_server::storage::store::{
    DedupeRow, Options, OutboxRange, OutboxRow, Place, Store, Write,
};

/// Messages of one write.
const BATCH: u64 = 16;

/// Bytes of an entry's record: 200 characters and what the server keeps with them.
const RECORD: usize = 300;

/// Writes after which the store of a step begins anew, so that its memory stays bounded.
const WRITES: u64 = 20_000;

/// Those that need the server.
pub(crate) const SERVER: [Step; 3] = [
    Step { name: "store_rows", messages: 1, start: store_rows },
    Step { name: "store_batch", messages: BATCH, start: store_batch },
    Step { name: "fanout_encode", messages: 1, start: fanout_encode },
];

/// The rows of one message: its entry, the answer to its sender, the mark for its feeds.
fn store_rows() -> Box<dyn FnMut()> {
    let record = Bytes::from(vec![b'x'; RECORD]);
    let (mut rows, mut seq) = (Vec::new(), 0);
    Box::new(move || {
        seq += 1;
        rows.clear();
        message(&mut rows, black_box(&record), seq);
        rows.push(mark(seq, 1));
        black_box(&rows);
    })
}

/// The rows of sixteen messages, written as one batch into the real store; the sync, which is the
/// disk's, is measured by `parley-bench floor`.
fn store_batch() -> Box<dyn FnMut()> {
    let record = Bytes::from(vec![b'x'; RECORD]);
    let (mut rows, mut number) = (Vec::new(), 0);
    let mut place = open();
    Box::new(move || {
        if number % WRITES == WRITES - 1 {
            place = open();
        }
        rows.clear();
        let first = number * BATCH + 1;
        (first..first + BATCH).for_each(|seq| message(&mut rows, &record, seq));
        rows.push(mark(number + 1, BATCH));
        number += 1;
        let written = place.0.write_unsynced(black_box(&rows));
        assert!(written.is_ok(), "{written:?}");
    })
}

/// The server's own encoder of a delivery, for one recipient.
fn fanout_encode() -> Box<dyn FnMut()> {
    let entries = [Bytes::from(vec![b'x'; RECORD])];
    let conversation = conversation();
    let mut out = BytesMut::with_capacity(4096);
    Box::new(move || {
        out.clear();
        let entries = black_box(&entries);
        let size = DeliverSize::of(100_000, entries);
        encode_deliver(&size, &conversation, 100_000, entries, &mut out);
        black_box(&out);
    })
}

/// A store in a folder that goes away with it.
fn open() -> (Store, tempfile::TempDir) {
    let made = tempfile::tempdir().map_err(anyhow::Error::from).and_then(|folder| {
        let store = Store::open(&Options::new(folder.path().join("data")))?;
        Ok((store, folder))
    });
    match made {
        Ok(made) => made,
        Err(error) => panic!("a store in the folder for temporary files: {error:#}"),
    }
}

fn message(rows: &mut Vec<Write>, record: &Bytes, seq: u64) {
    let place = Place { shard: ShardId(1), conversation: conversation() };
    rows.push(entries::put_encoded(place, seq, record.clone()));
    let answer = DedupeRow { seq, ordinal: seq, time_ms: 1_700_000_000_000 + seq, digest: !seq };
    rows.push(dedupe::put(place, DeviceId::new([3; 16]), id(seq), &answer));
}

fn mark(index: u64, messages: u64) -> Write {
    let to_seq = index * messages;
    let from_seq = to_seq - messages + 1;
    let range = OutboxRange { conversation: conversation().to_wire(), from_seq, to_seq };
    outbox::put(ShardId(1), index, &OutboxRow { ranges: vec![range] })
}

fn conversation() -> ConversationId {
    ConversationId::new([7; 16])
}

fn id(number: u64) -> ClientMessageId {
    let id = Bytes::copy_from_slice(&u128::from(number).to_be_bytes());
    match ClientMessageId::new(id) {
        Ok(id) => id,
        Err(error) => panic!("16 bytes are an id: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each step checks itself, also when it is taken very often.
    #[test]
    fn every_step_can_be_taken_again_and_again() {
        for step in &SERVER {
            let mut take = (step.start)();
            (0..1000).for_each(|_| take());
        }
    }

    #[test]
    fn names_are_unique() {
        let names: std::collections::BTreeSet<_> = crate::all().map(|step| step.name).collect();
        assert_eq!(names.len(), crate::all().count());
    }
}
