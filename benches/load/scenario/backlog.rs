//! Messages that wait for somebody who is away, written before the measured part and audited after it.

use bytes::Bytes;
use parley_protocol::wire::{self, send};
use prost::Message as _;

use crate::measure::audit::ReceivedLog;
use crate::net::protocol::{self, Mark};

/// So many texts of a run to `peer`.
pub(crate) fn messages(run: u64, peer: &Bytes, count: usize, size: usize) -> Vec<wire::Send> {
    (0..count as u64)
        .map(|number| {
            let mark = Mark { run, number, intended_ns: 0 };
            protocol::send(send::To::Peer(peer.clone()), mark, size)
        })
        .collect()
}

/// Takes an entry into the audit when it is of this run and not by `own`.
pub(crate) fn receive(received: &mut ReceivedLog, entry: wire::Entry, run: u64, own: &Bytes) {
    let text = wire::Text::decode(entry.body).ok();
    if let Some(mark) = text.and_then(|text| protocol::parse(&text.text))
        && mark.run == run
        && entry.sender != *own
    {
        received.take(mark.number, entry.seq);
    }
}
