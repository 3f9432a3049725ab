//! How often a device says how far it is.

use crate::ids::UserId;

/// Least milliseconds between two `Delivered` of one device for a conversation.
const LEAST_MS: u64 = 100;

/// Milliseconds a member adds, so that all members of a conversation together
/// say it some 100 times a second and no more often.
const MS_A_MEMBER: u64 = 10;

/// With more members than this adds up to, nobody waits longer.
const MOST_MS: u64 = 2000;

/// Milliseconds from one `Delivered` to the next of the same device, for a
/// conversation of so many members. The first goes at once.
///
/// Every message wakes all members at once, so in larger groups each user has a
/// time of their own, from three to five quarters: otherwise all would say it together.
#[must_use]
pub fn delivered_every_ms(members: usize, user: UserId) -> u64 {
    let members = u64::try_from(members).unwrap_or(u64::MAX);
    let all = members.saturating_mul(MS_A_MEMBER).min(MOST_MS);
    if all <= LEAST_MS {
        return LEAST_MS;
    }
    let own = u64::from(user.as_bytes()[15]);
    (all * (384 + own) / 512).max(LEAST_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_ms(members: usize, last: u8) -> u64 {
        let mut id = [0; 16];
        id[15] = last;
        delivered_every_ms(members, UserId::new(id))
    }

    #[test]
    fn few_wait_little_and_many_share_a_rate() {
        assert_eq!([0, 1, 2, 10].map(|members| every_ms(members, 200)), [100; 4]);
        assert_eq!([0, 128, 255].map(|last| every_ms(11, last)), [100, 110, 137]);
        assert_eq!([0, 128, 255].map(|last| every_ms(100, last)), [750, 1000, 1248]);
        assert_eq!([0, 128, 255].map(|last| every_ms(200, last)), [1500, 2000, 2496]);
        assert_eq!(every_ms(usize::MAX, 128), 2000);
    }

    #[test]
    fn all_members_together_stay_at_a_hundred_a_second() {
        for members in [20, 50, 200] {
            let a_second: f64 = (0..members)
                .map(|member| 1000.0 / every_ms(members, (member * 255 / members) as u8) as f64)
                .sum();
            assert!((90.0..=110.0).contains(&a_second), "{members}: {a_second}");
        }
    }
}
