//! What one conversation has to ask or say next.
//!
//! In this order: the cursors, a description, what the user hid, whether the log is
//! still the same, the gap in it, and what this session has to be given once more. Descriptions and
//! fetches need a place in the [`Schedule`], which bounds how many go side by
//! side.

use parley_protocol::cursors::delivered_every_ms;
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire::{self, client_envelope::Kind, fetch};

use super::Conversation;
use crate::machine::requests::Pending;
use crate::machine::schedule::Schedule;

/// While readers are behind, one page of a gap in so long a time.
const SLOW_MS: u64 = 1_000;

/// What is to be done for a conversation.
#[derive(Debug, PartialEq)]
pub(crate) enum Next {
    /// Send this request now.
    Request(Pending, Kind),
    /// Nothing before that moment.
    Later(u64),
    /// Something, once a description or a fetch of others is done.
    Wait,
    /// Nothing.
    Nothing,
}

/// What the machine knows that decides about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context {
    pub(crate) now_ms: u64,
    pub(crate) me: Option<UserId>,
    /// The client ends: it acknowledges without pauses.
    pub(crate) draining: bool,
}

impl Next {
    /// Of two things that can't be done now, when to look again.
    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Wait, _) | (_, Self::Wait) => Self::Wait,
            (Self::Later(one), Self::Later(other)) => Self::Later(one.min(other)),
            (Self::Nothing, other) => other,
            (this, _) => this,
        }
    }
}

impl Conversation {
    /// The next thing to do. What it returns as a request counts as made.
    pub(crate) fn next(&mut self, context: Context, schedule: &mut Schedule) -> Next {
        let mut next = Next::Nothing;
        for step in [
            Self::next_read,
            Self::next_delivered,
            Self::next_description,
            Self::next_hidden,
            Self::next_check,
            Self::next_gap,
            Self::next_refetch,
        ] {
            match step(self, context, schedule) {
                request @ Next::Request(..) => return request,
                other => next = next.or(other),
            }
        }
        next
    }

    fn next_read(&mut self, context: Context, _: &mut Schedule) -> Next {
        // Where nothing more is given, the server's answer is what those who wait get.
        let waits = |up_to| up_to > self.acknowledged.covered() && !self.acknowledged.is_stuck();
        match self.read.due() {
            Some((_, up_to)) if waits(up_to) => Next::Nothing,
            Some((at_ms, up_to)) if at_ms <= context.now_ms => {
                self.read.start();
                let read = wire::Read { conversation: self.id.to_wire(), up_to };
                Next::Request(Pending::Read(self.id, up_to), Kind::Read(read))
            }
            Some((at_ms, _)) => Next::Later(at_ms),
            None => Next::Nothing,
        }
    }

    fn next_delivered(&mut self, context: Context, _: &mut Schedule) -> Next {
        match self.acknowledged.due(self.log.held()) {
            Some((at_ms, up_to)) if at_ms <= context.now_ms => {
                let pause_ms = if context.draining { 0 } else { self.pause_ms(context.me) };
                self.acknowledged.start(context.now_ms + pause_ms);
                let delivered = wire::Delivered { conversation: self.id.to_wire(), up_to };
                Next::Request(Pending::Delivered(self.id), Kind::Delivered(delivered))
            }
            Some((at_ms, _)) => Next::Later(at_ms),
            None => Next::Nothing,
        }
    }

    fn next_description(&mut self, context: Context, schedule: &mut Schedule) -> Next {
        if !self.needs_describing() {
            Next::Nothing
        } else if self.describe_at_ms > context.now_ms {
            Next::Later(self.describe_at_ms)
        } else if schedule.start_description() {
            self.describing = true;
            Next::Request(Pending::Describe(self.id), describe(self.id))
        } else {
            Next::Wait
        }
    }

    fn next_hidden(&mut self, _: Context, _: &mut Schedule) -> Next {
        if !self.needs_hidden() {
            return Next::Nothing;
        }
        self.asking_hidden = true;
        let hidden = wire::Hidden { conversation: self.id.to_wire(), after: self.hidden_known };
        Next::Request(Pending::Hidden(self.id), Kind::Hidden(hidden))
    }

    fn next_check(&mut self, _: Context, schedule: &mut Schedule) -> Next {
        if !self.doubted || self.asked_held.is_some() {
            Next::Nothing
        } else if schedule.start_fetch() {
            let held = self.log.held();
            self.asked_held = Some(held);
            let from = fetch::From::AfterSeq(held.saturating_sub(1));
            Next::Request(Pending::Check(self.id), fetch(self.id, from, 1))
        } else {
            Next::Wait
        }
    }

    fn next_gap(&mut self, context: Context, schedule: &mut Schedule) -> Next {
        if !self.begun || !self.is_described() {
            return Next::Nothing;
        }
        let Some(at_ms) = self.log.fetch_at_ms() else { return Next::Nothing };
        let slowly_ms = if schedule.is_busy() { self.fetched_ms + SLOW_MS } else { 0 };
        let at_ms = at_ms.max(slowly_ms);
        if at_ms > context.now_ms {
            Next::Later(at_ms)
        } else if schedule.start_fetch() {
            self.log.start_fetch();
            let from = fetch::From::AfterSeq(self.log.held());
            Next::Request(Pending::Fetch(self.id), fetch(self.id, from, 0))
        } else {
            Next::Wait
        }
    }

    fn next_refetch(&mut self, _: Context, schedule: &mut Schedule) -> Next {
        let Some(from) = self.acknowledged.fetch_from(self.log.held()) else {
            return Next::Nothing;
        };
        if !schedule.start_fetch() {
            return Next::Wait;
        }
        self.acknowledged.start_recovery();
        let from = fetch::From::AfterSeq(from);
        Next::Request(Pending::Refetch(self.id), fetch(self.id, from, 0))
    }

    /// Least milliseconds between two acknowledgements.
    fn pause_ms(&self, me: Option<UserId>) -> u64 {
        let members = self.roster.as_ref().map_or(0, |roster| roster.members.len());
        me.map_or(0, |me| delivered_every_ms(members, me))
    }
}

pub(crate) fn describe(id: ConversationId) -> Kind {
    Kind::Describe(wire::Describe { conversation: id.to_wire() })
}

pub(crate) fn fetch(id: ConversationId, from: fetch::From, limit: u32) -> Kind {
    Kind::Fetch(wire::Fetch { conversation: id.to_wire(), from: Some(from), limit })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::CallId;

    const PLACE: ConversationId = ConversationId::new([9; 16]);

    fn at(now_ms: u64) -> Context {
        Context { now_ms, me: Some(UserId::new([1; 16])), draining: false }
    }

    fn pending(next: Next) -> Option<Pending> {
        match next {
            Next::Request(pending, _) => Some(pending),
            _ => None,
        }
    }

    #[test]
    fn it_is_described_before_its_gap_is_fetched() {
        let mut schedule = Schedule::default();
        let mut conversation = Conversation::new(PLACE, Some(0));
        conversation.log.note_last(3, 0, false);
        let first = conversation.next(at(0), &mut schedule);
        assert_eq!(pending(first), Some(Pending::Describe(PLACE)));
        assert_eq!(conversation.next(at(0), &mut schedule), Next::Nothing);
        conversation.handle_undescribable(1);
        let second = conversation.next(at(0), &mut schedule);
        assert_eq!(pending(second), Some(Pending::Fetch(PLACE)));
    }

    #[test]
    fn it_waits_for_a_place_and_for_busy_readers() {
        let mut schedule = Schedule::default();
        let mut conversation = Conversation::new(PLACE, Some(0));
        conversation.handle_undescribable(1);
        conversation.log.note_last(3, 0, false);
        conversation.fetched_ms = 500;
        schedule.set_busy(true);
        assert_eq!(conversation.next(at(600), &mut schedule), Next::Later(500 + SLOW_MS));
        schedule.set_busy(false);
        while schedule.start_fetch() {}
        assert_eq!(conversation.next(at(600), &mut schedule), Next::Wait);
        schedule.finish_fetch();
        let next = conversation.next(at(600), &mut schedule);
        assert_eq!(pending(next), Some(Pending::Fetch(PLACE)));
    }

    #[test]
    fn a_read_cursor_of_what_is_never_given_is_answered_by_the_server() {
        let mut schedule = Schedule::default();
        let mut conversation = Conversation::new(PLACE, Some(0));
        conversation.handle_undescribable(1);
        conversation.log.note_last(3, 0, false);
        conversation.log.begin_at(3);
        conversation.want_read(3, CallId(1));
        for _ in 0..3 {
            let next = conversation.next(at(0), &mut schedule);
            assert_eq!(pending(next), Some(Pending::Refetch(PLACE)));
            conversation.handle_refetched(&wire::Fetched::default(), 0);
            schedule.finish_fetch();
        }
        let next = conversation.next(at(0), &mut schedule);
        assert_eq!(pending(next), Some(Pending::Read(PLACE, 3)));
    }

    #[test]
    fn where_everything_went_nothing_is_missing() {
        let mut schedule = Schedule::default();
        let mut conversation = Conversation::new(PLACE, Some(0));
        conversation.handle_undescribable(1);
        conversation.log.note_last(5, 0, false);
        let next = conversation.next(at(0), &mut schedule);
        assert_eq!(pending(next), Some(Pending::Fetch(PLACE)));
        let gone =
            wire::Fetched { at_start: true, at_end: true, last_seq: 5, ..Default::default() };
        let bounds = conversation.handle_gap_page(&gone, 0);
        let start = conversation.note_start(bounds, &gone);
        assert!(!conversation.finish_gap(bounds, start, 0));
        schedule.finish_fetch();
        conversation.want_read(5, CallId(1));
        let next = conversation.next(at(0), &mut schedule);
        assert_eq!(pending(next), Some(Pending::Read(PLACE, 5)));
    }

    #[test]
    fn a_read_cursor_goes_out_once_this_session_was_given_that_far() {
        let mut schedule = Schedule::default();
        let mut conversation = Conversation::new(PLACE, Some(3));
        conversation.handle_undescribable(1);
        conversation.want_read(3, CallId(1));
        let next = conversation.next(at(0), &mut schedule);
        assert_eq!(pending(next), Some(Pending::Read(PLACE, 3)));
        assert_eq!(Next::Later(3).or(Next::Later(2)), Next::Later(2));
        assert_eq!(Next::Later(3).or(Next::Wait), Next::Wait);
    }
}
