//! Wall-clock times for people: the day and the minute of a message.
//!
//! The server's times are Unix milliseconds. What the terminal adds is only the
//! offset of the local zone, asked once at start; without it times are UTC.

use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

const MINUTE_MS: i64 = 60_000;
const DAY_MINUTES: i64 = 24 * 60;

/// The time now, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// How far local time is ahead of UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Zone {
    offset_minutes: i64,
}

impl Zone {
    /// No offset.
    #[cfg(test)]
    pub(crate) const UTC: Self = Self { offset_minutes: 0 };

    /// The machine's zone as `date +%z` tells it, or UTC.
    pub(crate) fn local() -> Self {
        // Reading the zone files would take more code than the rest of this
        // module, and the C library's call isn't safe to use from threads.
        Command::new("date")
            .arg("+%z")
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .ok()
            .and_then(|output| Self::parse(std::str::from_utf8(&output.stdout).ok()?))
            .unwrap_or_default()
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (sign, digits) = match text.split_at_checked(1)? {
            ("+", digits) => (1, digits),
            ("-", digits) => (-1, digits),
            _ => return None,
        };
        let (hours, minutes) = digits.split_at_checked(2)?;
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        ((0..=14).contains(&hours) && (0..60).contains(&minutes))
            .then_some(Self { offset_minutes: sign * (hours * 60 + minutes) })
    }

    /// The local day of a time: days since 1970-01-01.
    pub(crate) fn day(self, time_ms: u64) -> i64 {
        self.local_minutes(time_ms).div_euclid(DAY_MINUTES)
    }

    /// The local time of day, as `17:05`.
    pub(crate) fn hour_minute(self, time_ms: u64) -> String {
        let minutes = self.local_minutes(time_ms).rem_euclid(DAY_MINUTES);
        format!("{:02}:{:02}", minutes / 60, minutes % 60)
    }

    /// When a local day begins, Unix milliseconds.
    pub(crate) fn start_ms(self, day: i64) -> u64 {
        let minutes = day.saturating_mul(DAY_MINUTES).saturating_sub(self.offset_minutes);
        u64::try_from(minutes.saturating_mul(MINUTE_MS)).unwrap_or(0)
    }

    fn local_minutes(self, time_ms: u64) -> i64 {
        // The cap is far beyond year 9999; a server may send any number.
        let time_ms = i64::try_from(time_ms).unwrap_or(i64::MAX).min(253_402_300_799_000);
        time_ms.div_euclid(MINUTE_MS) + self.offset_minutes
    }
}

/// A day as `2026-11-22`.
pub(crate) fn date(day: i64) -> String {
    // Howard Hinnant, "chrono-compatible low-level date algorithms".
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day_of_month = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day_of_month:02}")
}

/// The day that is written like this: the other way round than [`date`].
pub(crate) fn day(text: &str) -> Option<i64> {
    let mut parts = text.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let (year, month, of_month) = (parts.next()??, parts.next()??, parts.next()??);
    if !(1970..=9999).contains(&year) || !(1..=12).contains(&month) {
        return None;
    }
    let shifted_year = year - i64::from(month <= 2);
    let shifted_month = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * shifted_month + 2) / 5 + of_month - 1;
    let era = shifted_year.div_euclid(400);
    let of_era = shifted_year.rem_euclid(400);
    let day = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    // A 31st of February is none.
    (date(day) == format!("{year:04}-{month:02}-{of_month:02}")).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_have_their_dates() {
        assert_eq!(date(0), "1970-01-01");
        assert_eq!(date(11_016), "2000-02-29");
        assert_eq!(date(20_779), "2026-11-22");
        assert_eq!(date(-1), "1969-12-31");
    }

    #[test]
    fn dates_have_their_days() {
        for number in (0..60_000).step_by(7) {
            assert_eq!(day(&date(number)), Some(number));
        }
        for odd in ["", "2026", "2026-13-01", "2026-02-30", "2026-1-1-1", "x-y-z", "0000-01-01"] {
            assert_eq!(day(odd), None, "{odd}");
        }
        let zone = Zone::parse("+0200").unwrap();
        assert_eq!(zone.day(zone.start_ms(20_779)), 20_779);
        assert_eq!(zone.hour_minute(zone.start_ms(20_779)), "00:00");
    }

    #[test]
    fn the_offset_moves_hour_and_day() {
        let zone = Zone::parse("+0530\n").unwrap();
        assert_eq!(zone.hour_minute(0), "05:30");
        let west = Zone::parse("-0800").unwrap();
        assert_eq!(west.hour_minute(0), "16:00");
        assert_eq!(west.day(0), -1);
        assert_eq!(Zone::default().hour_minute(u64::MAX), "23:59");
    }

    #[test]
    fn what_is_no_offset_is_refused() {
        for odd in ["", "+", "0100", "+99", "+9900", "-01xx", "é100"] {
            assert_eq!(Zone::parse(odd), None, "{odd:?}");
        }
    }
}
