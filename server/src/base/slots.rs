//! A fixed number of the same thing, found by number: one for each shard, or one
//! for each stripe that keys share.
//!
//! A number beyond the last begins again at the first, so there always is one:
//! whoever asks needs no answer for the case that there is none.

/// At least one `T`, numbered from 0.
#[derive(Debug)]
pub(crate) struct Slots<T> {
    slots: Box<[T]>,
}

impl<T> Slots<T> {
    /// `count` of them.
    ///
    /// # Panics
    /// When that is none.
    pub(crate) fn new(count: usize, make: impl FnMut() -> T) -> Self {
        assert!(count > 0, "there is at least one slot");
        let slots = std::iter::repeat_with(make).take(count).collect();
        Self { slots }
    }

    /// The place of the number's slot, from 0: equal for numbers that share one.
    pub(crate) const fn index(&self, number: u64) -> usize {
        // Below the length, so nothing is cut off.
        (number % self.slots.len() as u64) as usize
    }

    /// The number's slot.
    pub(crate) fn slot(&self, number: u64) -> &T {
        match self.slots.get(self.index(number)) {
            Some(slot) => slot,
            None => unreachable!("the remainder is below the length"),
        }
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, T> {
        self.slots.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_has_a_slot_and_all_are_used() {
        let mut made = 0..;
        let slots = Slots::new(3, || made.next().unwrap());
        assert_eq!(slots.iter().copied().collect::<Vec<u32>>(), [0, 1, 2]);
        let of = |number| (slots.index(number), *slots.slot(number));
        assert_eq!(
            [of(0), of(1), of(2), of(3), of(u64::MAX)],
            [(0, 0), (1, 1), (2, 2), (0, 0), (0, 0)]
        );
    }

    #[test]
    #[should_panic(expected = "at least one slot")]
    fn none_at_all_is_a_mistake() {
        let _ = Slots::new(0, || ());
    }
}
