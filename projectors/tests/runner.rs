//! What all projectors share: ownership, panics, retries, gaps, and the status that shows them.

mod support;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use support::{World, chaos::Chaos, run, story::Author};
use verbatim_ports::{
    StoreError,
    clock::Clock,
    follow::{Checkpoint, Followed},
    log::Stream,
};
use verbatim_projectors::{
    readiness::unready,
    runner::{PartitionStatus, Projection, Session, State},
};

fn running(status: &PartitionStatus) -> bool {
    status.state == State::Running
}

/// A projection that fails in its own ways.
struct Troubled {
    panics_on: u32,
}

struct Trouble {
    panics: bool,
    checkpoint: Option<Checkpoint>,
}

#[async_trait]
impl Projection for Troubled {
    fn name(&self) -> &'static str {
        "troubled"
    }
    fn advice(&self) -> &'static str {
        "look at it"
    }
    async fn resume(&self, partition: u32) -> Result<Box<dyn Session>, StoreError> {
        Ok(Box::new(Trouble { panics: partition == self.panics_on, checkpoint: None }))
    }
}

#[async_trait]
impl Session for Trouble {
    fn checkpoint(&self) -> Option<Checkpoint> {
        self.checkpoint
    }
    async fn apply(&mut self, rulings: Vec<Followed>) -> Result<(), StoreError> {
        assert!(!self.panics, "what people wrote: {rulings:?}");
        self.checkpoint = rulings.last().map(|followed| followed.checkpoint);
        Ok(())
    }
}

#[test]
fn a_panic_stops_its_own_partition_alone_and_shows() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 3);
        let troubled = Arc::new(Troubled { panics_on: 0 });
        let roles = ["timeline", "history"];
        let process = world.start_with(&roles, |projectors| projectors.projection(troubled));
        let reason = process.until_stopped("troubled", 0).await;
        assert!(reason.contains("panicked") && !reason.contains("what people wrote"), "{reason}");
        author.more(&world.log, 0, 3);
        author.more(&world.log, 1, 3);
        world.until_in_history().await;
        let end = world.last(1);
        let reached = |s: &PartitionStatus| s.position.map(|src| src.offset) == end;
        process.until_state("troubled", 1, reached).await;
        let found = unready(&process.handle.status(), world.clock.now());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].projection, found[0].partition), ("troubled", Some(0)));
        process.handle.stop().await;
    });
}

#[test]
fn partitions_are_worked_on_while_they_are_owned() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        let own = |owned: &[u32]| {
            let owned: BTreeSet<u32> = owned.iter().copied().collect();
            world.log.owned.send_replace(Arc::new(owned));
        };
        own(&[0]);
        author.chat(&world.log, 3);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        world.until("the owned one", || world.conversations.position(0) == world.last(0)).await;
        assert_eq!(process.partition("timeline", 1), None);
        assert!(world.admitted(1).is_empty());
        own(&[0, 1]);
        world.until_saved().await;
        own(&[1]);
        author.more(&world.log, 0, 2);
        author.more(&world.log, 1, 2);
        world.until("the kept one", || world.conversations.position(1) == world.last(1)).await;
        assert_eq!(process.partition("timeline", 0), None);
        assert_eq!(world.admitted(0).len(), 4, "what is not owned is left to others");
        own(&[]);
        own(&[0, 1]);
        world.until_saved().await;
        process.handle.stop().await;
        world.check_timeline();
    });
}

#[test]
fn a_partition_that_stopped_begins_again_when_it_comes_back() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 3);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        world.until_saved().await;
        process.handle.stop().await;
        let right = world.conversations.checkpoint(0).unwrap();
        let wrong = Checkpoint { hash: verbatim_schemas::Digest([1; 32]), ..right };
        world.conversations.set_checkpoint(0, Some(wrong));
        let process = world.start(&Chaos::calm(), &["timeline"]);
        process.until_stopped("timeline", 0).await;
        world.conversations.set_checkpoint(0, Some(right));
        world.log.owned.send_replace(Arc::new(BTreeSet::from([1])));
        author.more(&world.log, 1, 1);
        world.until("the other", || world.conversations.position(1) == world.last(1)).await;
        world.log.owned.send_replace(Arc::new(BTreeSet::from([0, 1])));
        process.until_state("timeline", 0, running).await;
        process.handle.stop().await;
    });
}

#[test]
fn what_cannot_be_reached_is_tried_again_and_shows() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 3);
        // Every operation fails, joining the group first of all.
        let chaos = Chaos::new(1, 1_000);
        let process = world.start(&chaos, &["timeline"]);
        tokio::time::sleep(Duration::from_secs(60)).await;
        let status = process.handle.status();
        assert!(status[0].problem.as_ref().is_some_and(|p| p.contains("bad luck")), "{status:?}");
        assert_eq!(unready(&status, world.clock.now()).len(), 1);
        chaos.heal();
        world.until_saved().await;
        assert!(process.handle.status()[0].problem.is_none());
        chaos.sicken(1_000);
        let retrying = |s: &PartitionStatus| match &s.state {
            State::Retrying { reason, attempts } => reason.contains("bad luck") && *attempts > 3,
            _ => false,
        };
        author.more(&world.log, 0, 1);
        process.until_state("timeline", 0, retrying).await;
        chaos.heal();
        world.until_saved().await;
        process.until_state("timeline", 0, running).await;
        process.handle.stop().await;
        world.check_timeline();
    });
}

#[test]
fn a_gap_shows_fails_readiness_after_a_while_and_closes() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.chat(&world.log, 6);
        let ruled = world.start(&Chaos::calm(), &["timeline"]);
        world.until_saved().await;
        ruled.handle.stop().await;
        let records = world.log.records(Stream::Timeline, 0);
        world.log.cut(Stream::Timeline, 0, 3);
        let put = |index: usize| {
            let record = records[index].clone();
            world.log.push(Stream::Timeline, 0, 0, record.time, record.key, record.value);
        };
        put(5);
        let process = world.start(&Chaos::calm(), &["history"]);
        let status = process.until_state("history", 0, |s| s.gap_since.is_some()).await;
        assert_eq!(status.position.map(|src| src.offset), Some(2));
        let now = world.clock.now();
        assert!(unready(&process.handle.status(), now).is_empty());
        let late = now.plus_millis(30_000);
        let found = unready(&process.handle.status(), late);
        assert!(found[0].reason.contains("missing"), "{found:?}");
        (3..7).for_each(put);
        process.until_state("history", 0, |s| s.gap_since.is_none()).await;
        world.until_in_history().await;
        assert!(unready(&process.handle.status(), late).is_empty());
        process.handle.stop().await;
        world.check_history();
    });
}

#[test]
fn the_shutdown_signal_stops_all_and_so_does_the_loss_of_its_sender() {
    run(async {
        for lost in [false, true] {
            let world = World::new();
            let mut author = Author::default();
            author.chat(&world.log, 3);
            let process = world.start(&Chaos::calm(), &["timeline", "history", "inbox"]);
            world.until_in_inbox().await;
            if lost {
                drop(process.shutdown);
            } else {
                process.shutdown.send_replace(true);
            }
            for _ in 0..1_000 {
                if process.handle.status().iter().all(|s| s.partitions.is_empty()) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            let status = process.handle.status();
            assert!(status.iter().all(|s| s.partitions.is_empty()), "{status:?}");
            process.handle.stop().await;
        }
    });
}

#[test]
fn a_stop_does_not_wait_for_ever() {
    run(async {
        let world = World::new();
        Author::default().chat(&world.log, 3);
        let chaos = Chaos::calm();
        chaos.freeze_at(12);
        let process = world.start(&chaos, &["timeline"]);
        chaos.froze.notified().await;
        process.handle.stop().await;
        let process = world.start(&Chaos::calm(), &["timeline"]);
        world.until_saved().await;
        process.handle.stop().await;
        world.check_timeline();
    });
}

#[test]
fn statuses_are_written_as_operators_read_them() {
    run(async {
        let world = World::new();
        Author::default().chat(&world.log, 3);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        world.until_saved().await;
        process.until_state("timeline", 1, |s| s.lag == Some(0) && running(s)).await;
        let json = serde_json::to_value(process.handle.status()).unwrap();
        let partition = &json[0]["partitions"][1];
        assert_eq!(json[0]["projection"], "timeline");
        assert_eq!(partition["state"], "running");
        assert_eq!(partition["position"], serde_json::json!([1, 1, 3]));
        assert_eq!((&partition["end"], &partition["lag"]), (&4.into(), &0.into()));
        process.handle.stop().await;
    });
}
