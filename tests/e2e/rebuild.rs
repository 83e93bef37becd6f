//! History is built again while people talk, and while it fails.

use std::{
    os::unix::process::ExitStatusExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, Result};
use serde_json::Value;
use verbatim_tests::{
    Client, Server,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
    operator,
};

const REBUILD: &[&str] = &["projection", "rebuild", "history"];
/// The read model whose every read must succeed.
const PATHS: [&str; 3] = ["messages?limit=200", "entries?after=0&limit=200", "receipts?limit=200"];

/// Reads until told to stop; how often.
async fn keep_reading(client: Client, room: String, stop: Arc<AtomicBool>) -> Result<usize> {
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        for path in PATHS {
            client.get(&format!("/v1/conversations/{room}/{path}")).await?.expect(200);
        }
        client.get("/v1/conversations").await?.expect(200);
        count += 1;
    }
    Ok(count)
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_history_is_rebuilt_while_people_talk_and_reads_never_fail() -> Result<()> {
    let mut dice = Dice::of_test("rebuild", 8);
    let server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    crowd.acks(200).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let reader = keep_reading(crowd.clients[1].clone(), crowd.rooms[0].0.clone(), stop.clone());
    let reader = tokio::spawn(reader);
    for version in 2..5 {
        // That the digests are equal is what lets it succeed.
        let said = operator::run(REBUILD, server.data()).await?;
        assert!(said.contains(&format!("version {version} and is live")), "{said}");
        crowd.acks(50).await?;
    }
    stop.store(true, Ordering::Relaxed);
    assert!(reader.await?? > 0);
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);
    Ok(())
}

/// What every member reads of every conversation.
async fn all(crowd: &Crowd) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for (room, members) in &crowd.rooms {
        for member in members {
            for path in PATHS {
                let path = format!("/v1/conversations/{room}/{path}");
                all.push(
                    crowd.clients[*member].get(&path).await?.expect(200).json()["items"].take(),
                );
            }
        }
    }
    Ok(all)
}

/// Some talk, then quiet.
async fn talked(server: &Server) -> Result<Crowd> {
    let mut dice = Dice::of_test("rebuild that fails", 13);
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    crowd.acks(150).await?;
    assert_eq!(check(&crowd.quiet().await?), []);
    Ok(crowd)
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_g10_a_crash_inside_a_rebuild_leaves_the_live_version_serving() -> Result<()> {
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let crowd = talked(&server).await?;
    // The ids of direct conversations follow from their members, so these lie in several partitions each
    // time, and a rebuild writes several batches.
    for peer in ["cid", "dee", "eve", "fay", "gus", "hal"] {
        let direct = crowd.clients[0].direct(peer).await?;
        crowd.clients[0].send(&direct, "aside").await?.expect(201);
    }
    let before = all(&crowd).await?;
    let points = [
        "rebuild:before:1",
        "rebuild:after:1",
        "rebuild:after:2",
        "promote:before:1",
        "promote:after:1",
    ];
    for point in points {
        server.stop().await?;
        let fault = format!("crash={point}");
        server.set_env(&[NO_RATES, &[("TEST_VERBATIM_FAULTS", &fault)]].concat());
        server.resume().await?;
        let failed = operator::run(REBUILD, server.data()).await;
        assert!(failed.is_err(), "{point}: {failed:?}");
        assert_eq!(server.status().await?.signal(), Some(libc::SIGABRT), "{point}");
        server.set_env(NO_RATES);
        server.resume().await?;
        assert_eq!(all(&crowd).await?, before, "{point}");
        operator::run(REBUILD, server.data()).await.context(point)?;
        assert_eq!(all(&crowd).await?, before, "{point}, rebuilt");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn g8_g10_sigkill_during_a_rebuild_leaves_the_live_version_serving() -> Result<()> {
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = talked(&server).await?;
    let mut dice = Dice::of_test("killed rebuild", 21);
    crowd.talk(&mut dice, None);
    for _ in 0..6 {
        crowd.acks(20).await?;
        let rebuild = operator::run(REBUILD, server.data());
        // Whether it was done by then or not: both must do.
        let _ = tokio::time::timeout(Duration::from_millis(dice.below(120)), rebuild).await;
        server.kill().await?;
        server.resume().await?;
    }
    crowd.acks(20).await?;
    operator::run(REBUILD, server.data()).await?;
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);
    Ok(())
}
