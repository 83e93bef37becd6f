//! The chances of a power cut: a small seeded generator, so that a seed names one outcome for ever.

use super::PowerCut;

/// Decides which of the states that a sector, a length or a name went through is the one left.
pub(super) struct Dice {
    mode: PowerCut,
    state: u64,
    /// Chances in 256 that the newest state survives; drawn anew for every file.
    luck: u64,
}

impl Dice {
    pub(super) fn new(mode: PowerCut) -> Self {
        let state = match mode {
            PowerCut::Random(seed) => seed,
            PowerCut::ForgetAll | PowerCut::KeepAll => 0,
        };
        let mut dice = Self { mode, state, luck: 0 };
        dice.next_file();
        dice
    }

    /// Draws the luck of the next file. Even luck alone would hardly ever lose one sector of many,
    /// or keep one of many, and those are the images that break a careless reader.
    pub(super) fn next_file(&mut self) {
        self.luck = [0, 16, 128, 240, 256][self.below(5)];
    }

    /// Picks one of `count` states, oldest (the synced one) first. `count` is at least 1.
    pub(super) fn pick(&mut self, count: usize) -> usize {
        let newest = count - 1;
        match self.mode {
            PowerCut::ForgetAll => 0,
            PowerCut::KeepAll => newest,
            PowerCut::Random(_) => {
                let lucky = self.next() % 256 < self.luck;
                if lucky { newest } else { self.below(count) }
            }
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).unwrap_or(0)
    }

    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
