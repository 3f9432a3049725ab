//! People: finding them, profiles, contacts, blocks, presence, typing.

use std::collections::HashMap;

use futures_util::StreamExt as _;
use parley_protocol::ids::{ConversationId, UserId};
use parley_protocol::wire::{self, client_envelope::Kind, server_envelope, update_account::Change};

use super::{Client, unexpected};
use crate::driver::Command;
use crate::machine::{
    Account, AccountSettingsChange, Call, Error, Presence, Profile, ProfileChange, Reply, Report,
    User, convert,
};

/// Names asked for at once for one answer; the rest are called by their ids.
const NAMES: usize = 32;

/// Those of them on their way at a time.
const NAMES_AT_A_TIME: usize = 8;

impl Client {
    /// Finds a user by exact name.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] with code `not_found`; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn find_user(&self, name: &str) -> Result<User, Error> {
        match self.shared.call(Call::Lookup { name: name.to_owned() }).await? {
            Reply::Found(user) => Ok(user),
            _ => Err(unexpected()),
        }
    }

    /// What somebody says about themselves, as far as this user may see it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Refused`] with code `not_found`; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn profile(&self, user: UserId) -> Result<Profile, Error> {
        let kind = Kind::GetProfile(wire::GetProfile { user: user.to_wire() });
        match self.shared.ask(kind).await? {
            server_envelope::Kind::Profile(profile) => convert::profile(&profile),
            _ => Err(unexpected()),
        }
    }

    /// The own profile, settings, contacts and blocks.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn account(&self) -> Result<Account, Error> {
        match self.shared.ask(Kind::GetAccount(wire::GetAccount {})).await? {
            server_envelope::Kind::AccountState(state) => convert::account(&state),
            _ => Err(unexpected()),
        }
    }

    /// Changes the own profile.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have happened.
    pub async fn change_profile(&self, change: ProfileChange) -> Result<(), Error> {
        self.update(Change::Profile(convert::profile_change(change))).await
    }

    /// Changes how the account behaves towards others.
    ///
    /// # Errors
    /// As [`Client::change_profile`].
    ///
    /// # Cancel safety
    /// As [`Client::change_profile`].
    pub async fn change_account_settings(
        &self,
        change: AccountSettingsChange,
    ) -> Result<(), Error> {
        self.update(Change::Settings(convert::account_settings(&change))).await
    }

    /// Puts somebody into the contact list.
    ///
    /// # Errors
    /// As [`Client::change_profile`]; `not_found`, `list_full`.
    ///
    /// # Cancel safety
    /// As [`Client::change_profile`].
    pub async fn add_contact(&self, user: UserId) -> Result<(), Error> {
        self.update(Change::AddContact(user.to_wire())).await
    }

    /// Takes somebody off the contact list.
    ///
    /// # Errors
    /// As [`Client::change_profile`].
    ///
    /// # Cancel safety
    /// As [`Client::change_profile`].
    pub async fn remove_contact(&self, user: UserId) -> Result<(), Error> {
        self.update(Change::RemoveContact(user.to_wire())).await
    }

    /// Blocks somebody: from now on no messages, group adds, typing, presence or
    /// profile changes between the two.
    ///
    /// # Errors
    /// As [`Client::add_contact`].
    ///
    /// # Cancel safety
    /// As [`Client::change_profile`].
    pub async fn block(&self, user: UserId) -> Result<(), Error> {
        self.update(Change::Block(user.to_wire())).await
    }

    /// Takes a block off.
    ///
    /// # Errors
    /// As [`Client::change_profile`].
    ///
    /// # Cancel safety
    /// As [`Client::change_profile`].
    pub async fn unblock(&self, user: UserId) -> Result<(), Error> {
        self.update(Change::Unblock(user.to_wire())).await
    }

    async fn update(&self, change: Change) -> Result<(), Error> {
        let update = Kind::UpdateAccount(wire::UpdateAccount { change: Some(change) });
        match self.shared.ask(update).await? {
            server_envelope::Kind::AccountChanged(_) => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// Tells the operators about somebody.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not have been told; after a
    /// reconnect it may have been told twice.
    pub async fn report(&self, report: Report) -> Result<(), Error> {
        let report = Kind::Report(wire::Report {
            user: report.user.to_wire(),
            conversation: report.conversation.map(ConversationId::to_wire).unwrap_or_default(),
            seqs: report.seqs,
            reason: report.reason,
        });
        match self.shared.ask(report).await? {
            server_envelope::Kind::Reported(_) => Ok(()),
            _ => Err(unexpected()),
        }
    }

    /// How these are now, once.
    ///
    /// # Errors
    /// The server's refusal; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Dropping the future changes nothing.
    pub async fn presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Error> {
        self.subscribe(users, &[], true).await
    }

    /// From now on tells when these come, go or change their profile
    /// ([`crate::Event::Presence`], [`crate::Event::Profile`]), and how they are
    /// now. Goes on over reconnects, which tell anew. At most 500 users.
    ///
    /// # Errors
    /// `list_full` for more than a session may watch; [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Once polled, it is asked in any case.
    pub async fn subscribe_presence(&self, users: &[UserId]) -> Result<Vec<Presence>, Error> {
        self.subscribe(users, &[], false).await
    }

    /// No longer tells of these.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Timeout`].
    ///
    /// # Cancel safety
    /// Once polled, it is asked in any case.
    pub async fn unsubscribe_presence(&self, users: &[UserId]) -> Result<(), Error> {
        self.subscribe(&[], users, false).await.map(|_| ())
    }

    async fn subscribe(
        &self,
        users: &[UserId],
        drop: &[UserId],
        once: bool,
    ) -> Result<Vec<Presence>, Error> {
        // Their names are known before the first of them comes or goes.
        let names = self.users(users.iter().copied(), Vec::new()).await?;
        let ids = |users: &[UserId]| users.iter().map(|user| user.to_wire()).collect();
        let subscribe = wire::Subscribe { users: ids(users), drop: ids(drop), once };
        let server_envelope::Kind::Subscribed(subscribed) =
            self.shared.ask(Kind::Subscribe(subscribe)).await?
        else {
            return Err(unexpected());
        };
        let presence = subscribed.presence.iter().map(|presence| {
            let id = convert::user_id(&presence.user)?;
            let user = names.get(&id).cloned().unwrap_or_else(|| User::nameless(id));
            Ok(convert::presence(presence, user))
        });
        presence.collect()
    }

    /// Says that the user writes in a conversation, or stopped. Call it with
    /// every keystroke: it is said every three seconds at most, and others take
    /// it for over by itself. Not said at all without a session.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not be said.
    pub async fn typing(&self, conversation: ConversationId, active: bool) -> Result<(), Error> {
        self.shared.command(Command::Typing { conversation, active }).await
    }

    /// Whether the app is behind, not in front of its user: then this device
    /// does not make the user online, and pings less often.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Closed`].
    ///
    /// # Cancel safety
    /// Dropped before it returns, it may or may not happen.
    pub async fn set_background(&self, background: bool) -> Result<(), Error> {
        self.shared.command(Command::Background(background)).await
    }

    /// The users with these ids: from what is known here, then by asking.
    /// Users who can't be named are left out.
    pub(super) async fn users(
        &self,
        ids: impl Iterator<Item = UserId>,
        known: Vec<User>,
    ) -> Result<HashMap<UserId, User>, Error> {
        let mut users: HashMap<UserId, User> =
            known.into_iter().map(|user| (user.id, user)).collect();
        let missing = |users: &HashMap<UserId, User>, ids: Vec<UserId>| -> Vec<UserId> {
            ids.into_iter().filter(|id| !users.contains_key(id)).collect()
        };
        let mut ids = missing(&users, ids.collect());
        ids.sort_unstable();
        ids.dedup();
        if ids.is_empty() {
            return Ok(users);
        }
        let Reply::Users(named) = self.shared.call(Call::Users(ids.clone())).await? else {
            return Err(unexpected());
        };
        users.extend(named.into_iter().map(|user| (user.id, user)));
        let mut unknown = missing(&users, ids);
        unknown.truncate(NAMES);
        let asked = futures_util::stream::iter(unknown)
            .map(|id| async move { self.profile(id).await })
            .buffer_unordered(NAMES_AT_A_TIME);
        let profiles: Vec<Result<Profile, Error>> = asked.collect().await;
        users.extend(profiles.into_iter().flatten().map(|it| (it.user.id, it.user)));
        Ok(users)
    }
}
