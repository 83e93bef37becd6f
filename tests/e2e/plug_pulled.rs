//! SIGKILL at random moments, while eight people send and repeat.

use std::time::Duration;

use anyhow::Result;
use verbatim_tests::{
    Server,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
};

/// How often the plug is pulled.
const KILLS: usize = 20;

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_g10_nothing_acknowledged_is_lost_by_sigkill() -> Result<()> {
    let mut dice = Dice::of_test("plug pulled", 20_240_229);
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    for _ in 0..KILLS {
        crowd.acks(1 + dice.below(40)).await?;
        // Somewhere between two acknowledgements, not always right after one.
        tokio::time::sleep(Duration::from_micros(dice.below(20_000))).await;
        server.kill().await?;
        if dice.below(3) == 0 {
            server.stumble(Duration::from_millis(dice.below(300))).await?;
        }
        server.resume().await?;
    }
    crowd.acks(40).await?;
    let record = crowd.rest().await?;
    println!("{} sent, {} acknowledgements", record.asked.len(), record.acked.len());
    assert_eq!(check(&record), []);
    Ok(())
}
