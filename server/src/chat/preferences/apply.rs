//! The rules of preferences, pure: what a change makes of a row.

use std::collections::HashSet;

use parley_protocol::wire::SetPreferences;
use parley_protocol::{Code, limits};

use crate::storage::store::PreferencesRow;

/// Takes what is given, keeps the rest. The form of it was checked.
pub(super) fn set(row: &mut PreferencesRow, change: SetPreferences) {
    let SetPreferences {
        conversation: _,
        muted_until_ms,
        archived,
        pinned,
        marked_unread,
        level,
        draft,
        draft_reply_to,
        cleared_up_to,
        accepted,
    } = change;
    fn give<T>(to: &mut T, given: Option<T>) {
        if let Some(given) = given {
            *to = given;
        }
    }
    give(&mut row.muted_until_ms, muted_until_ms);
    give(&mut row.archived, archived);
    give(&mut row.pinned, pinned);
    give(&mut row.marked_unread, marked_unread);
    give(&mut row.level, level);
    give(&mut row.draft, draft);
    give(&mut row.draft_reply_to, draft_reply_to);
    // What was cleared or taken up can't come back.
    row.cleared_up_to = row.cleared_up_to.max(cleared_up_to.unwrap_or(0));
    row.accepted |= accepted.unwrap_or(false);
}

/// Hides messages; gives the new ones with their numbers.
///
/// # Errors
/// [`Code::ListFull`] when there would be too many.
pub(super) fn hide(
    row: &mut PreferencesRow,
    known: &[u64],
    seqs: Vec<u64>,
) -> Result<Vec<(u32, u64)>, Code> {
    let known: HashSet<u64> = known.iter().copied().collect();
    let new = seqs.into_iter().filter(|seq| !known.contains(seq));
    let new: Vec<_> = (row.hidden..).zip(new).collect();
    row.hidden += u32::try_from(new.len()).map_err(|_| Code::ListFull)?;
    if row.hidden as usize > limits::HIDDEN_SEQS {
        return Err(Code::ListFull);
    }
    Ok(new)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_given_stays() {
        let mut row = PreferencesRow::default();
        let draft = |text: &str| SetPreferences { draft: Some(text.into()), ..Default::default() };
        set(&mut row, SetPreferences { muted_until_ms: Some(5), ..draft("a") });
        set(&mut row, SetPreferences { archived: Some(true), ..Default::default() });
        assert_eq!((row.muted_until_ms, row.archived, row.draft.as_str()), (5, true, "a"));
        set(&mut row, SetPreferences { archived: Some(false), ..draft("") });
        assert_eq!((row.muted_until_ms, row.archived, row.draft.as_str()), (5, false, ""));
    }

    #[test]
    fn what_was_cleared_or_taken_up_does_not_come_back() {
        let mut row = PreferencesRow::default();
        let clear = |seq| SetPreferences { cleared_up_to: Some(seq), ..Default::default() };
        set(&mut row, SetPreferences { accepted: Some(true), ..clear(9) });
        set(&mut row, SetPreferences { accepted: Some(false), ..clear(4) });
        assert_eq!((row.cleared_up_to, row.accepted), (9, true));
    }

    #[test]
    fn hiding_numbers_only_what_is_new_and_is_bounded() {
        let mut row = PreferencesRow { hidden: 2, ..Default::default() };
        assert_eq!(hide(&mut row, &[5, 7], vec![4, 5, 6]), Ok(vec![(2, 4), (3, 6)]));
        assert_eq!(hide(&mut row, &[5, 7, 4, 6], vec![4, 5]), Ok(Vec::new()));
        assert_eq!(row.hidden, 4);
        let mut full = PreferencesRow { hidden: 9_999, ..Default::default() };
        assert_eq!(hide(&mut full.clone(), &[], vec![1, 2]), Err(Code::ListFull));
        assert_eq!(hide(&mut full, &[], vec![1]), Ok(vec![(9_999, 1)]));
    }
}
