//! The process ends at each point between log, timeline, state and read model, while people send; the
//! next one finds whatever the last left half done.

use std::os::unix::process::ExitStatusExt;

use anyhow::{Context, Result};
use verbatim_tests::{
    Server,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
};

const STEPS: [&str; 4] = ["events", "timeline", "state", "history"];

/// Lets the process end at each passing of a point that `counts` names, one life after the other.
async fn crash_at(when: &str, counts: [u64; 3]) -> Result<()> {
    let mut dice = Dice::of_test(when, 71);
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    crowd.acks(20).await?;
    server.kill().await?;
    for step in STEPS {
        for count in counts {
            let fault = format!("crash={step}:{when}:{count}");
            let env = [NO_RATES, &[("TEST_VERBATIM_FAULTS", &fault)]].concat();
            server.set_env(&env);
            // It may end before it is ready: what the last life left is being caught up with.
            let ended = server.until_end().await.context(fault.clone())?;
            assert_eq!(ended.signal(), Some(libc::SIGABRT), "{fault}: {ended}");
        }
    }
    server.set_env(NO_RATES);
    server.resume().await?;
    crowd.acks(20).await?;
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_g10_a_crash_before_any_step_breaks_nothing() -> Result<()> {
    crash_at("before", [1, 3, 17]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_g10_a_crash_after_any_step_breaks_nothing() -> Result<()> {
    crash_at("after", [1, 4, 23]).await
}
