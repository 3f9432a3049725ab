//! What a request takes out of its user's buckets, before anything else is done.

use std::net::IpAddr;

use parley_core::conversation::{Act, Change, direct_id};
use parley_core::session::{Command, InviteAct, Query, Request, To};
use parley_protocol::UserId;

use super::Host;
use super::refusal::Refusal;
use crate::base::rates::Charge;
use crate::base::rates::PerUser;

impl Host {
    /// Takes what the request costs. Cursors cost next to nothing, and only move
    /// forward; heartbeats and subscriptions are bounded otherwise.
    pub(super) fn charge(
        &self,
        from: IpAddr,
        user: UserId,
        request: &Request,
    ) -> Result<(), Refusal> {
        let rates = &self.inner.rates;
        let charges = match request {
            Request::Submit(_, command) => of_command(user, command),
            Request::Typing(..) => [Some(Charge::One(PerUser::Typing)), None],
            Request::Query(_, query) => [of_query(query), None],
        };
        for charge in charges.into_iter().flatten() {
            rates.check(from, user, charge).map_err(Refusal::limited)?;
        }
        Ok(())
    }
}

fn of_command(user: UserId, command: &Command) -> [Option<Charge>; 2] {
    let first = match &command.to {
        To::Conversation(id) => Charge::Send(*id),
        To::Peer(peer) => Charge::Send(direct_id(user, *peer)),
        To::NewGroup => Charge::One(PerUser::Group),
        To::Invite(_) => Charge::One(PerUser::Invite),
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
    [Some(first), (people > 0).then_some(Charge::Adds(people))]
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
