//! The inbox projector: a cache that is warmed, followed, flushed and warmed again.

mod support;

use std::time::Duration;

use proptest::prelude::*;
use support::{
    World,
    chaos::{Chaos, Random},
    run,
    story::{self, Author},
};

const ALL: [&str; 3] = ["timeline", "history", "inbox"];

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 0, failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(cases(60))]

    #[test]
    fn the_inbox_is_the_fold_whatever_fails_and_whenever_it_is_flushed(
        seed: u64, failures in 0u64..100
    ) {
        run(async move {
            let world = World::new();
            let (mut random, mut author) = (Random::new(seed), Author::default());
            for life in 0..8 {
                let chaos = Chaos::new(seed ^ life, failures);
                chaos.freeze_at(random.below(250));
                let process = world.start(&chaos, &ALL);
                author.improvise(&world.log, &mut random, 15);
                tokio::select! {
                    () = chaos.froze.notified() => {}
                    () = world.until_in_inbox() => {}
                }
                drop(process);
                if random.below(3) == 0 {
                    world.inbox.flush();
                }
            }
            let process = world.start(&Chaos::calm(), &ALL);
            world.until_in_inbox().await;
            process.handle.stop().await;
            world.check_inbox();
        });
    }
}

#[test]
fn a_cache_that_is_flushed_while_nothing_happens_is_warmed_again() {
    run(async {
        let world = World::new();
        Author::default().chat(&world.log, 20);
        let process = world.start(&Chaos::calm(), &ALL);
        world.until_in_history().await;
        world.until_in_inbox().await;
        world.inbox.flush();
        assert_eq!(world.inbox.position(0), None);
        world.until_in_inbox().await;
        world.check_inbox();
        process.handle.stop().await;
    });
}

#[test]
fn a_batch_after_a_flush_is_not_taken_for_the_whole() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 20);
        let process = world.start(&Chaos::calm(), &ALL);
        world.until_in_history().await;
        world.until_in_inbox().await;
        world.inbox.flush();
        author.more(&world.log, 0, 1);
        author.more(&world.log, 1, 1);
        world.until_in_inbox().await;
        world.check_inbox();
        process.handle.stop().await;
    });
}

#[test]
fn an_inbox_that_still_holds_everything_is_not_cleared_at_a_restart() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 20);
        let process = world.start(&Chaos::calm(), &ALL);
        world.until_in_inbox().await;
        process.handle.stop().await;
        let cleared = *world.inbox.cleared.lock().unwrap();
        // While the inbox is not projected, history runs ahead of it.
        let process = world.start(&Chaos::calm(), &["timeline", "history"]);
        author.more(&world.log, 0, 5);
        world.until_in_history().await;
        process.handle.stop().await;
        let process = world.start(&Chaos::calm(), &ALL);
        author.more(&world.log, 0, 5);
        world.until_in_inbox().await;
        process.handle.stop().await;
        world.check_inbox();
        assert_eq!(*world.inbox.cleared.lock().unwrap(), cleared);
    });
}

#[test]
fn an_inbox_ahead_of_history_takes_nothing_twice() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 5);
        let process = world.start(&Chaos::calm(), &ALL);
        world.until_in_history().await;
        world.until_in_inbox().await;
        process.handle.pause("history").await.unwrap();
        author.more(&world.log, 0, 5);
        world.until_in_inbox().await;
        process.handle.stop().await;
        let process = world.start(&Chaos::calm(), &["timeline", "inbox"]);
        author.more(&world.log, 0, 5);
        world.until_in_inbox().await;
        let status = process.until_state("inbox", 0, |s| s.batches > 0).await;
        assert_eq!(status.position.map(|src| src.offset), world.last(0));
        process.handle.stop().await;
        world.check_inbox();
    });
}

#[test]
fn the_inbox_of_another_log_stops_and_says_to_flush_it() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 5);
        world.inbox.put(0, world.log.layout().src(0, 9_999));
        let process = world.start(&Chaos::calm(), &ALL);
        let reason = process.until_stopped("inbox", 0).await;
        assert!(reason.contains("flush the inbox cache"), "{reason}");
        author.act(&world.log, story::group_on(1), "ada", story::says("elsewhere"));
        world.until("the other partition", || world.inbox.position(1) == world.last(1)).await;
        process.handle.stop().await;
    });
}

#[test]
fn an_idle_inbox_writes_nothing() {
    run(async {
        let world = World::new();
        Author::default().chat(&world.log, 5);
        let process = world.start(&Chaos::calm(), &ALL);
        world.until_in_inbox().await;
        let changes = *world.changes.borrow();
        tokio::time::sleep(Duration::from_secs(600)).await;
        assert_eq!(*world.changes.borrow(), changes);
        process.handle.stop().await;
    });
}
