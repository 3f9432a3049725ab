//! Who is signed in, on which device, and the session that is open.

use std::sync::Arc;

use parley_protocol::ids::{DeviceId, UserId};

use super::SavedAccount;
use crate::model::{Session, User};

#[derive(Debug)]
pub(crate) struct Account {
    known: Option<SavedAccount>,
    session: Option<Arc<Session>>,
    session_number: u64,
}

impl Account {
    /// As a store knows it.
    pub(crate) const fn new(known: Option<SavedAccount>) -> Self {
        Self { known, session: None, session_number: 0 }
    }

    /// The user's id, as far as known.
    pub(crate) fn me(&self) -> Option<UserId> {
        self.user().map(|user| user.id)
    }

    /// The user, as far as known.
    pub(crate) fn user(&self) -> Option<&User> {
        self.known.as_ref().map(|known| &known.user)
    }

    pub(crate) const fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }

    /// Counts the sessions of this run; 0 before the first.
    pub(crate) const fn session_number(&self) -> u64 {
        self.session_number
    }

    /// The server says who is signed in. Returns what a store has to keep, when
    /// that is news. `revision` is that of the account's own data, for a device
    /// that knew nothing yet and so has nothing to catch up with.
    pub(crate) fn identify(
        &mut self,
        user: User,
        device: DeviceId,
        revision: u64,
        incarnation: Option<[u8; 16]>,
    ) -> Option<SavedAccount> {
        let revision = self.known.as_ref().map_or(revision, |known| known.revision);
        let incarnation = incarnation.or_else(|| self.known.as_ref()?.incarnation);
        let account = SavedAccount { user, device, revision, incarnation };
        if self.known.as_ref() == Some(&account) {
            return None;
        }
        self.known = Some(account.clone());
        Some(account)
    }

    /// Whether this is another life of the store than what is known here is of.
    pub(crate) fn is_other_life(&self, incarnation: Option<[u8; 16]>) -> bool {
        let known = self.known.as_ref().and_then(|known| known.incarnation);
        known.zip(incarnation).is_some_and(|(known, told)| known != told)
    }

    /// Forgets whose this is, until the server says so.
    pub(crate) fn forget(&mut self) {
        self.known = None;
    }

    pub(crate) fn begin_session(&mut self, session: Session) {
        self.session_number += 1;
        self.session = Some(Arc::new(session));
    }

    /// Returns whether a session was open.
    pub(crate) fn end_session(&mut self) -> bool {
        self.session.take().is_some()
    }

    /// The account's own data stand at this revision. Returns what a store has to
    /// keep, when that is news.
    pub(crate) fn set_revision(&mut self, revision: u64) -> Option<SavedAccount> {
        let known = self.known.as_mut().filter(|known| revision > known.revision)?;
        known.revision = revision;
        Some(known.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: UserId = UserId::new([1; 16]);
    const DEVICE: DeviceId = DeviceId::new([2; 16]);

    fn user(name: &str) -> User {
        User { id: ANN, name: name.into() }
    }

    #[test]
    fn a_new_device_takes_the_revision_of_the_first_session_and_a_known_one_catches_up() {
        let mut account = Account::new(None);
        assert_eq!((account.me(), account.set_revision(9)), (None, None));
        assert_eq!(account.identify(user("ann"), DEVICE, 7, None).map(|it| it.revision), Some(7));
        assert_eq!(account.identify(user("ann"), DEVICE, 9, None), None);
        assert_eq!(account.set_revision(7), None);
        assert_eq!(account.set_revision(9).map(|it| it.revision), Some(9));
        assert_eq!(account.me(), Some(ANN));
    }

    #[test]
    fn another_name_or_device_is_kept() {
        let mut account = Account::new(None);
        account.identify(user("ann"), DEVICE, 7, None);
        assert!(account.identify(user("anna"), DEVICE, 7, None).is_some());
        assert!(account.identify(user("anna"), DeviceId::new([3; 16]), 7, None).is_some());
    }
}
