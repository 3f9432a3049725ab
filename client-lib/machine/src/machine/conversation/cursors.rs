//! The user's own cursors in one conversation: what is delivered to this device,
//! what the user has read.

use super::{CallId, Conversation};
use crate::error::Error;

impl Conversation {
    /// Whether a cursor is to be moved yet, now or later.
    pub(crate) fn has_pending_cursors(&self) -> bool {
        self.acknowledged.is_pending() || self.read.is_pending()
    }

    /// What waits to be acknowledged together with later entries goes now.
    /// Returns whether something is to be acknowledged.
    pub(crate) fn skip_pause(&mut self) -> bool {
        let pending = self.acknowledged.is_pending();
        if pending {
            self.acknowledged.skip_pause();
        }
        pending
    }

    /// The highest seq known to exist.
    pub(crate) const fn last_seq(&self) -> u64 {
        self.log.last()
    }

    /// The application says that the user has read up to here, and `call` waits
    /// for the server's word. Returns false when that is known already.
    pub(crate) fn want_read(&mut self, up_to: u64, call: CallId) -> bool {
        let news = self.read.want(up_to, call);
        if news {
            // Reading implies holding: what this session was not given is fetched for it.
            self.acknowledged.handle_taken(up_to);
        }
        news
    }

    /// A call that waited for the read cursor waits no longer.
    pub(crate) fn forget_call(&mut self, call: CallId) {
        self.read.forget(call);
    }

    /// The server's cursor of what is delivered stands here.
    pub(crate) fn confirm_delivered(&mut self, up_to: u64) {
        self.acknowledged.handle_confirmed(up_to);
    }

    /// The server's read cursor stands here. Returns the calls that waited for
    /// it, and whether the count is stale by it.
    pub(crate) fn confirm_read(&mut self, up_to: u64) -> (Vec<CallId>, bool) {
        let stale = up_to > self.read.confirmed() && self.count.handle_read(up_to);
        (self.read.handle_confirmed(up_to), stale)
    }

    /// An acknowledgement was answered.
    pub(crate) fn finish_delivered(&mut self, delivered: u64) {
        self.acknowledged.finish(Some(delivered));
    }

    /// A read cursor was answered.
    pub(crate) fn finish_read(&mut self, delivered: u64) {
        self.read.finish();
        self.acknowledged.handle_confirmed(delivered);
    }

    /// An acknowledgement was refused; one that may be repeated is, at `again_ms`.
    pub(crate) fn handle_delivered_refused(&mut self, error: &Error, again_ms: u64) {
        if is_cursor_ahead(error) || !error.is_retryable() {
            self.acknowledged.finish(None);
        } else {
            self.acknowledged.postpone(again_ms);
        }
    }

    /// A read cursor was refused. Returns the calls that fail, when it is for good.
    pub(crate) fn handle_read_refused(&mut self, error: &Error, now_ms: u64) -> Vec<CallId> {
        let ahead = is_cursor_ahead(error);
        if ahead {
            self.acknowledged.finish(None);
        }
        self.read.handle_failure(now_ms, ahead || error.is_retryable())
    }
}

/// Whether a refusal of a cursor may end well after the session was given more.
fn is_cursor_ahead(error: &Error) -> bool {
    error.code() == Some(parley_protocol::Code::CursorAhead as u32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::Code;
    use parley_protocol::ids::ConversationId;

    fn conversation() -> Conversation {
        Conversation::new(ConversationId::new([9; 16]), Some(0))
    }

    #[test]
    fn reading_wants_what_it_covers_acknowledged() {
        let mut conversation = conversation();
        assert!(!conversation.has_pending_cursors() && !conversation.skip_pause());
        assert!(conversation.want_read(4, CallId(1)));
        assert!(conversation.has_pending_cursors() && conversation.skip_pause());
        conversation.finish_read(4);
        assert_eq!(conversation.confirm_read(4), (vec![CallId(1)], false));
        assert!(!conversation.has_pending_cursors());
        assert!(!conversation.want_read(4, CallId(2)));
    }

    #[test]
    fn a_refused_read_fails_its_calls_unless_it_may_be_repeated() {
        let error = |code: Code| Error::from_code(code as u32, "", 0);
        let mut conversation = conversation();
        conversation.want_read(4, CallId(1));
        assert_eq!(conversation.handle_read_refused(&error(Code::Overloaded), 0), vec![]);
        assert_eq!(conversation.handle_read_refused(&error(Code::CursorAhead), 0), vec![]);
        let failed = conversation.handle_read_refused(&error(Code::Forbidden), 0);
        assert_eq!(failed, vec![CallId(1)]);
    }
}
