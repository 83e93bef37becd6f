//! Seeded chances, so that a failing run can be had again.

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Dice that fall the same for the same seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of the seed in `TEST_VERBATIM_SEED`, else of the given one; printed, so that a failure
    /// names it.
    #[expect(clippy::print_stdout, reason = "a test's output is shown where it fails")]
    pub fn of_test(test: &str, seed: u64) -> Self {
        let set = std::env::var("TEST_VERBATIM_SEED").ok().and_then(|seed| seed.parse().ok());
        let seed = set.unwrap_or(seed);
        println!("{test}: TEST_VERBATIM_SEED={seed}");
        Self(seed)
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound
    }

    /// One of these, of which there is at least one.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let index = self.below(items.len() as u64);
        &items[usize::try_from(index).unwrap_or(0)]
    }

    /// Dice of their own for somebody.
    pub fn fork(&mut self) -> Self {
        Self(self.below(u64::MAX))
    }
}
