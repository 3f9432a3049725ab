//! Whether the wall's clock can be right: by what the store noted, by the newest entry,
//! and by the clock that never steps.

use crate::base::clock::Moment;
use crate::storage::doctor::{Line, Noted};

const CHECK: &str = "clock";

/// Between two machines' clocks, or two notes, so much is nothing.
const SLACK_MS: u64 = 600_000;

/// A node that was off for longer is seldom.
const LONG_MS: u64 = 30 * 86_400_000;

/// More than clocks drift while a check runs.
const STEP_MS: u64 = 1000;

/// How the clock stands, over the time of a check.
pub(super) fn line(noted: &Noted, newest_ms: u64, began: Moment, now: Moment) -> Line {
    let wall = now.wall_ms;
    let stepped = now.wall_of(began.ms).abs_diff(began.wall_ms);
    let known = noted.wall_ms.max(noted.erasing_ms);
    let found = |what: &str, by_ms: u64| format!("{what} by {}", span(by_ms));
    if wall + SLACK_MS < known {
        return Line::problem(
            CHECK,
            found("the wall's clock is behind what the store noted", known - wall),
            "set the clock right before the server runs: times of messages would stand still",
        );
    }
    if wall + SLACK_MS < newest_ms {
        return Line::warning(
            CHECK,
            found("the newest entry is ahead of the wall's clock", newest_ms - wall),
            "see that the clock is right; if it was ahead before, times stand still until then",
        );
    }
    if stepped > STEP_MS {
        return Line::warning(
            CHECK,
            found("the wall's clock stepped while this was looked at,", stepped),
            "see that something keeps the clock steadily (chrony, systemd-timesyncd)",
        );
    }
    if known > 0 && wall > known + LONG_MS {
        return Line::warning(
            CHECK,
            found("the wall's clock is ahead of what the store noted last", wall - known),
            "see that the clock is right; a server that was off for so long is well",
        );
    }
    Line::ok(CHECK, "it agrees with what the store noted and keeps pace")
}

fn span(ms: u64) -> String {
    match ms / 1000 {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::doctor::Status;

    fn status(noted_ms: u64, newest_ms: u64, wall_ms: u64, stepped: u64) -> (Status, String) {
        let noted = Noted { wall_ms: noted_ms, erasing_ms: 0 };
        let began = Moment { ms: 0, wall_ms };
        let now = Moment { ms: 5000, wall_ms: wall_ms + 5000 + stepped };
        let line = line(&noted, newest_ms, began, now);
        (line.status, line.found)
    }

    #[test]
    fn each_way_a_clock_can_be_wrong_is_said() {
        let day = 86_400_000;
        let now = 20_000 * day;
        assert_eq!(status(now, now, now, 0).0, Status::Ok);
        assert_eq!(status(0, 0, now, 0).0, Status::Ok);
        let (behind, said) = status(now, now, now - 3 * day, 0);
        assert_eq!(behind, Status::Problem);
        assert!(said.ends_with("by 2 days"), "{said}");
        assert_eq!(status(now, now + day, now, 0).0, Status::Warning);
        assert_eq!(status(now, now, now, 2000).0, Status::Warning);
        assert_eq!(status(now, now, now + 40 * day, 0).0, Status::Warning);
        assert_eq!(status(now, now, now + 20 * day, 0).0, Status::Ok);
    }
}
