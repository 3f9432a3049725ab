//! The queue of one session: what waits, what is shed, what ends it.

use super::*;

fn link(cap: usize) -> Link {
    Link::new(SessionId::new([0; 16]), UserId::new([1; 16]), DeviceId::new([2; 16]), true, cap)
}

fn deliver(seq: u64, size: usize) -> Item {
    let entry = Bytes::from(vec![0; size]);
    Item::Deliver { conversation: ConversationId::new([3; 16]), feed_position: seq, seq, entry }
}

#[test]
fn items_come_out_in_order_and_in_bounded_batches() {
    let link = link(1 << 20);
    (1..=10).for_each(|seq| link.push(deliver(seq, 1000)));
    let mut seen = Vec::new();
    while let Next::Write(items, bytes) = link.next(2500) {
        assert!(items.len() <= 3);
        link.written(bytes);
        seen.extend(items.iter().map(|(item, _)| match item {
            Item::Deliver { seq, .. } => *seq,
            _ => 0,
        }));
    }
    assert_eq!(seen, (1..=10).collect::<Vec<_>>());
    assert_eq!(link.queued_bytes(), 0);
    assert_eq!(link.queue.lock().items.capacity(), 0, "an idle session holds no queue");
}

#[test]
fn a_slow_reader_is_cut_off_and_its_queue_given_up() {
    let link = link(5000);
    (1..=10).for_each(|seq| link.push(deliver(seq, 1000)));
    assert!(matches!(link.next(100), Next::End(Code::SlowConsumer)));
    assert!(link.queue.lock().items.is_empty());
}

#[test]
fn what_is_taken_but_not_written_still_counts() {
    let link = link(5000);
    (1..=4).for_each(|seq| link.push(deliver(seq, 1000)));
    let Next::Write(..) = link.next(1 << 20) else { panic!() };
    (5..=9).for_each(|seq| link.push(deliver(seq, 1000)));
    assert_eq!(link.ending(), Some(Code::SlowConsumer));
}

#[test]
fn what_it_holds_is_taken_of_the_memory_of_all() {
    let memory = Arc::new(Memory::new(400_000));
    let slow = link(1 << 20).drawing_on(Arc::clone(&memory));
    let idle = memory.used();
    (1..=30).for_each(|seq| slow.push(deliver(seq, 10_000)));
    assert!(memory.used() >= 300_000 && slow.drawn_bytes() == memory.used());
    // The writer has it: it is held as before.
    let Next::Write(_, bytes) = slow.next(1 << 20) else { panic!() };
    assert!(memory.used() >= 300_000);
    slow.written(bytes);
    assert!(memory.used() <= 2 * idle);
    // Far above the limit whoever takes more is ended itself.
    (1..=60).for_each(|seq| slow.push(deliver(seq, 10_000)));
    assert_eq!(slow.ending(), Some(Code::MemoryShort));
    assert!(memory.used() <= 2 * idle, "what waited is given up at once");
    slow.keeps(5_000);
    drop(slow);
    assert_eq!(memory.used(), 0);
}

#[test]
fn debug_output_has_no_text() {
    let entry = Bytes::from_static(b"a secret");
    let conversation = ConversationId::new([3; 16]);
    let item = Item::Deliver { conversation, feed_position: 1, seq: 1, entry };
    assert_eq!(format!("{item:?}"), "Deliver(104 bytes)");
}

#[test]
fn what_is_worth_little_is_dropped_first() {
    let notice = || ServerEnvelope { request: 0, kind: None };
    let link = link(8000);
    assert!(link.offer(notice(), Shed::Early));
    link.push(deliver(1, 1000));
    assert!(!link.offer(notice(), Shed::Early));
    assert!(link.offer(notice(), Shed::Late));
    (2..=4).for_each(|seq| link.push(deliver(seq, 1000)));
    assert!(!link.offer(notice(), Shed::Late));
    assert_eq!(link.ending(), None);
}

#[test]
fn the_sign_is_the_last_one_in_the_foreground() {
    let link = link(5000);
    assert!(!link.heard(3, false));
    assert_eq!(link.sign(), Sign { foreground: false, seen_ms: 0 });
    assert!(link.heard(5, true) && !link.heard(6, true));
    assert_eq!(link.sign(), Sign { foreground: true, seen_ms: 6 });
    assert!(link.heard(8, false) && !link.heard(9, false));
    assert_eq!(link.sign(), Sign { foreground: false, seen_ms: 8 });
}

#[test]
fn what_goes_soon_owes_one_flush_and_goes_with_the_next() {
    use futures_util::FutureExt as _;
    let link = link(1 << 20);
    let woken = || link.woken().now_or_never().is_some();
    let soon = |seq| link.enqueue(deliver(seq, 10), When::Soon);
    assert!(soon(1) && !soon(2) && !woken());
    link.flush();
    assert!(woken());
    assert!(matches!(link.next(1 << 20), Next::Write(items, _) if items.len() == 2));
    // Gone with something else: nobody is woken for nothing.
    assert!(soon(3));
    link.push(deliver(4, 10));
    assert!(woken() && matches!(link.next(1 << 20), Next::Write(items, _) if items.len() == 2));
    link.flush();
    assert!(!woken());
    // Many don't wait, and nobody has to flush them.
    let owed = (0..FEW).map(|_| soon(5)).filter(|owed| *owed).count();
    assert!(owed == 1 && woken());
    link.end(Code::Draining);
    link.flush();
    assert!(!soon(6));
}

#[test]
fn what_goes_with_its_group_owes_one_wake() {
    use futures_util::FutureExt as _;
    let link = link(1 << 20);
    let with_group = |seq| link.enqueue(deliver(seq, 10), When::WithGroup);
    assert!(with_group(1) && !with_group(2));
    link.wake();
    assert!(link.woken().now_or_never().is_some());
    assert!(with_group(3), "the session looked since");
}

#[test]
fn the_first_reason_to_end_stays() {
    let link = link(5000);
    link.end(Code::SessionRevoked);
    link.end(Code::Draining);
    link.push(deliver(1, 1));
    assert_eq!(link.ending(), Some(Code::SessionRevoked));
}
