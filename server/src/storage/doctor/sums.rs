//! Whether two sets of rows are the same, without holding either: their number and the
//! sum of their hashes. Sets that differ come out as the same once in 2^64.

use std::hash::{DefaultHasher, Hasher as _};

/// A set of rows, in any order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sum {
    rows: u64,
    hashes: u64,
}

impl Sum {
    /// Adds a row.
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        let mut hasher = DefaultHasher::new();
        hasher.write_usize(key.len());
        hasher.write(key);
        hasher.write(value);
        self.rows += 1;
        self.hashes = self.hashes.wrapping_add(hasher.finish());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_does_not_matter_and_every_row_does() {
        let of = |rows: &[(&str, &str)]| {
            let mut sum = Sum::default();
            rows.iter().for_each(|(key, value)| sum.add(key.as_bytes(), value.as_bytes()));
            sum
        };
        let sum = of(&[("a", "1"), ("b", "2")]);
        assert_eq!(sum, of(&[("b", "2"), ("a", "1")]));
        for other in
            [&[("a", "1")][..], &[("a", "2"), ("b", "1")], &[("a", "1"), ("b", "2"), ("b", "2")]]
        {
            assert_ne!(sum, of(other));
        }
        assert_ne!(of(&[("ab", "c")]), of(&[("a", "bc")]));
    }
}
