//! What a request takes out of its user's buckets, before anything else is done.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parley_core::conversation::{Act, Change, direct_id};
use parley_core::session::{Command, Identity, InviteAct, Query, Request, To};
use parley_protocol::{Code, ConversationId, UserId, limits};

use super::refusal::Refusal;
use super::room;
use super::{Host, Inner};
use crate::base::rates::Charge;
use crate::base::rates::PerUser;
use crate::base::space::Need;
use crate::base::work::Work;
use crate::chat::shard::{Asker, SendTo};

/// What a stranger is asked to wait whose message finds no room among those that
/// wait for an answer already.
const FULL_WAIT: Duration = Duration::from_secs(3600);

/// Bytes an entry takes in the store beside its body: keys, its head, and how its repeat
/// is known.
const ENTRY_BYTES: usize = 256;

impl Host {
    /// Takes what the request costs, as far as it is known before it is looked at.
    /// What a query costs is taken once it is done, what a send costs its target
    /// once that is known to be the sender's ([`Host::charge_send`]).
    pub(super) fn charge(
        &self,
        from: IpAddr,
        user: UserId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let rates = &self.inner.rates;
        // First: what finds no room costs nothing.
        if let Some(need) = room::of(request) {
            self.inner.space.check(need)?;
        }
        let charges = match request {
            Request::Submit(_, command) => of_command(command),
            Request::Typing(..) => [Some(Charge::One(PerUser::Typing)), None, None, None],
            Request::Query(_, query) => [of_query(query), None, None, None],
        };
        match request {
            Request::Query(..) => self.charge_query(from, user)?,
            Request::Submit(..) | Request::Typing(..) => self.charge_guess(from, user)?,
        }
        for charge in charges.into_iter().flatten() {
            rates.check(from, user, charge).map_err(Refusal::limited)?;
        }
        Ok(())
    }
}

impl Host {
    /// Whether the user was not too often told that there is no such thing, for what
    /// names a conversation and is no query.
    pub(super) fn charge_guess(&self, from: IpAddr, user: UserId) -> Result<(), Refusal> {
        self.inner.rates.check_misses(from, user).map_err(Refusal::limited)
    }

    /// The same for a query, for which work has to be left as well.
    pub(super) fn charge_query(&self, from: IpAddr, user: UserId) -> Result<(), Refusal> {
        self.inner.rates.check_query(from, user).map_err(Refusal::limited)
    }

    /// What a request turned out to be is counted: the work until the last holder
    /// of what is returned is gone.
    pub(super) fn work(&self, from: IpAddr, user: UserId) -> Arc<Work> {
        let rates = self.inner.rates.clone();
        Work::new(move |rows| rates.worked(from, user, rows))
    }

    /// Counts a refusal that says that there is no such thing.
    pub(super) fn note_refusal(&self, from: IpAddr, user: UserId, refusal: &Refusal) {
        if refusal.code == Code::NotFound {
            self.inner.rates.missed(from, user);
        }
    }

    /// Takes what a send costs those it is for: its conversation, and people who
    /// don't know the sender. `target` is the sender's own, or somebody who is there.
    pub(super) async fn charge_send(
        &self,
        identity: &Identity,
        from: IpAddr,
        target: SendTo,
        act: &Act,
    ) -> Result<(), Refusal> {
        let (user, rates) = (identity.user, &self.inner.rates);
        let take = |charge| rates.check(from, user, charge).map_err(Refusal::limited);
        match target {
            SendTo::Conversation(id) => take(Charge::Send(id))?,
            SendTo::Peer(peer) => {
                let id = direct_id(user, peer);
                take(Charge::Send(id))?;
                if !rates.exempts(from) && peer != user && !self.has_begun(user, id).await? {
                    self.charge_first(from, user, peer).await?;
                }
            }
            // Charged as groups and invites.
            SendTo::NewGroup | SendTo::Invite(..) => {}
        }
        match act {
            Act::Change(Change::Created { members: users, .. } | Change::Added(users))
                if !rates.exempts(from) =>
            {
                let strangers = self.inner.people.strangers(user, users).await?;
                if strangers.len() > rates.strangers_at_once(from) {
                    return Err(Code::TooManyStrangers.into());
                }
                if !strangers.is_empty() {
                    take(Charge::Strangers(strangers.len()))?;
                }
                strangers.into_iter().try_for_each(|other| take(Charge::GroupOf(other)))
            }
            Act::Message { .. }
            | Act::Edit(_)
            | Act::Delete { .. }
            | Act::React { .. }
            | Act::Change(_) => Ok(()),
        }
    }

    /// Whether anything was said in a 1:1.
    async fn has_begun(&self, user: UserId, id: ConversationId) -> Result<bool, Code> {
        let found = self.inner.shards.with(Asker::User(user), id, |_, _| ()).await;
        found.map(|found| found.is_some()).map_err(|error| error.code())
    }

    /// Takes a first message from the sender's strangers, and from what the other
    /// one takes of theirs.
    async fn charge_first(&self, from: IpAddr, user: UserId, peer: UserId) -> Result<(), Refusal> {
        let Inner { people, rates, homes, .. } = &*self.inner;
        if people.person(peer).await?.privacy.is_contact(user) {
            return Ok(());
        }
        let take = |charge| rates.check(from, user, charge).map_err(Refusal::limited);
        take(Charge::Strangers(1))?;
        take(Charge::FirstTo(peer))?;
        let homes = Arc::clone(homes);
        let waiting = self.read(user, move || homes.unanswered(peer, limits::REQUESTS)).await?;
        if waiting >= limits::REQUESTS { Err(Refusal::limited(FULL_WAIT)) } else { Ok(()) }
    }
}

fn of_command(command: &Command) -> [Option<Charge>; 4] {
    let target = match &command.to {
        To::Conversation(_) | To::Peer(_) => None,
        To::NewGroup => Some(Charge::One(PerUser::Group)),
        To::Invite(_) => Some(Charge::One(PerUser::Invite)),
    };
    let people = match &command.act {
        Act::Change(Change::Created { members, .. }) => members.len(),
        Act::Change(Change::Added(users)) => users.len(),
        Act::Message { .. }
        | Act::Edit(_)
        | Act::Delete { .. }
        | Act::React { .. }
        | Act::Change(_) => 0,
    };
    let adds = (people > 0).then_some(Charge::Adds(people));
    // What takes back or deletes is never short of bytes.
    let stored = (room::of_command(command) == Need::Growth)
        .then_some(Charge::Stored(command.body.bytes().len() + ENTRY_BYTES));
    [Some(Charge::Entry), stored, target, adds]
}

const fn of_query(query: &Query) -> Option<Charge> {
    match query {
        Query::FindByName(_) => Some(Charge::Lookup),
        Query::FindById(_) => Some(Charge::One(PerUser::IdLookup)),
        Query::GetProfile(_) => Some(Charge::One(PerUser::Profile)),
        Query::Report(_) => Some(Charge::One(PerUser::Report)),
        Query::Invites { act: InviteAct::Create { .. }, .. } | Query::PeekInvite(_) => {
            Some(Charge::One(PerUser::Invite))
        }
        Query::UpdateAccount(_) | Query::SetPreferences(..) | Query::Hide { .. } => {
            Some(Charge::One(PerUser::Change))
        }
        Query::Fetch { .. }
        | Query::Sync { .. }
        | Query::Describe(_)
        | Query::Receipts { .. }
        | Query::Presence(_)
        | Query::Hidden { .. }
        | Query::Invites { .. }
        | Query::GetAccount => None,
    }
}
