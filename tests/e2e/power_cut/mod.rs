//! The power fails while eight people talk, and the disk forgets what was not synced.

pub(crate) mod house;

use std::time::Duration;

use anyhow::Result;
use verbatim_adapters::power_cut::PowerCut;
use verbatim_tests::{checker::check, crowd::Crowd, dice::Dice};

use house::House;

/// Set, the disk loses what it said to be synced before the first cut: these tests must fail.
pub const LYING_DISK: &str = "TEST_VERBATIM_LYING_DISK";

/// How often the power fails in a test.
const CUTS: usize = 12;

/// Lets people talk while the power fails, and leaves each time what `mode` says.
async fn cut(seed: u64, mode: impl Fn(&mut Dice) -> PowerCut) -> Result<()> {
    let mut dice = Dice::of_test("power cut", seed);
    let mut house = House::start().await?;
    let mut crowd = Crowd::gather(&house.base()).await?;
    if std::env::var_os(LYING_DISK).is_some() {
        house.disk().lie_about_syncs(true);
    }
    crowd.talk(&mut dice, None);
    let mut forgotten = 0;
    for _ in 0..CUTS {
        crowd.acks(1 + dice.below(40)).await?;
        // In the middle of a commit, or of none.
        house.disk().freeze_after(dice.below(40));
        while !house.disk().is_frozen() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        house.cut(mode(&mut dice)).await?;
        let (events, rulings) = house.records()?;
        forgotten += u32::from(rulings < events);
        house.resume().await?;
    }
    crowd.acks(40).await?;
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);
    assert!(forgotten > 1, "the timeline is not synced, and lost its end {forgotten} times only");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_g10_a_disk_that_forgets_all_it_may_loses_nothing_acknowledged() -> Result<()> {
    cut(144, |_| PowerCut::ForgetAll).await
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_g10_a_disk_that_forgets_at_random_loses_nothing_acknowledged() -> Result<()> {
    cut(233, |dice| PowerCut::Random(dice.below(u64::MAX))).await
}
