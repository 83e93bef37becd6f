//! Batches come split, doubled and late, and everything is as ever.

use std::process::{Command, Stdio};

use anyhow::Result;
use verbatim_tests::{
    Server,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
};

/// What streams do to their readers in these tests.
const FAULTY_STREAMS: (&str, &str) = ("TEST_VERBATIM_FAULTS", "split,double,delay");

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_a_crowd_on_split_doubled_and_late_streams() -> Result<()> {
    let mut dice = Dice::of_test("split streams", 5);
    let mut server = Server::start_with(&[], &[NO_RATES, &[FAULTY_STREAMS]].concat()).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    for _ in 0..4 {
        crowd.acks(100).await?;
        server.kill().await?;
        server.resume().await?;
    }
    crowd.acks(100).await?;
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);
    Ok(())
}

/// Every test of what people do, once more; the servers that it starts inherit the faults.
#[test]
fn g1_g2_g3_people_notice_nothing_of_split_doubled_and_late_streams() -> Result<()> {
    let again = Command::new(std::env::current_exe()?)
        .args(["chat::", "--test-threads", "2"])
        .env(FAULTY_STREAMS.0, FAULTY_STREAMS.1)
        .stdin(Stdio::null())
        .output()?;
    let output = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{output}{}", String::from_utf8_lossy(&again.stderr));
    assert!(!output.contains("running 0 tests"), "{output}");
    Ok(())
}
