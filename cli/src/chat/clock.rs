//! Wall-clock times for people: the day and the minute of a message.
//!
//! The server's times are Unix milliseconds. The terminal shows them in the
//! machine's time zone, by the rules that hold at each time: a message of
//! January has the offset of January, whatever it is today. The zone is looked
//! up once at start; where the machine doesn't say one, times are UTC.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;

static UTC: TimeZone = TimeZone::UTC;
static LOCAL: OnceLock<TimeZone> = OnceLock::new();

/// The time now, Unix milliseconds.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// The time zone in which times are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Zone(&'static TimeZone);

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl Zone {
    /// No offset, at any time.
    pub(crate) const UTC: Self = Self(&UTC);

    /// The machine's zone: what `TZ` names, else /etc/localtime, else UTC.
    pub(crate) fn local() -> Self {
        Self(LOCAL.get_or_init(TimeZone::system))
    }

    /// A zone of the machine's database.
    #[cfg(test)]
    pub(crate) fn named(name: &str) -> Self {
        Self(Box::leak(Box::new(TimeZone::get(name).unwrap())))
    }

    /// The local day of a time in Unix milliseconds; it prints as `2026-11-22`.
    pub(crate) fn day(self, time_ms: u64) -> Date {
        self.civil(time_ms).date()
    }

    /// The local time of day of a time in Unix milliseconds, as `17:05`.
    pub(crate) fn hour_minute(self, time_ms: u64) -> String {
        let civil = self.civil(time_ms);
        format!("{:02}:{:02}", civil.hour(), civil.minute())
    }

    /// When a local day begins, Unix milliseconds: its midnight, or its first
    /// moment where clocks were put forward over midnight.
    pub(crate) fn start_ms(self, day: Date) -> u64 {
        // Fails for the last day of the year 9999 only.
        let start = day.to_zoned_datetime(self.0.clone()).and_then(|zoned| zoned.start_of_day());
        let start = start.map_or(Timestamp::MAX, |zoned| zoned.timestamp());
        u64::try_from(start.as_millisecond()).unwrap_or(0)
    }

    fn civil(self, time_ms: u64) -> DateTime {
        // A server may send any number; what is beyond the year 9999 is its end.
        let time = i64::try_from(time_ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
        self.0.to_datetime(time.unwrap_or(Timestamp::MAX))
    }
}

/// Returns the day that is written as `2026-11-22`, of the years 1970 to 9999.
pub(crate) fn day(text: &str) -> Option<Date> {
    let mut parts = text.splitn(3, '-');
    let year = parts.next()?.parse().ok().filter(|year| (1970..=9999).contains(year))?;
    let (month, of_month) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Date::new(year, month, of_month).ok()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Unix milliseconds of a time in UTC.
    fn utc(text: &str) -> u64 {
        let time: Timestamp = text.parse().unwrap();
        u64::try_from(time.as_millisecond()).unwrap()
    }

    fn shown(zone: Zone, time: &str) -> String {
        format!("{} {}", zone.day(utc(time)), zone.hour_minute(utc(time)))
    }

    #[test]
    fn summer_and_winter_have_their_own_offsets() {
        let berlin = Zone::named("Europe/Berlin");
        assert_eq!(shown(berlin, "2026-01-15T22:59:59Z"), "2026-01-15 23:59");
        assert_eq!(shown(berlin, "2026-01-15T23:00:00Z"), "2026-01-16 00:00");
        assert_eq!(shown(berlin, "2026-07-15T21:59:59Z"), "2026-07-15 23:59");
        assert_eq!(shown(berlin, "2026-07-15T22:00:00Z"), "2026-07-16 00:00");
        for (day, start) in
            [("2026-01-16", "2026-01-15T23:00Z"), ("2026-07-16", "2026-07-15T22:00Z")]
        {
            assert_eq!(berlin.start_ms(super::day(day).unwrap()), utc(start));
        }
    }

    #[test]
    fn an_hour_that_comes_twice_is_shown_twice() {
        let berlin = Zone::named("Europe/Berlin");
        assert_eq!(shown(berlin, "2026-10-25T00:30:00Z"), "2026-10-25 02:30");
        assert_eq!(shown(berlin, "2026-10-25T01:30:00Z"), "2026-10-25 02:30");
        assert_eq!(shown(berlin, "2026-03-29T00:59:00Z"), "2026-03-29 01:59");
        assert_eq!(shown(berlin, "2026-03-29T01:00:00Z"), "2026-03-29 03:00");
    }

    #[test]
    fn half_hours_count() {
        let kolkata = Zone::named("Asia/Kolkata");
        assert_eq!(shown(kolkata, "2026-07-15T18:29:00Z"), "2026-07-15 23:59");
        assert_eq!(shown(kolkata, "2026-07-15T18:30:00Z"), "2026-07-16 00:00");
        // Here summer time is half an hour too.
        let lord_howe = Zone::named("Australia/Lord_Howe");
        assert_eq!(shown(lord_howe, "2026-07-15T12:00:00Z"), "2026-07-15 22:30");
        assert_eq!(shown(lord_howe, "2026-01-15T12:00:00Z"), "2026-01-15 23:00");
    }

    #[test]
    fn a_day_without_midnight_begins_at_one() {
        for (zone, day, before, start) in [
            ("America/Sao_Paulo", "2018-11-04", "2018-11-04T02:59:00Z", "2018-11-04T03:00:00Z"),
            ("Africa/Cairo", "2026-04-24", "2026-04-23T21:59:00Z", "2026-04-23T22:00:00Z"),
        ] {
            let (zone, day) = (Zone::named(zone), super::day(day).unwrap());
            assert_eq!(zone.start_ms(day), utc(start));
            assert_eq!(shown(zone, before), format!("{} 23:59", day.yesterday().unwrap()));
            assert_eq!(shown(zone, start), format!("{day} 01:00"));
        }
    }

    #[test]
    fn a_last_hour_that_comes_twice_is_of_the_day_before() {
        let cairo = Zone::named("Africa/Cairo");
        assert_eq!(shown(cairo, "2026-10-29T20:59:00Z"), "2026-10-29 23:59");
        assert_eq!(shown(cairo, "2026-10-29T21:00:00Z"), "2026-10-29 23:00");
        assert_eq!(shown(cairo, "2026-10-29T22:00:00Z"), "2026-10-30 00:00");
        assert_eq!(cairo.start_ms(day("2026-10-30").unwrap()), utc("2026-10-29T22:00:00Z"));
    }

    #[test]
    fn the_machines_zone_is_the_one_it_was_started_with() {
        // The environment of this process can't be changed safely, that of another can.
        let name = "chat::clock::tests::in_berlin";
        let status = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name, "--ignored", "--quiet"])
            .env("TZ", "Europe/Berlin")
            .status();
        assert!(status.unwrap().success());
    }

    #[test]
    #[ignore = "the test above runs it with TZ=Europe/Berlin"]
    fn in_berlin() {
        assert_eq!(shown(Zone::local(), "2026-01-15T12:00:00Z"), "2026-01-15 13:00");
        assert_eq!(shown(Zone::local(), "2026-07-15T12:00:00Z"), "2026-07-15 14:00");
    }

    #[test]
    fn any_number_has_a_day_and_an_hour() {
        assert_eq!(shown(Zone::UTC, "1970-01-01T00:00:00Z"), "1970-01-01 00:00");
        assert_eq!(Zone::UTC.day(u64::MAX).to_string(), "9999-12-30");
        assert_eq!(Zone::named("America/Los_Angeles").day(0).to_string(), "1969-12-31");
        for zone in ["Etc/GMT+12", "Pacific/Kiritimati", "Europe/Berlin"].map(Zone::named) {
            zone.hour_minute(u64::MAX);
            for day in ["1970-01-01", "9999-12-31"] {
                zone.start_ms(super::day(day).unwrap());
            }
        }
    }

    #[test]
    fn dates_are_read_as_they_are_written() {
        for text in ["1970-01-01", "2000-02-29", "2026-11-22", "9999-12-31"] {
            assert_eq!(day(text).unwrap().to_string(), text);
        }
        for odd in ["", "2026", "2026-13-01", "2026-02-30", "2026-1-1-1", "x-y-z", "0000-01-01"] {
            assert_eq!(day(odd), None, "{odd}");
        }
    }
}
