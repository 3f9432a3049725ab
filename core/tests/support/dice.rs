//! Chooses the steps of the models, the same for the same seed.

/// SplitMix64: enough to choose steps by.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    /// A number below this, which is not 0.
    pub(crate) fn roll(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below
    }
}
