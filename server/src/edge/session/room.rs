//! What a request needs room on the disk for, if for anything.
//!
//! Reading needs none. What deletes, takes back or ends something goes on longest: it is
//! small, and a right that a full disk must not take away.

use parley_core::conversation::{Act, Change};
use parley_core::session::{Command, InviteAct, Query, Request};
use parley_protocol::wire::update_account::Change as AccountChange;

use crate::base::space::Need;

/// What the request needs room for; nothing for one that only reads.
pub(super) const fn of(request: &Request) -> Option<Need> {
    match request {
        Request::Submit(_, command) => Some(of_command(command)),
        Request::Typing(..) => None,
        Request::Query(_, query) => of_query(query),
    }
}

pub(super) const fn of_command(command: &Command) -> Need {
    match &command.act {
        Act::Delete { .. }
        | Act::React { removed: true, .. }
        | Act::Change(
            Change::Left
            | Change::Removed(_)
            | Change::Banned(_)
            | Change::Erased(_)
            | Change::Pinned { removed: true, .. },
        ) => Need::Relief,
        Act::Message { .. }
        | Act::Edit(_)
        | Act::React { removed: false, .. }
        | Act::Change(
            Change::Created { .. }
            | Change::Changed { .. }
            | Change::Added(_)
            | Change::Unbanned(_)
            | Change::Role(..)
            | Change::Joined
            | Change::Pinned { removed: false, .. },
        ) => Need::Growth,
    }
}

const fn of_change(change: &AccountChange) -> Need {
    match change {
        AccountChange::Profile(_) | AccountChange::AddContact(_) => Need::Growth,
        AccountChange::Settings(_) => Need::Upkeep,
        AccountChange::Block(_) | AccountChange::Unblock(_) | AccountChange::RemoveContact(_) => {
            Need::Relief
        }
    }
}

const fn of_query(query: &Query) -> Option<Need> {
    match query {
        Query::UpdateAccount(change) => Some(of_change(change)),
        Query::Report(_) | Query::Invites { act: InviteAct::Create { .. }, .. } => {
            Some(Need::Growth)
        }
        // Written over mostly, and few for each user.
        Query::SetPreferences(..) | Query::Hide { .. } => Some(Need::Upkeep),
        Query::Invites { act: InviteAct::Revoke(_), .. } => Some(Need::Relief),
        Query::Invites { act: InviteAct::List, .. }
        | Query::PeekInvite(_)
        | Query::Fetch { .. }
        | Query::Sync { .. }
        | Query::FindByName(_)
        | Query::FindById(_)
        | Query::Describe(_)
        | Query::Receipts { .. }
        | Query::Presence(_)
        | Query::Hidden { .. }
        | Query::GetProfile(_)
        | Query::GetAccount => None,
    }
}
