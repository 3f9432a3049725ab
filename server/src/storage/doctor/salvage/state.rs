//! What a conversation is, from its log alone. Where the log doesn't say who is still in,
//! the reading is taken that shows least: whoever nothing proves to have been in since is
//! out from there on.

use std::collections::HashMap;

use parley_core::conversation::{Kind, Membership, Role, State};
use parley_protocol::ids::UserId;

/// When members last did something, by seq.
pub(super) type Proofs = HashMap<UserId, u64>;

/// The state that follows from a log in which what may have changed it is lost up to
/// `lost_at`; 0 when nothing is.
pub(super) fn shown_least(mut state: State, lost_at: u64, proofs: &Proofs) -> State {
    if state.kind == Kind::Direct || lost_at == 0 {
        return state;
    }
    // Whether newcomers see what was before may have been taken back.
    state.open_after = None;
    let mut lost_owner = false;
    for member in state.members.iter_mut().filter(|member| member.is_active()) {
        let proved = proofs.get(&member.user).copied().unwrap_or(0).max(member.joined_seq);
        if proved < lost_at {
            lost_owner |= member.role == Role::Owner;
            member.left_seq = Some(proved);
            member.role = Role::Member;
        }
    }
    if lost_owner || state.actives().all(|member| member.role != Role::Owner) {
        crown(&mut state.members);
    }
    state
}

/// As when an owner leaves: who may do most, else who is in the longest.
fn crown(members: &mut [Membership]) {
    let actives = members.iter_mut().filter(|member| member.is_active());
    let heir = actives
        .min_by_key(|member| (std::cmp::Reverse(member.role), member.joined_seq, member.user));
    if let Some(heir) = heir {
        heir.role = Role::Owner;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_core::conversation::{Change, Info, Position, Settings};

    fn user(n: u8) -> UserId {
        UserId::new([n; 16])
    }

    #[test]
    fn who_may_have_been_put_out_is_out_and_who_wrote_since_is_in() {
        let mut state = State::empty();
        let at = |seq| Position { seq, ordinal: 0, time_ms: seq };
        let settings = Settings { history_for_newcomers: true, ..Settings::default() };
        let members = vec![user(2), user(3), user(4)];
        state.apply(user(1), &Change::Created { info: Info::default(), settings, members }, at(1));
        state.apply(user(1), &Change::Added(vec![user(5)]), at(12));
        let proofs = Proofs::from([(user(1), 4), (user(2), 11), (user(3), 9)]);
        let least = shown_least(state.clone(), 10, &proofs);
        let in_now: Vec<_> = least.actives().map(|member| member.user).collect();
        assert_eq!(in_now, [user(2), user(5)]);
        assert_eq!(least.member(user(3)).unwrap().left_seq, Some(9));
        assert_eq!(least.member(user(2)).unwrap().role, Role::Owner);
        assert_eq!(least.open_after, None);
        assert_eq!(shown_least(state.clone(), 0, &proofs), state);
    }
}
