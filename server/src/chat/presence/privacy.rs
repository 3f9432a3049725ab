//! Who may know what of whom, as presence asks it.

use parley_protocol::UserId;
use parley_protocol::wire::Profile;

use crate::people::People;
use crate::storage::store::StoreError;

/// Answers from people's settings, contacts, blocks and open requests. May
/// read the disk. What can't be read may not be known.
pub trait Privacy: Send + Sync + 'static {
    /// Whether `viewer` may see if `target` is there. They are not the same.
    fn sees_presence(&self, viewer: UserId, target: UserId) -> bool;

    /// What `viewer` may see of the profile of `target`; `None` for nothing.
    fn profile(&self, viewer: UserId, target: UserId) -> Option<Profile>;
}

impl Privacy for People {
    fn sees_presence(&self, viewer: UserId, target: UserId) -> bool {
        read(self.sees_presence_blocking(viewer, target)).unwrap_or(false)
    }

    fn profile(&self, viewer: UserId, target: UserId) -> Option<Profile> {
        read(self.profile_news(viewer, target)).flatten()
    }
}

fn read<T>(found: Result<T, StoreError>) -> Option<T> {
    found
        .inspect_err(|error| tracing::error!(%error, "what somebody may know could not be read"))
        .ok()
}
