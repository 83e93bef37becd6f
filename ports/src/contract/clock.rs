//! What every [`Clock`] and [`Entropy`] has to pass, and a clock that stands still until a test moves it.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use verbatim_schemas::Timestamp;

use super::breach::{Breach, ensure};
use crate::clock::{Clock, Entropy, new_command_id};

/// Checks that a clock tells the time of day, and that randomness is some: all of what is asked for,
/// different each time, every bit as often set as not.
///
/// # Errors
/// The first promise that is broken.
pub fn clock_contract(clock: &dyn Clock, entropy: &dyn Entropy) -> Result<(), Breach> {
    let check =
        |promise, outcome: Result<(), String>| outcome.map_err(|what| Breach { promise, what });
    check("the time of day", time_of_day(clock))?;
    check("different each time", differs(entropy))?;
    check("every bit is random", bits(entropy))?;
    check("ids of a time", ids(clock, entropy))
}

fn time_of_day(clock: &dyn Clock) -> Result<(), String> {
    // From 2025 to 2200.
    let plausible =
        Timestamp::from_millis(1_735_689_600_000)..Timestamp::from_millis(7_258_118_400_000);
    let now = clock.now();
    ensure!(plausible.contains(&now), "the clock says {now}");
    let later = clock.now();
    ensure!(later.millis_since(now) < 60_000, "a moment after {now} it is {later}");
    Ok(())
}

fn differs(entropy: &dyn Entropy) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for _ in 0..1_000 {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        ensure!(seen.insert(bytes), "the same 16 bytes came twice");
    }
    Ok(())
}

fn bits(entropy: &dyn Entropy) -> Result<(), String> {
    let mut set = [0_u32; 16 * 8];
    for _ in 0..2_000 {
        let mut bytes = [0; 16];
        entropy.fill(&mut bytes);
        for (bit, count) in set.iter_mut().enumerate() {
            *count += u32::from(bytes[bit / 8] >> (bit % 8) & 1);
        }
    }
    // Over ten standard deviations from the middle.
    let odd = set.iter().position(|count| !(750..1_250).contains(count));
    ensure!(odd.is_none(), "bit {odd:?} is set in {set:?} of 2,000");
    Ok(())
}

fn ids(clock: &dyn Clock, entropy: &dyn Entropy) -> Result<(), String> {
    let now = clock.now();
    let ids: BTreeSet<_> = (0..100).map(|_| new_command_id(entropy, now)).collect();
    ensure!(ids.len() == 100, "of 100 ids of one millisecond {} differ", ids.len());
    Ok(())
}

/// Begins in the year 2025.
#[derive(Debug)]
pub struct ManualClock(AtomicU64);

impl Default for ManualClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_750_000_000_000))
    }
}

impl ManualClock {
    /// Moves on; returns the time then.
    pub fn advance(&self, millis: u64) -> Timestamp {
        Timestamp::from_millis(self.0.fetch_add(millis, Ordering::SeqCst) + millis)
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}
