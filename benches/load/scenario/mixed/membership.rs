//! Who is in which conversation: everybody in one of each kind.
//!
//! Users are in pairs, in groups of 10 to 20 and in groups of 100 to 200, each time over all
//! users. Where there are too few users for a large group, all of them are one.

use std::ops::RangeInclusive;

/// Kinds of conversation, in the order in which they stand everywhere.
pub(crate) const KINDS: usize = 3;

/// Share of the messages that goes to each kind.
pub(crate) const SHARES: [f64; KINDS] = [0.70, 0.25, 0.05];

const SMALL: RangeInclusive<usize> = 10..=20;
const LARGE: RangeInclusive<usize> = 100..=200;

/// Conversations and their members.
#[derive(Debug)]
pub(crate) struct Membership {
    /// Of each conversation its members, as indexes of users.
    pub(crate) conversations: Vec<Vec<usize>>,
    /// How many there are of each kind; they stand in that order.
    pub(crate) kinds: [usize; KINDS],
    /// Of each user, one conversation of each kind.
    pub(crate) of_user: Vec<[usize; KINDS]>,
}

impl Membership {
    /// For an even number of users, of at least 20.
    pub(crate) fn new(users: usize, random: &mut fastrand::Rng) -> Self {
        let pairs = vec![2; users / 2];
        let sizes = [pairs, divide(users, SMALL, random), divide(users, LARGE, random)];
        let mut membership =
            Self { conversations: Vec::new(), kinds: [0; KINDS], of_user: vec![[0; KINDS]; users] };
        for (kind, sizes) in sizes.iter().enumerate() {
            let mut order: Vec<usize> = (0..users).collect();
            // Neighbours of one kind are strangers in the next.
            random.shuffle(&mut order);
            let mut rest = order.as_slice();
            for size in sizes {
                let (members, others) = rest.split_at((*size).min(rest.len()));
                rest = others;
                for member in members {
                    if let Some(own) =
                        membership.of_user.get_mut(*member).and_then(|own| own.get_mut(kind))
                    {
                        *own = membership.conversations.len();
                    }
                }
                membership.conversations.push(members.to_vec());
            }
            if let Some(count) = membership.kinds.get_mut(kind) {
                *count = sizes.len();
            }
        }
        membership
    }

    /// Whether this conversation is a 1:1.
    pub(crate) const fn is_direct(&self, conversation: usize) -> bool {
        conversation < self.kinds[0]
    }
}

/// Draws a kind by its share.
pub(crate) fn draw(random: &mut fastrand::Rng) -> usize {
    let mut at = random.f64();
    for (kind, share) in SHARES.iter().enumerate() {
        at -= share;
        if at < 0.0 {
            return kind;
        }
    }
    0
}

/// Divides `users` into groups with sizes within the range, as far as that is possible.
fn divide(users: usize, sizes: RangeInclusive<usize>, random: &mut fastrand::Rng) -> Vec<usize> {
    let (least, most) = (*sizes.start(), *sizes.end());
    let mut groups = Vec::new();
    let mut left = users;
    while left > 0 {
        let drawn = random.usize(sizes.clone());
        let size = if left <= most {
            left
        } else if left - drawn >= least {
            drawn
        } else {
            // What is left makes two groups, neither too small.
            left / 2
        };
        groups.push(size);
        left -= size;
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_in_one_conversation_of_each_kind() {
        for users in [20, 22, 120, 202, 998, 3000] {
            let mut random = fastrand::Rng::with_seed(users as u64);
            let membership = Membership::new(users, &mut random);
            assert_eq!(membership.kinds.iter().sum::<usize>(), membership.conversations.len());
            for (user, own) in membership.of_user.iter().enumerate() {
                for (kind, conversation) in own.iter().enumerate() {
                    assert!(membership.conversations[*conversation].contains(&user));
                    let first: usize = membership.kinds[..kind].iter().sum();
                    assert!((first..first + membership.kinds[kind]).contains(conversation));
                }
            }
            let members: usize = membership.conversations.iter().map(Vec::len).sum();
            assert_eq!(members, KINDS * users);
        }
    }

    #[test]
    fn sizes_are_as_promised() {
        for users in 100..1000 {
            let mut random = fastrand::Rng::with_seed(7);
            assert!(divide(users, SMALL, &mut random).iter().all(|size| SMALL.contains(size)));
            assert!(divide(users, LARGE, &mut random).iter().all(|size| LARGE.contains(size)));
        }
        assert_eq!(divide(60, LARGE, &mut fastrand::Rng::with_seed(1)), [60]);
    }

    #[test]
    fn kinds_are_drawn_by_their_shares() {
        let mut random = fastrand::Rng::with_seed(3);
        let mut drawn = [0; KINDS];
        (0..100_000).for_each(|_| drawn[draw(&mut random)] += 1);
        for (count, share) in drawn.iter().zip(SHARES) {
            assert!((f64::from(*count) / 1e5 - share).abs() < 0.01, "{drawn:?}");
        }
    }
}
