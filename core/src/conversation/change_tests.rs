//! The rules of membership, one by one and over random histories.

use super::*;
use proptest::prelude::*;

const OWNER: UserId = UserId::new([1; 16]);
const ADMIN: UserId = UserId::new([2; 16]);
const ANN: UserId = UserId::new([3; 16]);
const BEN: UserId = UserId::new([4; 16]);
const EVE: UserId = UserId::new([9; 16]);

fn at(seq: u64) -> Position {
    Position { seq, ordinal: seq, time_ms: seq }
}

fn info(title: &str) -> Info {
    Info { title: title.to_owned(), ..Info::default() }
}

fn created(settings: Settings, members: Vec<UserId>) -> Change {
    Change::Created { info: info("Friends"), settings, members }
}

fn group() -> State {
    let mut state = State::empty();
    state.apply(OWNER, &created(Settings::default(), vec![ADMIN, ANN, BEN]), at(1));
    state.apply(OWNER, &Change::Role(ADMIN, Role::Admin), at(2));
    state
}

fn may(state: &State, actor: UserId, change: &Change) -> Result<(), Code> {
    state.check(actor, change, 50, Bounds::of(200))
}

fn retitled() -> Change {
    let title = Some("New".to_owned());
    Change::Changed { title, description: None, picture: None, settings: None }
}

/// Owner, admin, member, stranger.
fn all(change: &Change) -> [Result<(), Code>; 4] {
    [OWNER, ADMIN, ANN, EVE].map(|actor| may(&group(), actor, change))
}

const NO: Result<(), Code> = Err(Code::Forbidden);
const UNKNOWN: Result<(), Code> = Err(Code::NotFound);

#[test]
fn what_each_role_may_do() {
    let settings = Change::Changed {
        title: None,
        description: None,
        picture: None,
        settings: Some(Settings::default()),
    };
    assert_eq!(all(&Change::Added(vec![EVE])), [Ok(()), Ok(()), NO, UNKNOWN]);
    assert_eq!(all(&Change::Removed(BEN)), [Ok(()), Ok(()), NO, UNKNOWN]);
    assert_eq!(all(&Change::Role(BEN, Role::Admin)), [Ok(()), NO, NO, UNKNOWN]);
    assert_eq!(all(&retitled()), [Ok(()), Ok(()), NO, UNKNOWN]);
    assert_eq!(all(&settings), [Ok(()), Ok(()), NO, UNKNOWN]);
    assert_eq!(all(&Change::Left), [Ok(()), Ok(()), Ok(()), UNKNOWN]);
    assert_eq!(all(&Change::Erased(9)), [Ok(()), NO, NO, UNKNOWN]);
    let pinned = Change::Pinned { seq: 3, removed: false };
    assert_eq!(all(&pinned), [Ok(()), Ok(()), NO, UNKNOWN]);
}

#[test]
fn nobody_is_removed_by_an_equal_or_by_themselves() {
    let mut state = group();
    state.apply(OWNER, &Change::Role(ANN, Role::Admin), at(3));
    assert_eq!(may(&state, ANN, &Change::Removed(ADMIN)), NO);
    assert_eq!(may(&state, ANN, &Change::Removed(OWNER)), NO);
    assert_eq!(may(&state, OWNER, &Change::Removed(OWNER)), NO);
    assert_eq!(may(&state, ANN, &Change::Removed(EVE)), Err(Code::TargetInvalid));
}

#[test]
fn a_removed_member_may_nothing_and_is_known() {
    let mut state = group();
    state.apply(ADMIN, &Change::Removed(BEN), at(5));
    assert_eq!(may(&state, BEN, &Change::Left), NO);
    assert_eq!(state.member(BEN).unwrap().left_seq, Some(5));
    // By a link they may come again; then they see from there on.
    assert_eq!(may(&state, BEN, &Change::Joined), Ok(()));
    state.apply(BEN, &Change::Joined, at(8));
    assert!(!state.member(BEN).unwrap().sees(7) && state.member(BEN).unwrap().sees(8));
    assert_eq!(may(&state, BEN, &Change::Joined), Err(Code::TargetInvalid));
}

#[test]
fn newcomers_see_from_joining_or_everything_as_the_group_is_set() {
    let mut state = group();
    state.apply(OWNER, &Change::Added(vec![EVE]), at(7));
    assert!(!state.member(EVE).unwrap().sees(6));
    let open = Settings { history_for_newcomers: true, ..Settings::default() };
    let mut state = State::empty();
    state.apply(OWNER, &created(open, vec![]), at(1));
    state.apply(OWNER, &Change::Added(vec![EVE]), at(7));
    assert!(state.member(EVE).unwrap().sees(1));
    assert_eq!(state.member(EVE).unwrap().joined_ordinal, 7);
}

#[test]
fn the_owner_hands_over_or_is_followed() {
    let mut state = group();
    state.apply(OWNER, &Change::Role(BEN, Role::Owner), at(3));
    assert_eq!(state.active(BEN).unwrap().role, Role::Owner);
    assert_eq!(state.active(OWNER).unwrap().role, Role::Admin);
    state.apply(BEN, &Change::Left, at(4));
    // Both admins joined with the first entry; the lower id decides.
    assert_eq!(state.active(OWNER).unwrap().role, Role::Owner);
    for (user, seq) in [(OWNER, 5), (ADMIN, 6)] {
        state.apply(user, &Change::Left, at(seq));
    }
    assert_eq!(state.active(ANN).unwrap().role, Role::Owner);
    state.apply(ANN, &Change::Left, at(7));
    assert!(state.is_empty());
}

#[test]
fn a_group_has_room_for_so_many() {
    let state = group();
    assert_eq!(
        state.check(OWNER, &Change::Added(vec![EVE]), 9, Bounds::of(4)),
        Err(Code::GroupFull)
    );
    assert_eq!(state.check(OWNER, &Change::Added(vec![EVE]), 9, Bounds::of(5)), Ok(()));
    assert_eq!(state.check(EVE, &Change::Joined, 9, Bounds::of(4)), Err(Code::GroupFull));
    assert_eq!(may(&state, OWNER, &Change::Added(vec![ANN])), Err(Code::TargetInvalid));
    let begins = created(Settings::default(), vec![ANN, BEN]);
    assert_eq!(State::empty().check(OWNER, &begins, 0, Bounds::of(2)), Err(Code::GroupFull));
    assert_eq!(State::empty().check(ANN, &begins, 0, Bounds::of(9)), Err(Code::BadRequest));
    assert_eq!(state.check(OWNER, &begins, 1, Bounds::of(9)), Err(Code::TargetInvalid));
}

#[test]
fn a_direct_conversation_changes_its_retention_and_pins_only() {
    let state = State::direct(ANN, BEN);
    let settings = Some(Settings { retention_s: Some(60), ..Settings::default() });
    let kept = Change::Changed { title: None, description: None, picture: None, settings };
    assert_eq!(may(&state, ANN, &kept), Ok(()));
    assert_eq!(may(&state, ANN, &Change::Pinned { seq: 2, removed: false }), Ok(()));
    for change in [
        retitled(),
        Change::Left,
        Change::Added(vec![EVE]),
        Change::Removed(BEN),
        Change::Role(BEN, Role::Admin),
        Change::Joined,
        Change::Erased(1),
    ] {
        assert_eq!(may(&state, ANN, &change), NO, "{change:?}");
    }
}

#[test]
fn pins_are_few_each_once_and_gone_with_what_is_erased() {
    let mut state = group();
    for seq in (1..=limits::PINS as u64).rev() {
        let pin = Change::Pinned { seq, removed: false };
        assert_eq!(may(&state, OWNER, &pin), Ok(()));
        state.apply(OWNER, &pin, at(60));
    }
    assert!(state.pinned.is_sorted());
    let pin = |seq, removed| Change::Pinned { seq, removed };
    assert_eq!(may(&state, OWNER, &pin(40, false)), Err(Code::ListFull));
    assert_eq!(may(&state, OWNER, &pin(3, false)), Err(Code::TargetInvalid));
    assert_eq!(may(&state, OWNER, &pin(40, true)), Err(Code::TargetInvalid));
    state.apply(OWNER, &Change::Erased(15), at(61));
    assert_eq!(state.pinned, [16, 17, 18, 19, 20]);
}

fn changes() -> impl Strategy<Value = (u8, Change)> {
    let user = |n: u8| UserId::new([n; 16]);
    let change = prop_oneof![
        prop::collection::btree_set(0u8..8, 1..4)
            .prop_map(move |users| Change::Added(users.into_iter().map(user).collect())),
        (0u8..8).prop_map(move |n| Change::Removed(user(n))),
        Just(Change::Left),
        Just(Change::Joined),
        (0u8..8, 0..3usize).prop_map(move |(n, role)| {
            let roles = [Role::Member, Role::Admin, Role::Owner];
            Change::Role(user(n), roles[role])
        }),
    ];
    (0u8..8, change)
}

proptest! {
    /// Whatever is admitted, a group that is not empty has exactly one owner,
    /// never more members than it may, and members in order of id.
    #[test]
    fn one_owner_whatever_happens(steps in prop::collection::vec(changes(), 0..60)) {
        let mut state = State::empty();
        state.apply(UserId::new([0; 16]), &created(Settings::default(), vec![]), at(1));
        for (seq, (actor, change)) in (2..).zip(steps) {
            let actor = UserId::new([actor; 16]);
            if state.check(actor, &change, seq - 1, Bounds::of(6)).is_ok() {
                state.apply(actor, &change, at(seq));
            }
            let owners = state.actives().filter(|member| member.role == Role::Owner).count();
            prop_assert_eq!(owners, usize::from(!state.is_empty()));
            prop_assert!(state.len() <= 6);
            prop_assert!(state.members.is_sorted_by_key(|member| member.user));
        }
    }
}
