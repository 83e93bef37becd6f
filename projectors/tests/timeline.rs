//! The timeline projector: one ruling for each record, the plain rule's, whatever goes wrong.

mod support;

use proptest::prelude::*;
use support::{
    World,
    chaos::{Chaos, Fate, Random},
    run,
    story::{self, Author},
};

/// A world with so many random records.
fn improvised(seed: u64, count: usize) -> (World, Author, Random) {
    let world = World::new();
    let mut random = Random::new(seed);
    let mut author = Author::default();
    author.improvise(&world.log, &mut random, count);
    (world, author, random)
}

/// Lets a calm process finish, and compares everything with the plain rule.
async fn finish_and_check(world: &World) {
    let process = world.start(&Chaos::calm(), &["timeline"]);
    world.until_ruled().await;
    world.until_saved().await;
    process.handle.stop().await;
    world.check_timeline();
}

#[test]
fn a_calm_projector_rules_as_the_plain_rule_does() {
    run(async {
        let (world, ..) = improvised(1, 3_000);
        finish_and_check(&world).await;
    });
}

/// A seed says all: there is nothing to shrink.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 0, failure_persistence: None, ..Default::default() }
}

proptest! {
    #![proptest_config(cases(100))]

    /// Split and doubled batches, stores and appends that fail before, after and halfway, records
    /// that arrive late: nothing of it is noticed.
    #[test]
    fn failures_change_no_ruling(seed: u64, failures in 1u64..300) {
        run(async move {
            let (world, mut author, mut random) = improvised(seed, 60);
            let process = world.start(&Chaos::new(seed, failures), &["timeline"]);
            for _ in 0..6 {
                tokio::time::sleep(std::time::Duration::from_millis(random.below(200))).await;
                author.improvise(&world.log, &mut random, 15);
            }
            world.until_ruled().await;
            world.until_saved().await;
            process.handle.stop().await;
            world.check_timeline();
        });
    }

    /// Ended at any step (kill -9), and begun again, many times.
    #[test]
    fn kills_at_any_step_change_no_ruling(seed: u64, failures in 0u64..100) {
        run(async move {
            let (world, mut author, mut random) = improvised(seed, 40);
            for life in 0..12 {
                let chaos = Chaos::new(seed ^ life, failures);
                chaos.freeze_at(random.below(60));
                let process = world.start(&chaos, &["timeline"]);
                author.improvise(&world.log, &mut random, 5);
                tokio::select! {
                    () = chaos.froze.notified() => {}
                    () = world.until_saved() => {}
                }
                drop(process);
            }
            finish_and_check(&world).await;
        });
    }

    /// Two nodes that believe they own the same partitions, each with a state of its own, one of them
    /// stopped at some step and continued when the other has done the work.
    #[test]
    fn two_owners_change_no_ruling(seed: u64, failures in 0u64..100) {
        run(async move {
            let (world, mut author, mut random) = improvised(seed, 60);
            let other = world.other_node();
            let (one_luck, other_luck) = (Chaos::new(seed, failures), Chaos::new(!seed, failures));
            one_luck.freeze_at(random.below(60));
            let one = world.start(&one_luck, &["timeline"]);
            let two = other.start(&other_luck, &["timeline"]);
            author.improvise(&world.log, &mut random, 40);
            world.until_ruled().await;
            one_luck.freeze_at(u64::MAX);
            one_luck.thaw();
            author.improvise(&world.log, &mut random, 40);
            world.until_ruled().await;
            world.until_saved().await;
            other.until_saved().await;
            one.handle.stop().await;
            two.handle.stop().await;
            world.check_timeline();
            other.check_timeline();
        });
    }

    /// Two owners of one and the same store: no load of one is mixed with a save of the other.
    #[test]
    fn two_owners_of_one_store_change_no_ruling(seed: u64, failures in 0u64..100) {
        run(async move {
            let (world, mut author, mut random) = improvised(seed, 60);
            let one = world.start(&Chaos::new(seed, failures.max(20)), &["timeline"]);
            let two = world.start(&Chaos::new(!seed, failures.max(20)), &["timeline"]);
            for _ in 0..6 {
                tokio::time::sleep(std::time::Duration::from_millis(random.below(200))).await;
                author.improvise(&world.log, &mut random, 15);
            }
            world.until_ruled().await;
            world.until_saved().await;
            one.handle.stop().await;
            two.handle.stop().await;
            world.check_timeline();
        });
    }

    /// A power cut takes the timeline's tail (and perhaps all of it), but neither the events nor the
    /// state: what is ruled again is what was ruled before.
    #[test]
    fn a_lost_tail_is_ruled_again(seed: u64, kept in 0u64..40) {
        run(async move {
            use verbatim_ports::log::Stream;
            let (world, mut author, mut random) = improvised(seed, 80);
            finish_and_check(&world).await;
            let before = world.admitted_all();
            for partition in 0..support::PARTITIONS {
                world.log.cut(Stream::Timeline, partition, kept);
            }
            let chaos = Chaos::new(seed, 50);
            chaos.freeze_at(random.below(80));
            let process = world.start(&chaos, &["timeline"]);
            tokio::select! {
                () = chaos.froze.notified() => {}
                () = world.until_ruled() => {}
            }
            drop(process);
            finish_and_check(&world).await;
            assert!(world.admitted_all() == before, "the timeline is what it was");
            author.improvise(&world.log, &mut random, 20);
            finish_and_check(&world).await;
        });
    }
}

/// Each way in which an append can go wrong, alone.
#[test]
fn every_fate_of_an_append_ends_in_one_ruling_each() {
    for fate in [
        Fate::Doubled,
        Fate::Refused,
        Fate::Lost,
        Fate::LostAnswer,
        Fate::Prefix,
        Fate::Suffix,
        Fate::Late,
    ] {
        run(async move {
            let (world, ..) = improvised(7, 50);
            let chaos = Chaos::calm();
            chaos.script(&[fate, fate, fate]);
            let process = world.start(&chaos, &["timeline"]);
            world.until_saved().await;
            process.handle.stop().await;
            world.check_timeline();
            let written = world.log.records(verbatim_ports::log::Stream::Timeline, 0).len()
                + world.log.records(verbatim_ports::log::Stream::Timeline, 1).len();
            assert!(written >= 50, "{fate:?}");
        });
    }
}

#[test]
fn an_owner_takes_over_after_another_without_its_state() {
    run(async {
        let (world, mut author, mut random) = improvised(3, 400);
        finish_and_check(&world).await;
        author.improvise(&world.log, &mut random, 100);
        finish_and_check(&world.other_node()).await;
        finish_and_check(&world).await;
    });
}

#[test]
fn records_that_are_no_events_are_ruled_out_and_stop_nothing() {
    run(async {
        use verbatim_schemas::{Code, Outcome, Ruling, bounds};
        let world = World::new();
        let mut author = Author::default();
        let here = story::group_on(0);
        let key = here.to_string();
        author.act(&world.log, here, "ada", story::creates(&["bob"]));
        author.append_raw(&world.log, &key, b"\xff\xfe".to_vec(), 0);
        author.append_raw(&world.log, &key, vec![b'x'; 2 * bounds::EVENT_BYTES], 3);
        author.append_raw(&world.log, &key, Vec::new(), 0);
        let elsewhere = author.event(story::group_on(1), "ada", story::creates(&["bob"]));
        author.append_raw(&world.log, &key, elsewhere.encode().unwrap(), 0);
        // The right key on the wrong partition.
        let time = verbatim_schemas::Timestamp::from_millis(author.now);
        let stray = story::group_on(1).to_string();
        let value = elsewhere.encode().unwrap().into();
        world.log.push(verbatim_ports::log::Stream::Events, 0, 0, time, stray.into(), value);
        author.act(&world.log, here, "bob", story::says("still here"));
        finish_and_check(&world).await;
        let outcomes: Vec<_> = world
            .admitted(0)
            .iter()
            .map(|value| match Ruling::decode(value).unwrap().outcome {
                Outcome::Accepted(_) => None,
                Outcome::Duplicate(_) => panic!("a duplicate"),
                Outcome::Rejected(reason) => Some(reason.code),
            })
            .collect();
        let out = Some(Code::Malformed);
        assert_eq!(outcomes, [None, out, out, out, out, out, None]);
        assert!(world.conversations.states(1).is_empty(), "the stray record founded nothing");
    });
}

/// At every step at which a process can be killed, what consumers see is a whole number of rulings,
/// and they see them before the state is saved.
#[test]
fn rulings_are_seen_before_the_state_is_saved() {
    run(async {
        let mut seen_unsaved = 0;
        for step in 0..40 {
            let world = World::new();
            Author::default().chat(&world.log, 3);
            let chaos = Chaos::calm();
            chaos.freeze_at(step);
            let process = world.start(&chaos, &["timeline"]);
            tokio::select! {
                () = chaos.froze.notified() => {}
                () = world.until_saved() => {}
            }
            let ruled = world.admitted(0).len();
            let saved = world.conversations.position(0).map_or(0, |offset| offset + 1);
            assert!(saved <= ruled as u64, "what is saved was acknowledged");
            seen_unsaved += usize::from(saved < ruled as u64);
            drop(process);
            finish_and_check(&world).await;
        }
        assert!(seen_unsaved > 0);
    });
}

#[test]
fn rows_of_another_checkpoint_are_not_ruled_on() {
    run(async {
        use verbatim_ports::{StoreError, conversations::ConversationStore};
        let (world, ..) = improvised(2, 50);
        finish_and_check(&world).await;
        let store = support::conversations::StoreView::new(&world.conversations, &Chaos::calm());
        let now = world.conversations.checkpoint(0).map(|checkpoint| checkpoint.src);
        assert!(store.load_at(0, now, Default::default()).await.is_ok());
        for other in [
            None,
            now.map(|mut src| {
                src.offset -= 1;
                src
            }),
        ] {
            let loaded = store.load_at(0, other, Default::default()).await;
            assert!(matches!(loaded, Err(StoreError::Fenced)), "{loaded:?}");
        }
    });
}
