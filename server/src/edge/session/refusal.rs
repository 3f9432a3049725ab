//! Why a request failed, and when it may be tried again.

use std::time::Duration;

use parley_core::session::{RequestNumber, failure};
use parley_protocol::wire::ServerEnvelope;
use parley_protocol::{Code, Retry};

use crate::base::space::ROOM_WAIT;
use crate::people::PeopleError;

/// What a client is asked to wait before it tries the same again, when nothing
/// better is known.
const WAIT: Duration = Duration::from_secs(1);

/// A request that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) code: Code,
    /// How long to wait; none for what waiting doesn't mend.
    after: Option<Duration>,
}

impl Refusal {
    /// `rate_limited`, with the real wait.
    pub(super) const fn limited(after: Duration) -> Self {
        Self { code: Code::RateLimited, after: Some(after) }
    }

    /// The answer to `request`, or to the one without a number.
    pub(super) fn answer(self, request: impl Into<Option<RequestNumber>>) -> ServerEnvelope {
        failure(request, self.code, self.retry_after_ms())
    }

    fn retry_after_ms(self) -> u64 {
        // Rounded up: who waits for as long as it says is not refused again.
        let up = |after: Duration| after.as_nanos().div_ceil(1_000_000);
        self.after.map_or(0, |after| u64::try_from(up(after)).unwrap_or(u64::MAX).max(1))
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        let wait = if code == Code::StorageLow { ROOM_WAIT } else { WAIT };
        Self { code, after: (code.retry() == Retry::After).then_some(wait) }
    }
}

impl From<PeopleError> for Refusal {
    fn from(error: PeopleError) -> Self {
        let refusal = Self::from(error.code());
        Self { after: error.retry_after().or(refusal.after), ..refusal }
    }
}

/// What a client is asked to wait before it tries the same again.
pub(super) fn retry_after_ms(code: Code) -> u64 {
    Refusal::from(code).retry_after_ms()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_protocol::wire::server_envelope::Kind;

    #[test]
    fn a_wait_is_said_in_whole_milliseconds_never_too_short() {
        for (after, ms) in [
            (Duration::ZERO, 1),
            (Duration::from_micros(1), 1),
            (Duration::from_micros(1001), 2),
            (Duration::from_secs(900), 900_000),
        ] {
            let Some(Kind::Failure(failure)) = Refusal::limited(after).answer(None).kind else {
                panic!()
            };
            assert_eq!((failure.code, failure.retry_after_ms), (Code::RateLimited as u32, ms));
        }
        assert_eq!(retry_after_ms(Code::NotFound), 0);
        assert_eq!(retry_after_ms(Code::Overloaded), 1000);
    }
}
