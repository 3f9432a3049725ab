//! Hex digits as people pass them on: tokens, fingerprints of certificates, the
//! ids of invites. Converted in a time that does not depend on the digits, since
//! some are secret.

/// Reads exactly `N` bytes of hex digits in either case; colons between them and
/// white space around them are passed over. `None` for anything else.
#[must_use]
pub fn decode<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut digits = text.trim().bytes().filter(|byte| *byte != b':');
    let mut bytes = [0u8; N];
    for byte in &mut bytes {
        // Digit by digit, so that no copy of a token is left behind.
        let pair = [digits.next()?, digits.next()?];
        base16ct::mixed::decode(pair, std::slice::from_mut(byte)).ok()?;
    }
    digits.next().is_none().then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_either_case_with_or_without_colons_and_nothing_else() {
        assert_eq!(decode(" 0fA0 "), Some([0x0f, 0xa0]));
        assert_eq!(decode("0f:a0"), Some([0x0f, 0xa0]));
        for odd in ["", "0fa", "0fa0b1", "0fag", "0f a0", "0fä"] {
            assert_eq!(decode::<2>(odd), None, "{odd:?}");
        }
    }
}
