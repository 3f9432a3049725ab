//! A conversation's state and cursors as rows, and back.

use std::collections::HashMap;

use parley_core::conversation::{
    Info, Kind, Membership, Period, Position, Progress, Role, Settings, State, Told,
};
use parley_protocol::UserId;
use parley_protocol::wire::ConversationKind;

use super::{ConversationRow, CursorRow, MemberRow, PeriodRow, SettingsRow, ToldRow};

/// The row of this state.
pub(crate) fn of_state(state: &State) -> ConversationRow {
    let kind = match state.kind {
        Kind::Direct => ConversationKind::Direct,
        Kind::Group => ConversationKind::Group,
    };
    let members = state.members.iter().map(|member| MemberRow {
        user: member.user.to_wire(),
        joined_seq: member.joined_seq,
        role: number(member.role),
        joined_ordinal: member.joined_ordinal,
        sees_after: member.sees_after,
        left_seq: member.left_seq.unwrap_or(0),
    });
    let settings = SettingsRow {
        send: number(state.settings.send),
        add: number(state.settings.add),
        edit_info: number(state.settings.edit_info),
        history_for_newcomers: state.settings.history_for_newcomers,
        retention_s: state.settings.retention_s.unwrap_or(0),
    };
    ConversationRow {
        kind: kind as u32,
        members: members.collect(),
        created_ms: state.created_ms,
        title: state.info.title.clone(),
        description: state.info.description.clone(),
        picture: state.info.picture.clone(),
        settings: (state.settings != Settings::default()).then_some(settings),
        pinned: state.pinned.clone(),
        erased_up_to: state.erased_up_to,
        periods: state.periods.iter().map(of_period).collect(),
        open_from: state.open_after.map_or(0, |after| after.saturating_add(1)),
        banned: state.banned.iter().map(|user| user.to_wire()).collect(),
        dated: true,
        turns: state.turns.clone(),
    }
}

fn of_period(period: &Period) -> PeriodRow {
    PeriodRow {
        of: period.of.map(UserId::to_wire).unwrap_or_default(),
        after: period.after,
        up_to: period.up_to.unwrap_or(0),
        retention_s: period.retention_s,
    }
}

/// A period whose keeper can't be read covers nothing.
fn to_period(row: &PeriodRow) -> Option<Period> {
    let of = if row.of.is_empty() { None } else { Some(UserId::from_slice(&row.of).ok()?) };
    let PeriodRow { after, retention_s, .. } = *row;
    Some(Period { of, after, up_to: some(row.up_to), retention_s })
}

/// The state of this row. A damaged member blocks nobody else; it is simply
/// not one.
pub(crate) fn to_state(row: &ConversationRow) -> State {
    let member = |row: &MemberRow| {
        Some(Membership {
            user: UserId::from_slice(&row.user).ok()?,
            role: role(row.role),
            joined_seq: row.joined_seq,
            joined_ordinal: row.joined_ordinal,
            sees_after: row.sees_after,
            left_seq: some(row.left_seq),
        })
    };
    let mut members: Vec<_> = row.members.iter().filter_map(member).collect();
    members.sort_unstable_by_key(|member| member.user);
    members.dedup_by_key(|member| member.user);
    let group = row.kind == ConversationKind::Group as u32;
    let mut banned: Vec<_> =
        row.banned.iter().filter_map(|user| UserId::from_slice(user).ok()).collect();
    banned.sort_unstable();
    banned.dedup();
    State {
        kind: if group { Kind::Group } else { Kind::Direct },
        members,
        info: Info {
            title: row.title.clone(),
            description: row.description.clone(),
            picture: row.picture.clone(),
        },
        settings: row.settings.as_ref().map_or_else(Settings::default, |row| Settings {
            send: role(row.send),
            add: role(row.add),
            edit_info: role(row.edit_info),
            history_for_newcomers: row.history_for_newcomers,
            retention_s: some(row.retention_s),
        }),
        periods: row.periods.iter().filter_map(to_period).collect(),
        open_after: some(row.open_from).map(|from| from - 1),
        banned,
        pinned: row.pinned.clone(),
        erased_up_to: row.erased_up_to,
        created_ms: row.created_ms,
        turns: row.turns.clone(),
    }
}

/// A number of a row in which 0 stands for none.
const fn some(number: u64) -> Option<u64> {
    if number == 0 { None } else { Some(number) }
}

const fn number(role: Role) -> u32 {
    match role {
        Role::Member => 0,
        Role::Admin => 1,
        Role::Owner => 2,
    }
}

/// A number this build doesn't know may do least.
const fn role(number: u32) -> Role {
    match number {
        1 => Role::Admin,
        2 => Role::Owner,
        _ => Role::Member,
    }
}

/// The row of a member's cursors.
pub(crate) fn of_progress(progress: &Progress) -> CursorRow {
    let Progress { delivered, read, told } = progress;
    let all = told.delivered == *delivered && told.read == *read;
    CursorRow {
        delivered: delivered.seq,
        delivered_ms: delivered.time_ms,
        read: read.seq,
        read_ms: read.time_ms,
        read_ordinal: read.ordinal,
        told: (!all).then_some(ToldRow {
            delivered: told.delivered.seq,
            delivered_ms: told.delivered.time_ms,
            read: told.read.seq,
            read_ms: told.read.time_ms,
        }),
    }
}

/// How far members are.
pub(crate) fn to_progress(rows: &[(UserId, CursorRow)]) -> HashMap<UserId, Progress> {
    let at = |seq, time_ms, ordinal| Position { seq, ordinal, time_ms };
    let progress = |row: &CursorRow| {
        let delivered = at(row.delivered, row.delivered_ms, 0);
        let read = at(row.read, row.read_ms, row.read_ordinal);
        let told = row.told.map_or(Told { delivered, read }, |told| Told {
            delivered: at(told.delivered, told.delivered_ms, 0),
            read: at(told.read, told.read_ms, 0),
        });
        Progress { delivered, read, told }
    };
    rows.iter().map(|(user, row)| (*user, progress(row))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use parley_core::conversation::Change;

    #[test]
    fn a_state_is_the_same_after_it_was_a_row() {
        let user = |n| UserId::new([n; 16]);
        let at = |seq| Position { seq, ordinal: seq, time_ms: seq };
        let mut state = State::empty();
        let settings = Settings { send: Role::Admin, retention_s: Some(60), ..Settings::default() };
        let info = Info { title: "Friends".into(), ..Info::default() };
        let members = vec![user(1), user(2), user(3)];
        state.apply(user(9), &Change::Created { info, settings, members }, at(1));
        state.apply(user(9), &Change::Role(user(2), Role::Admin), at(2));
        state.apply(user(9), &Change::Removed(user(3)), at(3));
        state.apply(user(9), &Change::Pinned { seq: 2, removed: false }, at(4));
        state.apply(user(9), &Change::Erased(1), at(5));
        let open = Settings { history_for_newcomers: true, retention_s: Some(7), ..settings };
        let opened =
            Change::Changed { title: None, description: None, picture: None, settings: Some(open) };
        state.apply(user(9), &opened, at(6));
        state.apply(user(9), &Change::Banned(user(2)), at(7));
        state.turns = vec![4, 6];
        assert_eq!((state.periods.len(), state.open_after), (2, Some(6)));
        assert_eq!(to_state(&of_state(&state)), state);
        let mut direct = State::direct(user(1), user(2));
        let kept = Change::Changed {
            title: None,
            description: None,
            picture: None,
            settings: Some(Settings { retention_s: Some(9), ..Settings::default() }),
        };
        direct.apply(user(2), &kept, at(3));
        assert_eq!(direct.retention_of(Some(user(2))), Some(9));
        assert_eq!(to_state(&of_state(&direct)), direct);
    }

    #[test]
    fn cursors_are_the_same_after_they_were_a_row_also_hidden_ones() {
        let at = |seq| Position { seq, ordinal: 0, time_ms: seq };
        let user = UserId::new([1; 16]);
        let shown = Progress {
            delivered: at(7),
            read: Position { ordinal: 4, ..at(5) },
            told: Told { delivered: at(7), read: Position { ordinal: 4, ..at(5) } },
        };
        let hidden = Progress { told: Told { delivered: at(7), read: at(2) }, ..shown };
        for progress in [shown, hidden, Progress::default()] {
            assert_eq!(to_progress(&[(user, of_progress(&progress))])[&user], progress);
        }
        assert_eq!(of_progress(&shown).told, None);
    }
}
