//! From when to when a certificate is good, read out of its DER (RFC 5280 section
//! 4.1): nothing else here needs to know what is in one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Both ends are included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    pub(super) from: SystemTime,
    pub(super) until: SystemTime,
}

/// How a certificate stands to its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Good,
    /// Not for much longer.
    Ending,
    Over,
    /// Its time has not begun.
    Early,
}

/// Days before its end from which on a certificate is warned of: renewals come at 30.
const WARNED: Duration = Duration::from_secs(14 * 24 * 3600);

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Of a certificate; `None` when it can't be read.
    pub(super) fn of(der: &[u8]) -> Option<Self> {
        let (certificate, _) = value(der, SEQUENCE)?;
        let (mut fields, _) = value(certificate, SEQUENCE)?;
        if fields.first() == Some(&VERSION) {
            fields = any(fields)?.2;
        }
        // Serial number, signature algorithm, issuer.
        for _ in 0..3 {
            fields = any(fields)?.2;
        }
        let (validity, _) = value(fields, SEQUENCE)?;
        let (from, rest) = time(validity)?;
        Some(Self { from, until: time(rest)?.0 })
    }

    /// Where it stands at a moment.
    pub(super) fn standing(&self, now: SystemTime) -> Standing {
        if now > self.until {
            Standing::Over
        } else if now < self.from {
            Standing::Early
        } else if self.until.duration_since(now).is_ok_and(|left| left < WARNED) {
            Standing::Ending
        } else {
            Standing::Good
        }
    }

    /// Seconds until its end; below zero after it.
    pub(super) fn left_seconds(&self, now: SystemTime) -> f64 {
        match self.until.duration_since(now) {
            Ok(left) => left.as_secs_f64(),
            Err(late) => -late.duration().as_secs_f64(),
        }
    }
}

/// The first value of any kind: its tag, its content, and what is behind it.
pub(super) fn any(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if first & 0x80 == 0 {
        (usize::from(*first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
        if bytes.len() > 4 {
            return None;
        }
        (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
    };
    let (content, behind) = rest.split_at_checked(length)?;
    Some((*tag, content, behind))
}

fn value(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    any(der).filter(|(found, ..)| *found == tag).map(|(_, content, behind)| (content, behind))
}

/// A time, which is in UTC and ends with Z.
fn time(der: &[u8]) -> Option<(SystemTime, &[u8])> {
    let (tag, content, behind) = any(der)?;
    let digits = content.strip_suffix(b"Z")?;
    if !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = std::str::from_utf8(digits).ok()?;
    let (year, rest) = match tag {
        UTC_TIME => {
            let year: i64 = digits.get(..2)?.parse().ok()?;
            (if year < 50 { 2000 + year } else { 1900 + year }, digits.get(2..)?)
        }
        GENERALIZED_TIME => (digits.get(..4)?.parse().ok()?, digits.get(4..)?),
        _ => return None,
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i64>().ok();
    let (month, day) = (two(0)?, two(2)?);
    if rest.len() != 10 || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = two(4)? * 3600 + two(6)? * 60 + two(8)?;
    let since = days_since_1970(year, month, day) * 24 * 3600 + seconds;
    // What began before 1970 has begun.
    let since = Duration::from_secs(u64::try_from(since).unwrap_or(0));
    Some((UNIX_EPOCH.checked_add(since)?, behind))
}

/// In the Gregorian calendar, with years that begin in March.
const fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: u64 = 24 * 3600;

    fn at(seconds: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(seconds)
    }

    /// Of a certificate made for this time.
    fn made(from: SystemTime, until: SystemTime) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) = (from.into(), until.into());
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn the_times_of_certificates_are_read_in_both_forms() {
        // 2026-11-30 and after 2050, where the other form is used.
        for (from, until) in
            [(1_796_000_000, 1_796_000_000 + 90 * DAY), (951_782_400, 4_107_542_399)]
        {
            let der = made(at(from), at(until));
            assert_eq!(Validity::of(&der), Some(Validity { from: at(from), until: at(until) }));
            for cut in 0..der.len() {
                // Whatever is cut off, it is no panic.
                let _ = Validity::of(&der[..cut]);
            }
        }
        assert_eq!(Validity::of(b""), None);
        assert_eq!(Validity::of(&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff]), None);
    }

    #[test]
    fn a_certificate_stands_where_its_time_says() {
        let validity = Validity { from: at(100 * DAY), until: at(200 * DAY) };
        assert_eq!(validity.standing(at(99 * DAY)), Standing::Early);
        assert_eq!(validity.standing(at(100 * DAY)), Standing::Good);
        assert_eq!(validity.standing(at(187 * DAY)), Standing::Ending);
        assert_eq!(validity.standing(at(201 * DAY)), Standing::Over);
        assert!(validity.left_seconds(at(199 * DAY)) > 0.0);
        assert!(validity.left_seconds(at(201 * DAY)) < 0.0);
    }
}
