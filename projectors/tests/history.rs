//! The history projector, and its rebuild while it serves.

mod support;

use std::{sync::atomic::Ordering, time::Duration};

use proptest::prelude::*;
use support::{
    Process, World,
    chaos::{Chaos, Random},
    run,
    story::{self, Author},
};
use verbatim_ports::history::HistoryWriter;
use verbatim_projectors::{
    PauseError,
    history::{Phase, RebuildError, Rebuilt},
    runner::State,
};
use verbatim_schemas::Digest;

const ALL: [&str; 2] = ["timeline", "history"];

/// A seed says all: there is nothing to shrink.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 0, failure_persistence: None, ..Default::default() }
}

/// A world with random records, all in history.
async fn written(seed: u64, count: usize) -> (World, Author, Random) {
    let world = World::new();
    let (mut random, mut author) = (Random::new(seed), Author::default());
    author.improvise(&world.log, &mut random, count);
    let process = world.start(&Chaos::calm(), &ALL);
    world.until_in_history().await;
    process.handle.stop().await;
    (world, author, random)
}

async fn finish_and_check(world: &World) {
    let process = world.start(&Chaos::calm(), &ALL);
    world.until_in_history().await;
    process.handle.stop().await;
    world.check_history();
}

/// Rebuilds while records come.
async fn rebuild_under_load(
    world: &World,
    process: &Process,
    author: &mut Author,
    random: &mut Random,
) -> Result<Rebuilt, RebuildError> {
    let rebuild = process.handle.rebuild_history().expect("none runs");
    let mut progress = rebuild.progress.clone();
    let load = async {
        while progress.borrow_and_update().phase != Phase::Ended {
            author.improvise(&world.log, random, 3);
            tokio::select! {
                changed = progress.changed() => if changed.is_err() { break },
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
        }
    };
    let (outcome, ()) = futures_util::future::join(rebuild.outcome(), load).await;
    outcome
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn history_is_the_fold_whatever_fails_and_whenever_it_ends(seed: u64, failures in 0u64..150) {
        run(async move {
            let world = World::new();
            let (mut random, mut author) = (Random::new(seed), Author::default());
            for life in 0..8 {
                let chaos = Chaos::new(seed ^ life, failures);
                chaos.freeze_at(random.below(150));
                let process = world.start(&chaos, &ALL);
                author.improvise(&world.log, &mut random, 15);
                tokio::select! {
                    () = chaos.froze.notified() => {}
                    () = world.until_in_history() => {}
                }
                drop(process);
            }
            finish_and_check(&world).await;
        });
    }

    #[test]
    fn a_rebuild_under_load_comes_out_equal(seed: u64, failures in 1u64..60) {
        run(async move {
            let (world, mut author, mut random) = written(seed, 150).await;
            let before = world.history.live();
            let process = world.start(&Chaos::new(seed, failures), &ALL);
            let outcome = rebuild_under_load(&world, &process, &mut author, &mut random).await;
            let rebuilt = outcome.expect("equal");
            assert_ne!(rebuilt.version, before);
            assert_eq!(world.history.versions(), [rebuilt.version], "the old one is dropped");
            author.improvise(&world.log, &mut random, 20);
            world.until_in_history().await;
            process.handle.stop().await;
            world.check_history();
        });
    }

    /// Another node's history projector, which nobody holds still, goes on with the new version.
    #[test]
    fn a_rebuild_beside_another_owner_comes_out_equal(seed: u64) {
        run(async move {
            let (world, mut author, mut random) = written(seed, 100).await;
            let process = world.start(&Chaos::new(seed, 20), &ALL);
            let other = world.start(&Chaos::new(!seed, 20), &["history"]);
            let outcome = rebuild_under_load(&world, &process, &mut author, &mut random).await;
            assert_eq!(world.history.live(), outcome.expect("equal").version);
            author.improvise(&world.log, &mut random, 20);
            world.until_in_history().await;
            process.handle.stop().await;
            author.improvise(&world.log, &mut random, 20);
            let timeline = world.start(&Chaos::calm(), &["timeline"]);
            world.until_in_history().await;
            other.handle.stop().await;
            timeline.handle.stop().await;
            world.check_history();
        });
    }

    /// Killed at any step, the live version serves on, and the next rebuild works.
    #[test]
    fn a_killed_rebuild_leaves_the_live_version(seed: u64, step in 0u64..400) {
        run(async move {
            let (world, mut author, mut random) = written(seed, 60).await;
            let before = world.history.live();
            let chaos = Chaos::new(seed, 10);
            let process = world.start(&chaos, &ALL);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let rebuild = process.handle.rebuild_history().expect("none runs");
            chaos.freeze_at(step);
            author.improvise(&world.log, &mut random, 10);
            let whole = tokio::select! {
                () = chaos.froze.notified() => false,
                outcome = rebuild.outcome() => outcome.is_ok(),
            };
            if whole {
                assert_ne!(world.history.live(), before);
            }
            drop(process);
            finish_and_check(&world).await;
            let process = world.start(&Chaos::calm(), &ALL);
            let rebuilt = process.handle.rebuild_history().unwrap().outcome().await.expect("equal");
            assert_eq!(world.history.versions(), [rebuilt.version], "leftovers are dropped");
            process.handle.stop().await;
            world.check_history();
        });
    }
}

#[test]
fn a_rebuild_that_differs_is_dropped_and_names_both_digests() {
    run(async {
        let (world, mut author, mut random) = written(5, 200).await;
        let (before, rows) = (world.history.live(), world.history.live_rows(0));
        let process = world.start(&Chaos::calm(), &ALL);
        let served: Digest = process.handle.history().unwrap().digest().await.unwrap().1;
        world.history.spoils.store(true, Ordering::SeqCst);
        let outcome = process.handle.rebuild_history().unwrap().outcome().await;
        let Err(error @ RebuildError::Different { live, rebuilt }) = outcome else {
            panic!("{outcome:?}")
        };
        assert_eq!(live, served);
        assert_ne!(rebuilt, served);
        let text = error.to_string();
        assert!(text.contains(&format!("{live:?}")) && text.contains(&format!("{rebuilt:?}")));
        assert_eq!(world.history.versions(), [before], "the new one is dropped");
        assert_eq!(world.history.live_rows(0), rows);
        author.improvise(&world.log, &mut random, 20);
        world.until_in_history().await;
        process.handle.stop().await;
        world.check_history();
    });
}

#[test]
fn one_rebuild_at_a_time() {
    run(async {
        let (world, ..) = written(6, 50).await;
        let process = world.start(&Chaos::calm(), &ALL);
        let first = process.handle.rebuild_history().unwrap();
        assert!(matches!(process.handle.rebuild_history(), Err(RebuildError::AlreadyRunning)));
        first.outcome().await.expect("equal");
        process.handle.rebuild_history().expect("the first has ended").outcome().await.unwrap();
        process.handle.stop().await;
        world.check_history();
        let process = world.start(&Chaos::calm(), &["timeline"]);
        assert!(matches!(process.handle.rebuild_history(), Err(RebuildError::NotHere)));
    });
}

#[test]
fn progress_counts_every_record_of_the_timeline() {
    run(async {
        let (world, ..) = written(8, 120).await;
        let process = world.start(&Chaos::calm(), &ALL);
        let rebuild = process.handle.rebuild_history().unwrap();
        let progress = rebuild.progress.clone();
        rebuild.outcome().await.unwrap();
        let last = *progress.borrow();
        assert_eq!((last.phase, last.done, last.total), (Phase::Ended, 120, 120));
    });
}

#[test]
fn a_rebuild_of_nothing_works_and_so_does_one_of_a_paused_history() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        let process = world.start(&Chaos::calm(), &ALL);
        process.handle.rebuild_history().unwrap().outcome().await.expect("equal");
        author.chat(&world.log, 10);
        world.until_in_history().await;
        process.handle.pause("history").await.unwrap();
        author.more(&world.log, 0, 10);
        world.until_ruled().await;
        let stood = world.history.live_position(0);
        process.handle.rebuild_history().unwrap().outcome().await.expect("equal");
        assert_eq!(
            world.history.live_position(0),
            stood,
            "the new one stands where the old one did"
        );
        process.handle.resume("history").unwrap();
        world.until_in_history().await;
        process.handle.stop().await;
        world.check_history();
    });
}

#[test]
fn a_stop_ends_a_rebuild_and_keeps_the_live_version() {
    run(async {
        let (world, ..) = written(9, 100).await;
        let before = world.history.live();
        let process = world.start(&Chaos::new(9, 1), &ALL);
        let rebuild = process.handle.rebuild_history().unwrap();
        process.handle.stop().await;
        let outcome = rebuild.outcome().await;
        assert!(matches!(outcome, Err(RebuildError::Stopped)), "{outcome:?}");
        assert_eq!(world.history.versions(), [before]);
    });
}

#[test]
fn with_history_paused_the_timeline_goes_on() {
    run(async {
        let (world, mut author, _) = written(2, 30).await;
        let process = world.start(&Chaos::calm(), &ALL);
        process.handle.pause("history").await.unwrap();
        let before = world.history.applied.lock().unwrap().len();
        author.chat(&world.log, 5);
        world.until_ruled().await;
        let status = process.until_state("history", 0, |s| s.state == State::Paused).await;
        assert_eq!(status.position.map(|src| src.offset), world.history.live_position(0));
        process.until_state("history", 0, |s| s.lag.is_some_and(|lag| lag >= 6)).await;
        assert_eq!(world.history.applied.lock().unwrap().len(), before, "nothing was written");
        process.handle.resume("history").unwrap();
        world.until_in_history().await;
        process.until_state("history", 0, |s| s.state == State::Running && s.lag == Some(0)).await;
        process.handle.stop().await;
        world.check_history();
    });
}

#[test]
fn pausing_what_does_not_run_names_what_does() {
    run(async {
        let process = World::new().start(&Chaos::calm(), &ALL);
        let error = process.handle.pause("histroy").await.unwrap_err();
        assert!(matches!(error, PauseError::Unknown { .. }));
        assert!(error.to_string().contains("timeline, history"), "{error}");
        assert!(process.handle.resume("nothing").is_err());
    });
}

#[test]
fn history_of_another_log_stops_and_says_so() {
    run(async {
        let (world, mut author, _) = written(4, 0).await;
        author.chat(&world.log, 4);
        finish_and_check(&world).await;
        let mut checkpoint = world.history.checkpoint(0).unwrap();
        checkpoint.hash = Digest([9; 32]);
        world.history.set_checkpoint(0, checkpoint);
        let process = world.start(&Chaos::calm(), &ALL);
        let reason = process.until_stopped("history", 0).await;
        assert!(reason.contains("swapped") && reason.contains("restore the log"), "{reason}");
        process.handle.stop().await;
        checkpoint.src.offset = 1_000;
        world.history.set_checkpoint(0, checkpoint);
        let process = world.start(&Chaos::calm(), &ALL);
        let reason = process.until_stopped("history", 0).await;
        assert!(reason.contains("acknowledged records are missing"), "{reason}");
        author.act(&world.log, story::group_on(1), "ada", story::says("elsewhere"));
        world
            .until("the other partition goes on", || {
                world.history.live_position(1) == world.last(1)
            })
            .await;
    });
}

/// The timeline lost its tail: history waits until its record is ruled on again, and goes on.
#[test]
fn history_goes_on_after_the_timeline_was_ruled_again() {
    run(async {
        let (world, mut author, mut random) = written(11, 100).await;
        for partition in 0..support::PARTITIONS {
            world.log.cut(verbatim_ports::log::Stream::Timeline, partition, 10);
        }
        let process = world.start(&Chaos::new(11, 60), &ALL);
        author.improvise(&world.log, &mut random, 30);
        world.until_in_history().await;
        process.handle.stop().await;
        world.check_history();
    });
}

/// A ruling that was written to the version before as another node made a new one live without it.
#[test]
fn a_version_that_another_node_made_live_gets_what_it_lacks_though_nothing_comes() {
    run(async {
        let (world, _, _) = written(7, 50).await;
        let process = world.start(&Chaos::calm(), &ALL);
        for partition in 0..support::PARTITIONS {
            process.until_state("history", partition, |s| s.state == State::Running).await;
        }
        let elsewhere = support::history::HistoryView::new(&world.history, &Chaos::calm());
        let version = elsewhere.create().await.unwrap();
        elsewhere.promote(version).await.unwrap();
        world.until_in_history().await;
        process.handle.stop().await;
        world.check_history();
    });
}
