//! Numbers in tables, as people write them.

/// A number as people write it: three digits, thousands apart.
pub(crate) fn number(value: f64) -> String {
    let magnitude = value.abs();
    if magnitude >= 1000.0 {
        let digits = format!("{value:.0}");
        let (sign, digits) =
            digits.strip_prefix('-').map_or(("", digits.as_str()), |rest| ("-", rest));
        let mut out = String::new();
        for (at, digit) in digits.chars().enumerate() {
            if at > 0 && (digits.len() - at).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        return format!("{sign}{out}");
    }
    let text = match magnitude {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    };
    if text.contains('.') {
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        let shown = [45_000.0, 1_234_567.0, 1000.0, 999.6, 123.4, 45.67, 1.5, 0.05, 2.0, -1234.0]
            .map(number);
        assert_eq!(
            shown,
            ["45,000", "1,234,567", "1,000", "1000", "123", "45.7", "1.5", "0.05", "2", "-1,234"]
        );
    }
}
