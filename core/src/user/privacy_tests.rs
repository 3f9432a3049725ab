//! The rules between two people, one by one.

use super::*;

const ANN: UserId = UserId::new([1; 16]);
const BOB: UserId = UserId::new([2; 16]);

fn person(user: UserId, change: impl FnOnce(&mut Privacy)) -> Privacy {
    let mut person = Privacy {
        user,
        settings: Settings::default(),
        contacts: Users::default(),
        blocked: Users::default(),
        blocked_by_many: false,
        blocked_either_way: Arc::default(),
    };
    change(&mut person);
    person
}

fn ann(change: impl FnOnce(&mut Privacy)) -> Privacy {
    person(ANN, change)
}

fn bob() -> Privacy {
    person(BOB, |_| {})
}

fn knows_bob(person: &mut Privacy) {
    person.contacts = Users::new(vec![BOB]);
}

fn blocks_bob(person: &mut Privacy) {
    person.blocked = Users::new(vec![BOB]);
    person.blocked_either_way = Arc::new([BOB].into());
}

#[test]
fn a_block_works_in_both_directions() {
    let (blocker, blocked) = (ann(blocks_bob), bob());
    assert!(blocker.is_blocked_with(&blocked) && blocked.is_blocked_with(&blocker));
    for standing in [Standing::None, Standing::Pending, Standing::Accepted] {
        assert_eq!(blocker.takes_from(&blocked, standing), Welcome::No);
        assert_eq!(blocked.takes_from(&blocker, standing), Welcome::No);
        assert!(!blocker.shows_presence_to(&blocked, standing));
        assert!(!blocked.shows_presence_to(&blocker, standing));
    }
    assert!(!blocker.lets_add(&blocked) && !blocked.lets_add(&blocker));
    assert!(blocker.hides_activity_from(BOB));
    let other_way = ann(|ann| ann.blocked_either_way = Arc::new([BOB].into()));
    assert!(other_way.hides_activity_from(BOB) && !other_way.hides_activity_from(ANN));
}

#[test]
fn a_block_counts_for_more_than_being_known() {
    let both = ann(|ann| {
        knows_bob(ann);
        blocks_bob(ann);
    });
    assert_eq!(both.takes_from(&bob(), Standing::Accepted), Welcome::No);
    assert!(!both.lets_add(&bob()));
}

#[test]
fn first_messages_come_as_the_setting_says() {
    use {Audience as A, Standing as S, Welcome as W};
    for (audience, stranger, pending) in [
        (A::Everyone, W::Yes, W::Yes),
        (A::Contacts, W::Request, W::Request),
        (A::Nobody, W::No, W::No),
    ] {
        let strict = ann(|ann| ann.settings.messages = audience);
        assert_eq!(strict.takes_from(&bob(), S::None), stranger, "{audience:?}");
        assert_eq!(strict.takes_from(&bob(), S::Pending), pending, "{audience:?}");
        assert_eq!(strict.takes_from(&bob(), S::Accepted), W::Yes, "{audience:?}");
        let known = ann(|ann| {
            ann.settings.messages = audience;
            knows_bob(ann);
        });
        assert_eq!(known.takes_from(&bob(), S::None), W::Yes, "{audience:?}");
        assert_eq!(strict.takes_from(&strict, S::None), W::Yes, "a note to oneself");
    }
}

#[test]
fn a_request_shows_the_stranger_nothing() {
    let asked = ann(|ann| ann.settings.messages = Audience::Contacts);
    assert!(asked.has_request_of(BOB, Standing::Pending));
    assert!(!asked.shows_presence_to(&bob(), Standing::Pending));
    assert!(asked.shows_presence_to(&bob(), Standing::Accepted));
    assert!(!asked.has_request_of(BOB, Standing::Accepted));
    assert!(!ann(|_| {}).has_request_of(BOB, Standing::Pending), "everyone may write");
    let knows = ann(|ann| {
        ann.settings.messages = Audience::Contacts;
        knows_bob(ann);
    });
    assert!(!knows.has_request_of(BOB, Standing::Pending));
}

#[test]
fn presence_is_for_its_audience_and_for_who_shows_theirs() {
    use {Audience as A, Standing as S};
    let shows = |target: &Privacy, viewer: &Privacy| target.shows_presence_to(viewer, S::None);
    assert!(shows(&ann(|_| {}), &bob()));
    assert!(!shows(&ann(|ann| ann.settings.presence = A::Contacts), &bob()));
    let to_bob = ann(|ann| {
        ann.settings.presence = A::Contacts;
        knows_bob(ann);
    });
    assert!(shows(&to_bob, &bob()));
    let hidden = ann(|ann| ann.settings.presence = A::Nobody);
    assert!(!shows(&hidden, &bob()) && !shows(&bob(), &hidden));
    assert!(shows(&hidden, &hidden), "oneself is always there");
}

#[test]
fn group_adds_are_for_their_audience() {
    for (audience, strangers, contacts) in [
        (Audience::Everyone, true, true),
        (Audience::Contacts, false, true),
        (Audience::Nobody, false, false),
    ] {
        let strict = ann(|ann| ann.settings.group_adds = audience);
        assert_eq!(strict.lets_add(&bob()), strangers, "{audience:?}");
        let known = ann(|ann| {
            ann.settings.group_adds = audience;
            knows_bob(ann);
        });
        assert_eq!(known.lets_add(&bob()), contacts, "{audience:?}");
        assert!(strict.lets_add(&strict));
    }
}

#[test]
fn activity_of_a_user_whom_many_blocked_is_hidden() {
    let user = ann(|ann| ann.blocked_by_many = true);
    assert!(user.hides_activity_from(BOB) && !user.hides_activity_from(ANN));
}

#[test]
fn only_whom_they_answered_or_took_up_sets_how_long_is_kept() {
    let may = [Standing::None, Standing::Pending, Standing::Accepted]
        .map(Standing::lets_keep_for_a_while);
    assert_eq!(may, [false, false, true]);
}

#[test]
fn to_a_stranger_nothing_of_how_far_one_is_is_shown_before_an_answer() {
    let stranger = ann(|_| {});
    assert_eq!(stranger.shows_progress(Some(BOB), false), Shown::Nothing);
    assert_eq!(stranger.shows_progress(Some(BOB), true), Shown::All);
    assert_eq!(ann(knows_bob).shows_progress(Some(BOB), false), Shown::All);
    assert_eq!(stranger.shows_progress(None, true), Shown::All);
    assert_eq!(stranger.shows_progress(Some(ANN), false), Shown::All, "one's own");
    assert_eq!(ann(blocks_bob).shows_progress(Some(BOB), true), Shown::Nothing);
    let shunned = ann(|ann| ann.blocked_by_many = true);
    assert_eq!(shunned.shows_progress(None, true), Shown::Nothing);
}

#[test]
fn delivery_is_shown_as_presence_is() {
    let hides = |audience, reads| {
        move |ann: &mut Privacy| {
            ann.settings.presence = audience;
            ann.settings.read_receipts = reads;
        }
    };
    for (reads, hidden, shown) in
        [(true, Shown::Read, Shown::All), (false, Shown::Nothing, Shown::Delivered)]
    {
        let nobody = ann(hides(Audience::Nobody, reads));
        assert_eq!(nobody.shows_progress(Some(BOB), true), hidden);
        assert_eq!(nobody.shows_progress(None, true), hidden);
        let mut contacts = ann(hides(Audience::Contacts, reads));
        assert_eq!(contacts.shows_progress(Some(BOB), true), hidden);
        assert_eq!(contacts.shows_progress(None, true), hidden, "of a group not all are contacts");
        knows_bob(&mut contacts);
        assert_eq!(contacts.shows_progress(Some(BOB), true), shown);
        let everyone = ann(hides(Audience::Everyone, reads));
        assert_eq!(everyone.shows_progress(None, true), shown);
    }
}

#[test]
fn two_strangers_do_not_see_each_other_type() {
    let (plain, bob) = (ann(|_| {}), bob());
    assert!(plain.shows_typing_to(&bob, (true, true)));
    // Bob is pending: he sees nothing, and nothing is seen of him.
    assert!(!plain.shows_typing_to(&bob, (false, true)));
    assert!(!bob.shows_typing_to(&plain, (true, false)));
    assert!(!plain.shows_typing_to(&bob, (false, false)));
    let knows = ann(knows_bob);
    assert!(
        knows.shows_typing_to(&bob, (false, true)) && bob.shows_typing_to(&knows, (true, false))
    );
    assert!(!ann(blocks_bob).shows_typing_to(&bob, (true, true)));
    assert!(!ann(|ann| ann.settings.typing = false).shows_typing_to(&bob, (true, true)));
}
