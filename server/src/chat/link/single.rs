//! A link for one command without a session: its answer comes out here.
//!
//! HTTP's requests have no session, and neither has the server when it takes an
//! ended account out of its groups.

use std::sync::Arc;
use std::time::Duration;

use parley_core::session::Identity;
use parley_protocol::wire::ServerEnvelope;
use parley_protocol::{Code, SessionId};

use super::{Link, Next};
use crate::base::random;

/// How long an answer may take. It waits for a commit, and for nobody else.
const PATIENCE: Duration = Duration::from_secs(30);

/// A new id. Without randomness it is zeros: it only tells a user's own links
/// apart, and names a session in logs.
#[must_use]
pub fn session_id() -> SessionId {
    let mut id = [0u8; 16];
    let _ = random::fill(&mut id);
    SessionId::new(id)
}

impl Link {
    /// A link that belongs to no session and is never attached to a home. Its
    /// queue holds up to `cap_bytes`.
    #[must_use]
    pub fn of_no_session(identity: &Identity, cap_bytes: usize) -> Arc<Self> {
        Arc::new(Self::new(session_id(), identity.user, identity.device, false, cap_bytes))
    }

    /// The first envelope that is pushed. Cancel safe.
    ///
    /// # Errors
    /// The code the link was ended with; [`Code::Overloaded`] when nothing came
    /// for 30 seconds: a log that closes or fails drops what it could not commit.
    pub async fn first_answer(&self) -> Result<ServerEnvelope, Code> {
        self.first_answer_within(PATIENCE).await
    }

    async fn first_answer_within(&self, patience: Duration) -> Result<ServerEnvelope, Code> {
        let answered = async {
            loop {
                match self.next(1) {
                    Next::Write(items, _) => {
                        if let Some((item, _)) = items.into_iter().next() {
                            return Ok(item.into_envelope());
                        }
                    }
                    Next::End(code) => return Err(code),
                    Next::Idle => self.woken().await,
                }
            }
        };
        tokio::time::timeout(patience, answered).await.unwrap_or(Err(Code::Overloaded))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::link::Item;
    use parley_core::session::failure;
    use parley_protocol::{DeviceId, UserId};

    fn link() -> Arc<Link> {
        let (user, device) = (UserId::new([1; 16]), DeviceId::new([2; 16]));
        Link::of_no_session(&Identity { user, device, name: "ann".into() }, 1000)
    }

    #[tokio::test]
    async fn the_first_answer_is_what_was_pushed_first() {
        let link = link();
        let answer = |code| Item::Answer(failure(None, code, 0));
        link.push(answer(Code::NotFound));
        link.push(answer(Code::Internal));
        assert_eq!(link.first_answer().await, Ok(failure(None, Code::NotFound, 0)));
        let later = tokio::spawn({
            let link = Arc::clone(&link);
            async move { (link.first_answer().await, link.first_answer().await) }
        });
        tokio::task::yield_now().await;
        link.end(Code::Draining);
        assert_eq!(later.await.unwrap().1, Err(Code::Draining));
    }

    #[tokio::test]
    async fn an_answer_is_not_waited_for_for_ever() {
        let waited = link().first_answer_within(Duration::from_millis(1)).await;
        assert_eq!(waited, Err(Code::Overloaded));
    }
}
