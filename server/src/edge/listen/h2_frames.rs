//! Counts the frames of an HTTP/2 connection that carry no request: PING,
//! SETTINGS, PRIORITY, WINDOW_UPDATE, RST_STREAM, CONTINUATION, crumbs of DATA
//! and whatever is unknown.
//!
//! The library answers each of them and has no bound on most, so that a peer that
//! sends nothing else keeps a core busy as long as it likes. Their heads are read
//! here, below the library, from the same bytes. An honest peer sends some few,
//! and those that acknowledge what it was sent: bytes written give some back.

use super::allowance::Allowance;

/// What a client sends first (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;

/// The head of a frame: length, type, flags, stream.
const HEAD_BYTES: usize = 9;

/// Such frames at once, and a second.
const BURST: u32 = 512;
const PER_SECOND: u32 = 64;

/// Bytes written for which one more may come.
const BYTES_FOR_ONE: usize = 1024;

/// Below this a piece of a body that goes on is a crumb.
const CRUMB_BYTES: usize = 256;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const END_STREAM: u8 = 1;

/// The peer sent too many frames that carry nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Flood;

/// Follows the bytes of one connection.
pub(super) struct FrameMeter {
    /// Bytes of the preface or of a payload that are passed over.
    skip: usize,
    head: [u8; HEAD_BYTES],
    filled: usize,
    allowance: Allowance,
    written: usize,
}

impl FrameMeter {
    /// Of a new connection.
    pub(super) fn new() -> Self {
        Self {
            skip: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            filled: 0,
            allowance: Allowance::new(BURST, PER_SECOND),
            written: 0,
        }
    }

    /// Takes note of bytes that came in.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Result<(), Flood> {
        while !bytes.is_empty() {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = bytes.get(passed..).unwrap_or_default();
            while let Some((byte, rest)) = bytes.split_first() {
                if self.skip > 0 {
                    break;
                }
                bytes = rest;
                if let Some(place) = self.head.get_mut(self.filled) {
                    *place = *byte;
                }
                self.filled += 1;
                if self.filled == HEAD_BYTES {
                    self.filled = 0;
                    self.count()?;
                }
            }
        }
        Ok(())
    }

    fn count(&mut self) -> Result<(), Flood> {
        let [a, b, c, kind, flags, ..] = self.head;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        self.skip = length;
        let carries = match kind {
            HEADERS => true,
            DATA => flags & END_STREAM != 0 || length >= CRUMB_BYTES,
            _ => false,
        };
        if carries || self.allowance.take() { Ok(()) } else { Err(Flood) }
    }

    /// Takes note of bytes that went out.
    pub(super) fn wrote(&mut self, bytes: usize) {
        self.written = self.written.saturating_add(bytes);
        let more = self.written / BYTES_FOR_ONE;
        if more > 0 {
            self.written %= BYTES_FOR_ONE;
            self.allowance.give(u32::try_from(more).unwrap_or(u32::MAX));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
    }

    fn begun() -> FrameMeter {
        let mut meter = FrameMeter::new();
        meter.read(PREFACE).unwrap();
        meter
    }

    #[test]
    fn each_kind_of_frame_without_a_request_runs_out() {
        let kinds =
            [(2, 5), (3, 4), (4, 0), (4, 6), (6, 8), (8, 4), (9, 1), (0, 0), (0, 1), (200, 3)];
        for (kind, length) in kinds {
            let mut meter = begun();
            let flood = frame(kind, 0, &vec![0; length]);
            let sent = (0..100_000).take_while(|_| meter.read(&flood).is_ok()).count();
            assert!((512..1024).contains(&sent), "{kind}: {sent}");
        }
    }

    #[test]
    fn requests_and_bodies_cost_nothing_however_they_are_cut() {
        let mut stream = Vec::new();
        for _ in 0..2000 {
            stream.extend(frame(HEADERS, 4, &[6; 40]));
            stream.extend(frame(DATA, 0, &[6; 300]));
            stream.extend(frame(DATA, END_STREAM, &[]));
        }
        for cut in [1, 7, 9, 10_000] {
            let mut meter = begun();
            assert!(stream.chunks(cut).all(|piece| meter.read(piece).is_ok()), "{cut}");
        }
    }

    #[test]
    fn who_is_sent_much_may_acknowledge_it() {
        let mut meter = begun();
        let update = frame(8, 0, &[0, 0, 4, 0]);
        for _ in 0..10_000 {
            meter.wrote(1024);
            meter.read(&update).unwrap();
        }
    }
}
