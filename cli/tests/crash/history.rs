//! What the writers did, and the judgement of what the readers saw.
//!
//! Every send is an [`Op`] with its outcome as its writer knows it. Every
//! reader gives a [`Reading`] of a whole conversation. [`check`] goes once over
//! each log and names what is wrong; there is no search and no tolerance. The
//! payload carries writer, counter and conversation, so a reading is judged
//! without trust in what the server says about authorship.
//!
//! Each verdict has a test below with a history in which it must be given.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use bytes::Bytes;
use parley_protocol::Message as _;
use parley_protocol::wire::{Entry, Text};

/// A conversation as the test names it: the two people in it.
pub(crate) type Pair = (usize, usize);

/// Names a send: writer and counter.
pub(crate) type OpId = (usize, u64);

/// What the server answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) seq: u64,
    pub(crate) ordinal: u64,
    pub(crate) time_ms: u64,
}

/// What the writer knows of a send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    Acked(Ack),
    /// Refused for certain: it must never appear.
    Refused,
    /// No answer came: it may have landed once or not at all.
    Unknown,
}

/// One send.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    pub(crate) id: OpId,
    pub(crate) conversation: Pair,
    /// Monotonic time of the first try.
    pub(crate) invoked_ns: u64,
    /// Monotonic time of the answer; the largest number without one.
    pub(crate) answered_ns: u64,
    pub(crate) outcome: Outcome,
}

/// A whole conversation as one reader has it: encoded entries in its order.
#[derive(Debug, Clone)]
pub(crate) struct Reading {
    pub(crate) reader: String,
    pub(crate) conversation: Pair,
    pub(crate) entries: Vec<Bytes>,
}

/// Where in a writer's acknowledged sends a lost one was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Prefix,
    /// The worst: earlier and later ones are there.
    Middle,
    Suffix,
    All,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Lost {
        op: OpId,
        place: Place,
    },
    Duplicate {
        op: OpId,
        seq: u64,
    },
    Unexpected {
        seq: u64,
        why: &'static str,
    },
    Hole {
        after: u64,
        next: u64,
    },
    Reordered {
        op: OpId,
        seq: u64,
        why: &'static str,
    },
    Divergent {
        reader: String,
        index: usize,
    },
    /// The log holds the send elsewhere, or at another time, than the answer said.
    WrongAnswer {
        op: OpId,
        seq: u64,
    },
    /// The ordinal or the time of an entry doesn't follow from the one before.
    WrongStamp {
        seq: u64,
    },
}

/// The judgement.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// At most [`Report::KEPT`] of them; `wrong` counts all.
    pub(crate) verdicts: Vec<(Pair, Verdict)>,
    pub(crate) wrong: usize,
    pub(crate) entries: usize,
    /// Sends without an answer that did land. Information only.
    pub(crate) recovered_unknown: usize,
}

impl Report {
    const KEPT: usize = 50;

    /// Takes in the judgement of other conversations.
    pub(crate) fn append(&mut self, other: Self) {
        self.wrong += other.wrong;
        self.entries += other.entries;
        self.recovered_unknown += other.recovered_unknown;
        self.verdicts.extend(other.verdicts);
        self.verdicts.truncate(Self::KEPT);
    }

    fn add(&mut self, conversation: Pair, verdict: Verdict) {
        self.wrong += 1;
        if self.verdicts.len() < Self::KEPT {
            self.verdicts.push((conversation, verdict));
        }
    }
}

/// The text of a send.
pub(crate) fn payload((writer, counter): OpId, (a, b): Pair, padding: usize) -> String {
    format!("w{writer} c{counter} p{a}-{b} {}", "x".repeat(padding))
}

/// Reads a payload back.
pub(crate) fn parse_payload(text: &str) -> Option<(OpId, Pair)> {
    let mut words = text.split(' ');
    let writer = words.next()?.strip_prefix('w')?.parse().ok()?;
    let counter = words.next()?.strip_prefix('c')?.parse().ok()?;
    let (a, b) = words.next()?.strip_prefix('p')?.split_once('-')?;
    Some(((writer, counter), (a.parse().ok()?, b.parse().ok()?)))
}

/// Judges the readings. `users` are the user ids of the writers.
pub(crate) fn check(ops: &[Op], readings: &[Reading], users: &[Bytes]) -> Report {
    let mut report = Report::default();
    let mut by_conversation: BTreeMap<Pair, Vec<&Reading>> = BTreeMap::new();
    for op in ops {
        by_conversation.entry(op.conversation).or_default();
    }
    for reading in readings {
        by_conversation.entry(reading.conversation).or_default().push(reading);
    }
    for (conversation, readings) in by_conversation {
        let ops: HashMap<OpId, &Op> =
            ops.iter().filter(|op| op.conversation == conversation).map(|op| (op.id, op)).collect();
        let nothing = Vec::new();
        let reference = readings.first().map_or(&nothing, |reading| &reading.entries);
        for other in readings.iter().skip(1) {
            if let Some(index) = first_difference(reference, &other.entries) {
                let reader = other.reader.clone();
                report.add(conversation, Verdict::Divergent { reader, index });
            }
        }
        check_log(conversation, &ops, reference, users, &mut report);
    }
    report
}

fn first_difference(one: &[Bytes], other: &[Bytes]) -> Option<usize> {
    let shared = one.iter().zip(other).position(|(one, other)| one != other);
    shared.or_else(|| (one.len() != other.len()).then(|| one.len().min(other.len())))
}

fn check_log(
    conversation: Pair,
    ops: &HashMap<OpId, &Op>,
    entries: &[Bytes],
    users: &[Bytes],
    report: &mut Report,
) {
    let mut seen: HashSet<OpId> = HashSet::new();
    let mut last_counter: HashMap<usize, u64> = HashMap::new();
    let mut newest_invocation = 0;
    let mut before = Entry::default();
    for bytes in entries {
        report.entries += 1;
        let Ok(entry) = Entry::decode(bytes.clone()) else {
            report.add(conversation, Verdict::Unexpected { seq: 0, why: "not an entry" });
            continue;
        };
        let seq = entry.seq;
        if seq != before.seq + 1 {
            report.add(conversation, Verdict::Hole { after: before.seq, next: seq });
        }
        if entry.ordinal != before.ordinal + 1 || entry.time_ms < before.time_ms {
            report.add(conversation, Verdict::WrongStamp { seq });
        }
        match expected(conversation, ops, users, &entry) {
            Err(why) => report.add(conversation, Verdict::Unexpected { seq, why }),
            Ok(op) if !seen.insert(op.id) => {
                report.add(conversation, Verdict::Duplicate { op: op.id, seq });
            }
            Ok(op) => {
                check_order(conversation, op, seq, &mut last_counter, newest_invocation, report);
                newest_invocation = newest_invocation.max(op.invoked_ns);
                let got = Ack { seq, ordinal: entry.ordinal, time_ms: entry.time_ms };
                match op.outcome {
                    Outcome::Acked(ack) if ack != got => {
                        report.add(conversation, Verdict::WrongAnswer { op: op.id, seq });
                    }
                    Outcome::Unknown => report.recovered_unknown += 1,
                    Outcome::Acked(_) | Outcome::Refused => {}
                }
            }
        }
        before = entry;
    }
    check_lost(conversation, ops, &seen, report);
}

/// The send an entry comes from.
fn expected<'a>(
    conversation: Pair,
    ops: &HashMap<OpId, &'a Op>,
    users: &[Bytes],
    entry: &Entry,
) -> Result<&'a Op, &'static str> {
    let text = Text::decode(entry.body.clone()).map_err(|_| "its body is no text")?;
    let (id, named) = parse_payload(&text.text).ok_or("a text nobody sent")?;
    if named != conversation {
        return Err("sent into another conversation");
    }
    let op = ops.get(&id).ok_or("never sent")?;
    if op.outcome == Outcome::Refused {
        return Err("it was refused");
    }
    if users.get(id.0) != Some(&entry.sender) {
        return Err("under another name");
    }
    Ok(op)
}

fn check_order(
    conversation: Pair,
    op: &Op,
    seq: u64,
    last_counter: &mut HashMap<usize, u64>,
    newest_invocation: u64,
    report: &mut Report,
) {
    let (writer, counter) = op.id;
    let last = last_counter.entry(writer).or_default();
    if counter <= *last {
        let why = "behind a later one of its writer";
        report.add(conversation, Verdict::Reordered { op: op.id, seq, why });
    } else if newest_invocation > op.answered_ns {
        let why = "behind one that began after its answer";
        report.add(conversation, Verdict::Reordered { op: op.id, seq, why });
    }
    *last = counter.max(*last);
}

fn check_lost(
    conversation: Pair,
    ops: &HashMap<OpId, &Op>,
    seen: &HashSet<OpId>,
    report: &mut Report,
) {
    // Per writer: the lowest and highest counter that was acknowledged and is there.
    let mut range: HashMap<usize, (u64, u64)> = HashMap::new();
    let acked = |op: &&&Op| matches!(op.outcome, Outcome::Acked(_));
    for op in ops.values().filter(acked).filter(|op| seen.contains(&op.id)) {
        let (writer, counter) = op.id;
        let (low, high) = range.entry(writer).or_insert((counter, counter));
        (*low, *high) = (counter.min(*low), counter.max(*high));
    }
    for op in ops.values().filter(acked).filter(|op| !seen.contains(&op.id)) {
        let (writer, counter) = op.id;
        let place = match range.get(&writer) {
            None => Place::All,
            Some((low, _)) if counter < *low => Place::Prefix,
            Some((_, high)) if counter > *high => Place::Suffix,
            Some(_) => Place::Middle,
        };
        report.add(conversation, Verdict::Lost { op: op.id, place });
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} entries, {} recovered unknowns, {} wrong",
            self.entries, self.recovered_unknown, self.wrong
        )?;
        for (pair, verdict) in &self.verdicts {
            write!(f, "\n  {pair:?}: {verdict:?}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIR: Pair = (0, 1);

    fn users() -> Vec<Bytes> {
        vec![Bytes::from_static(&[0; 16]), Bytes::from_static(&[1; 16])]
    }

    /// Six sends of two writers, one after the other, all acknowledged.
    fn healthy() -> (Vec<Op>, Vec<Entry>) {
        let mut ops = Vec::new();
        let mut entries = Vec::new();
        for seq in 1..=6u64 {
            let writer = usize::from(seq % 2 == 0);
            let id = (writer, seq);
            let ack = Ack { seq, ordinal: seq, time_ms: 1000 + seq };
            ops.push(Op {
                id,
                conversation: PAIR,
                invoked_ns: seq * 10,
                answered_ns: seq * 10 + 5,
                outcome: Outcome::Acked(ack),
            });
            let body =
                Text { text: payload(id, PAIR, 3), ..Text::default() }.encode_to_vec().into();
            let sender = users()[writer].clone();
            entries.push(Entry {
                seq,
                ordinal: seq,
                time_ms: 1000 + seq,
                epoch: 1,
                sender,
                kind: 1,
                body,
                erased: false,
                damaged: false,
            });
        }
        (ops, entries)
    }

    fn reading(reader: &str, entries: &[Entry]) -> Reading {
        let entries = entries.iter().map(|entry| entry.encode_to_vec().into()).collect();
        Reading { reader: reader.to_owned(), conversation: PAIR, entries }
    }

    fn judge(ops: &[Op], entries: &[Entry]) -> Vec<Verdict> {
        let report = check(ops, &[reading("one", entries)], &users());
        report.verdicts.into_iter().map(|(_, verdict)| verdict).collect()
    }

    /// Numbers the entries again, and the answers with them, so that only the
    /// planted fault is left.
    fn renumber(ops: &mut [Op], entries: &mut [Entry]) {
        for (seq, entry) in (1..).zip(&mut *entries) {
            (entry.seq, entry.ordinal, entry.time_ms) = (seq, seq, 1000 + seq);
            let text = Text::decode(entry.body.clone()).unwrap().text;
            let (id, _) = parse_payload(&text).unwrap();
            if let Some(op) = ops.iter_mut().find(|op| op.id == id)
                && let Outcome::Acked(ack) = &mut op.outcome
            {
                *ack = Ack { seq, ordinal: seq, time_ms: 1000 + seq };
            }
        }
    }

    #[test]
    fn a_healthy_history_passes() {
        let (ops, entries) = healthy();
        assert_eq!(judge(&ops, &entries), []);
    }

    #[test]
    fn lost_is_found_and_placed() {
        for (missing, place) in [(0, Place::Prefix), (2, Place::Middle), (4, Place::Suffix)] {
            let (mut ops, mut entries) = healthy();
            entries.remove(missing);
            renumber(&mut ops, &mut entries);
            let op = ops[missing].id;
            assert_eq!(judge(&ops, &entries), [Verdict::Lost { op, place }]);
        }
        let (ops, _) = healthy();
        assert_eq!(judge(&ops, &[]).len(), 6);
        assert_eq!(check(&ops, &[], &users()).wrong, 6, "no reading at all");
    }

    #[test]
    fn a_duplicate_is_found() {
        let (mut ops, mut entries) = healthy();
        entries.push(entries[5].clone());
        renumber(&mut ops, &mut entries);
        let verdicts = judge(&ops, &entries);
        assert!(verdicts.contains(&Verdict::Duplicate { op: (1, 6), seq: 7 }), "{verdicts:?}");
    }

    #[test]
    fn what_nobody_sent_is_found() {
        let (ops, mut entries) = healthy();
        entries[3].body =
            Text { text: "hello".to_owned(), ..Text::default() }.encode_to_vec().into();
        let verdicts = judge(&ops, &entries);
        assert!(verdicts.contains(&Verdict::Unexpected { seq: 4, why: "a text nobody sent" }));
        let (ops, mut entries) = healthy();
        entries[3].sender = users()[0].clone();
        let verdicts = judge(&ops, &entries);
        assert!(verdicts.contains(&Verdict::Unexpected { seq: 4, why: "under another name" }));
        let (ops, mut entries) = healthy();
        entries[3].body =
            Text { text: payload((1, 4), (0, 5), 0), ..Text::default() }.encode_to_vec().into();
        let why = "sent into another conversation";
        assert!(judge(&ops, &entries).contains(&Verdict::Unexpected { seq: 4, why }));
    }

    #[test]
    fn a_refused_send_must_not_appear() {
        let (mut ops, entries) = healthy();
        ops[3].outcome = Outcome::Refused;
        let refused = Verdict::Unexpected { seq: 4, why: "it was refused" };
        assert_eq!(judge(&ops, &entries), [refused]);
    }

    #[test]
    fn an_unknown_send_may_land_or_not() {
        let (mut ops, mut entries) = healthy();
        ops[5].outcome = Outcome::Unknown;
        let report = check(&ops, &[reading("one", &entries)], &users());
        assert_eq!((report.wrong, report.recovered_unknown), (0, 1));
        entries.pop();
        let report = check(&ops, &[reading("one", &entries)], &users());
        assert_eq!((report.wrong, report.recovered_unknown), (0, 0));
    }

    #[test]
    fn a_hole_and_a_seq_used_twice_are_found() {
        let (mut ops, mut entries) = healthy();
        for entry in &mut entries[3..] {
            entry.seq += 1;
        }
        for op in &mut ops[3..] {
            if let Outcome::Acked(ack) = &mut op.outcome {
                ack.seq += 1;
            }
        }
        assert_eq!(judge(&ops, &entries), [Verdict::Hole { after: 3, next: 5 }]);
        entries[3].seq = 3;
        assert!(judge(&ops, &entries).contains(&Verdict::Hole { after: 3, next: 3 }));
    }

    #[test]
    fn a_writer_out_of_order_is_found() {
        let (mut ops, mut entries) = healthy();
        // Unknown answers, so that only the writer's own order speaks.
        for op in &mut ops {
            (op.outcome, op.answered_ns) = (Outcome::Unknown, u64::MAX);
        }
        entries.swap(2, 4);
        renumber(&mut ops, &mut entries);
        let why = "behind a later one of its writer";
        assert_eq!(judge(&ops, &entries), [Verdict::Reordered { op: (0, 3), seq: 5, why }]);
    }

    #[test]
    fn two_writers_out_of_order_are_found() {
        let (mut ops, mut entries) = healthy();
        entries.swap(2, 3);
        renumber(&mut ops, &mut entries);
        let why = "behind one that began after its answer";
        assert_eq!(judge(&ops, &entries), [Verdict::Reordered { op: (0, 3), seq: 4, why }]);
    }

    #[test]
    fn readers_that_differ_are_found() {
        let (ops, entries) = healthy();
        let mut other = entries.clone();
        other[2].time_ms += 1;
        let readings = [reading("one", &entries), reading("two", &other)];
        let report = check(&ops, &readings, &users());
        let reader = "two".to_owned();
        assert_eq!(report.verdicts, [(PAIR, Verdict::Divergent { reader, index: 2 })]);
        let readings = [reading("one", &entries), reading("two", &entries[..5])];
        let report = check(&ops, &readings, &users());
        let reader = "two".to_owned();
        assert_eq!(report.verdicts, [(PAIR, Verdict::Divergent { reader, index: 5 })]);
    }

    #[test]
    fn an_answer_that_the_log_contradicts_is_found() {
        let (mut ops, entries) = healthy();
        ops[1].outcome = Outcome::Acked(Ack { seq: 2, ordinal: 2, time_ms: 5 });
        assert_eq!(judge(&ops, &entries), [Verdict::WrongAnswer { op: (1, 2), seq: 2 }]);
    }

    #[test]
    fn stamps_that_do_not_follow_are_found() {
        let (mut ops, mut entries) = healthy();
        entries[5].time_ms = 1;
        ops[5].outcome = Outcome::Unknown;
        assert_eq!(judge(&ops, &entries), [Verdict::WrongStamp { seq: 6 }]);
        let (mut ops, mut entries) = healthy();
        entries[5].ordinal = 9;
        ops[5].outcome = Outcome::Unknown;
        assert_eq!(judge(&ops, &entries), [Verdict::WrongStamp { seq: 6 }]);
    }
}
