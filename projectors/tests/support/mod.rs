//! A world in memory: a log, stores and a clock that fail, stall and end as told, so that tests can
//! show that nothing of it is noticed.

#![allow(dead_code, reason = "every test file uses its own part of the world")]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

pub mod chaos;
pub mod conversations;
pub mod history;
pub mod inbox;
pub mod log;
pub mod story;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chaos::Chaos;
use tokio::sync::watch;
use verbatim_domain::watermark::{Admission, admit};
use verbatim_ports::{clock::Clock, log::Stream};
use verbatim_projectors::{
    Handle, Projectors,
    runner::{PartitionStatus, State},
};
use verbatim_schemas::{Ruling, Timestamp};

pub const PARTITIONS: u32 = 2;

/// A clock that tests set.
pub struct TestClock(AtomicU64);

impl TestClock {
    pub fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Counts changes, so that tests wait for events instead of time.
pub type Changes = Arc<watch::Sender<u64>>;

/// What outlives a process.
#[derive(Clone)]
pub struct World {
    pub log: Arc<log::LogData>,
    pub conversations: Arc<conversations::StoreData>,
    pub history: Arc<history::HistoryData>,
    pub inbox: Arc<inbox::InboxData>,
    pub clock: Arc<TestClock>,
    pub changes: Changes,
}

impl World {
    pub fn new() -> Self {
        let changes: Changes = Arc::new(watch::Sender::new(0));
        Self {
            log: Arc::new(log::LogData::new(PARTITIONS, Arc::clone(&changes))),
            conversations: Arc::new(conversations::StoreData::new(Arc::clone(&changes))),
            history: Arc::new(history::HistoryData::new(Arc::clone(&changes))),
            inbox: Arc::new(inbox::InboxData::new(Arc::clone(&changes))),
            clock: Arc::new(TestClock(AtomicU64::new(story::START + 365 * 86_400_000))),
            changes,
        }
    }

    /// The same log, with a state of its own for the timeline projector: another node.
    pub fn other_node(&self) -> Self {
        let conversations = Arc::new(conversations::StoreData::new(Arc::clone(&self.changes)));
        Self { conversations, ..self.clone() }
    }

    fn projectors(&self, chaos: &Arc<Chaos>) -> (Projectors, watch::Sender<bool>) {
        let shutdown = watch::Sender::new(false);
        let log = Arc::new(log::LogView::new(Arc::clone(&self.log), Arc::clone(chaos)));
        let clock: Arc<dyn Clock> = self.clock.clone();
        (Projectors::new(log, clock, shutdown.subscribe()), shutdown)
    }

    /// A process with the given roles, some of "timeline", "history", "inbox".
    pub fn start(&self, chaos: &Arc<Chaos>, roles: &[&str]) -> Process {
        let (mut projectors, shutdown) = self.projectors(chaos);
        let writer = Arc::new(history::HistoryView::new(&self.history, chaos));
        for role in roles {
            projectors = match *role {
                "timeline" => projectors
                    .timeline(Arc::new(conversations::StoreView::new(&self.conversations, chaos))),
                "history" => projectors.history(writer.clone()),
                "inbox" => projectors.inbox(
                    Arc::new(inbox::InboxView::new(&self.inbox, chaos)),
                    writer.clone(),
                    writer.clone(),
                ),
                other => panic!("no role {other}"),
            };
        }
        Process { handle: projectors.start(), shutdown }
    }

    /// A process with a worker of the test's own besides.
    pub fn start_with(
        &self,
        roles: &[&str],
        add: impl FnOnce(Projectors) -> Projectors,
    ) -> Process {
        let chaos = Chaos::calm();
        let (projectors, shutdown) = self.projectors(&chaos);
        let mut projectors = add(projectors);
        let writer = Arc::new(history::HistoryView::new(&self.history, &chaos));
        for role in roles {
            projectors = match *role {
                "timeline" => projectors
                    .timeline(Arc::new(conversations::StoreView::new(&self.conversations, &chaos))),
                "history" => projectors.history(writer.clone()),
                other => panic!("no role {other}"),
            };
        }
        Process { handle: projectors.start(), shutdown }
    }

    /// Waits until something holds; it may change only with the world.
    pub async fn until(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let mut changes = self.changes.subscribe();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if holds() {
                    return;
                }
                let _ = changes.changed().await;
            }
        };
        // The time is the runtime's own, which is paused: it passes only when nobody has work.
        let within = Duration::from_secs(7 * 86_400);
        assert!(tokio::time::timeout(within, waiting).await.is_ok(), "never came: {what}");
    }

    /// The rulings that consumers admit, as bytes.
    pub fn admitted(&self, partition: u32) -> Vec<Vec<u8>> {
        let mut last = None;
        let mut admitted = Vec::new();
        for record in self.log.records(Stream::Timeline, partition) {
            let Ok(ruling) = Ruling::decode(&record.value) else { continue };
            if admit(last, ruling.src, ruling.prev_src) == Admission::Apply {
                last = Some(ruling.src);
                admitted.push(record.value.to_vec());
            }
        }
        admitted
    }

    pub fn admitted_all(&self) -> BTreeMap<u32, Vec<Vec<u8>>> {
        (0..PARTITIONS).map(|partition| (partition, self.admitted(partition))).collect()
    }

    /// Whether every event is ruled on.
    pub fn ruled(&self) -> bool {
        (0..PARTITIONS).all(|partition| {
            self.admitted(partition).len() == self.log.records(Stream::Events, partition).len()
        })
    }

    pub async fn until_ruled(&self) {
        self.until("every event is ruled on", || self.ruled()).await;
    }

    /// The offset of the last event of a partition.
    pub fn last(&self, partition: u32) -> Option<u64> {
        self.log.records(Stream::Events, partition).last().map(|record| record.offset)
    }

    /// Whether the timeline's state is saved up to the last event.
    pub fn saved(&self) -> bool {
        (0..PARTITIONS)
            .all(|partition| self.conversations.position(partition) == self.last(partition))
    }

    pub async fn until_saved(&self) {
        self.until("the state is saved", || self.saved()).await;
    }

    pub async fn until_in_history(&self) {
        self.until("all is in history", || {
            (0..PARTITIONS)
                .all(|partition| self.history.live_position(partition) == self.last(partition))
        })
        .await;
    }

    pub async fn until_in_inbox(&self) {
        self.until("all is in the inbox", || {
            (0..PARTITIONS).all(|partition| self.inbox.position(partition) == self.last(partition))
        })
        .await;
    }

    /// Compares the timeline and the state with the plain rule over the events.
    pub fn check_timeline(&self) {
        let plain = story::plain(&self.log);
        for partition in 0..PARTITIONS {
            let admitted = self.admitted(partition);
            let expected: Vec<_> =
                plain.rulings[&partition].iter().map(|ruling| ruling.encode().unwrap()).collect();
            assert_eq!(admitted.len(), expected.len(), "one ruling for each event");
            for (found, expected) in admitted.iter().zip(&expected) {
                assert_eq!(
                    String::from_utf8_lossy(found),
                    String::from_utf8_lossy(expected),
                    "the rulings are the plain rule's"
                );
            }
            assert_eq!(
                self.conversations.states(partition),
                plain.states[&partition],
                "the state is the fold"
            );
        }
    }

    /// Compares history's live rows with those of the plain rule.
    pub fn check_history(&self) {
        let plain = story::plain(&self.log);
        for partition in 0..PARTITIONS {
            let expected = history::Rows::of(&plain.rulings[&partition]);
            assert_eq!(self.history.live_rows(partition), expected, "history is the fold");
        }
    }

    /// Compares the inbox with the plain rule.
    pub fn check_inbox(&self) {
        let plain = story::plain(&self.log);
        for partition in 0..PARTITIONS {
            let expected = inbox::Kept::of(&plain.rulings[&partition]);
            assert_eq!(self.inbox.kept(partition), expected, "the inbox is the fold");
        }
    }
}

/// A process that runs.
pub struct Process {
    pub handle: Handle,
    pub shutdown: watch::Sender<bool>,
}

impl Process {
    pub fn partition(&self, projection: &str, partition: u32) -> Option<PartitionStatus> {
        let status = self.handle.status().into_iter().find(|s| s.projection == projection)?;
        status.partitions.into_iter().find(|status| status.partition == partition)
    }

    /// Waits for a state of a partition; nothing announces states, so time (which is paused) passes.
    pub async fn until_state(
        &self,
        projection: &str,
        partition: u32,
        matches: impl Fn(&PartitionStatus) -> bool,
    ) -> PartitionStatus {
        for _ in 0..10_000 {
            if let Some(status) = self.partition(projection, partition)
                && matches(&status)
            {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("never came: {:?}", self.partition(projection, partition));
    }

    /// The reason why a partition stopped.
    pub async fn until_stopped(&self, projection: &str, partition: u32) -> String {
        let status = self
            .until_state(projection, partition, |s| matches!(s.state, State::Stopped { .. }))
            .await;
        match status.state {
            State::Stopped { reason } => reason,
            other => panic!("{other:?}"),
        }
    }
}

/// Runs a test on one thread whose time passes only when nobody has work.
pub fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(test);
}
