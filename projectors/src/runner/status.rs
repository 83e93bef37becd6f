//! How far each projection has come in each partition, and what keeps it.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use serde::Serialize;
use verbatim_ports::clock::Clock;
use verbatim_schemas::{Src, Timestamp};

use super::meters::Meters;

/// What a projection is doing in a partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum State {
    /// It reads its checkpoint; the timeline projector also folds the timeline to its end.
    Starting,
    /// It writes what comes, or waits for something to come.
    Running,
    /// An operator paused it.
    Paused,
    /// Something cannot be reached; it is tried again.
    Retrying {
        /// What.
        reason: String,
        /// How often in a row it failed.
        attempts: u32,
    },
    /// A record's time lies too far ahead of this node's clock: one of the two clocks is wrong.
    Holding {
        /// The record's offset on `chat.events`.
        offset: u64,
        /// The record's time.
        time: Timestamp,
    },
    /// It stopped; an operator has to look.
    Stopped {
        /// What is wrong, and what to do.
        reason: String,
    },
}

/// How far a projection has come in one partition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PartitionStatus {
    /// Which.
    pub partition: u32,
    /// What it is doing.
    #[serde(flatten)]
    pub state: State,
    /// Since when.
    pub since: Timestamp,
    /// The last record of `chat.events` that is included; none before the first.
    pub position: Option<Src>,
    /// The end of `chat.events` when it was last asked for, each few seconds.
    pub end: Option<u64>,
    /// How many offsets lie between the two.
    pub lag: Option<u64>,
    /// Since when what it does fails and is tried again; none while it works.
    pub failing_since: Option<Timestamp>,
    /// Since when rulings come whose predecessor is missing; none when none is.
    pub gap_since: Option<Timestamp>,
    /// How many batches were written.
    pub batches: u64,
}

/// How far a projection has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ProjectionStatus {
    /// Which.
    pub projection: &'static str,
    /// Why it has no partitions, when it could not join its group; it is tried again.
    pub problem: Option<String>,
    /// The partitions that this node owns.
    pub partitions: Vec<PartitionStatus>,
}

/// The statuses of one projection's partitions.
pub struct Board {
    name: &'static str,
    clock: Arc<dyn Clock>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    problem: Option<String>,
    cells: BTreeMap<u32, Arc<Cell>>,
}

impl Board {
    pub(crate) fn new(name: &'static str, clock: Arc<dyn Clock>) -> Self {
        Self { name, clock, inner: Mutex::default() }
    }

    /// The statuses now.
    pub fn status(&self) -> ProjectionStatus {
        let inner = lock(&self.inner);
        ProjectionStatus {
            projection: self.name,
            problem: inner.problem.clone(),
            partitions: inner.cells.values().map(|cell| cell.status()).collect(),
        }
    }

    /// The partitions that are on the board.
    pub(crate) fn partitions(&self) -> Vec<u32> {
        lock(&self.inner).cells.keys().copied().collect()
    }

    pub(crate) fn set_problem(&self, problem: Option<String>) {
        lock(&self.inner).problem = problem;
    }

    /// The partition's cell, made when it is not there.
    pub(crate) fn cell(&self, partition: u32) -> Arc<Cell> {
        let mut inner = lock(&self.inner);
        let cell = inner
            .cells
            .entry(partition)
            .or_insert_with(|| Arc::new(Cell::new(self.name, partition, Arc::clone(&self.clock))));
        Arc::clone(cell)
    }

    pub(crate) fn remove(&self, partition: u32) {
        if let Some(cell) = lock(&self.inner).cells.remove(&partition) {
            // Another node shows this partition's lag now.
            cell.meters.lag(0);
        }
    }

    /// Notes where `chat.events` ends.
    pub(crate) fn set_end(&self, partition: u32, end: u64) {
        let cell = lock(&self.inner).cells.get(&partition).cloned();
        if let Some(cell) = cell {
            cell.update(|status| status.end = status.end.max(Some(end)));
        }
    }
}

/// The status of one partition, which its worker writes and everybody reads.
pub(crate) struct Cell {
    status: Mutex<PartitionStatus>,
    clock: Arc<dyn Clock>,
    pub(super) meters: Meters,
}

impl Cell {
    fn new(name: &'static str, partition: u32, clock: Arc<dyn Clock>) -> Self {
        let status = PartitionStatus {
            partition,
            state: State::Starting,
            since: clock.now(),
            position: None,
            end: None,
            lag: None,
            failing_since: None,
            gap_since: None,
            batches: 0,
        };
        Self { status: Mutex::new(status), clock, meters: Meters::new(name, partition) }
    }

    pub(crate) fn status(&self) -> PartitionStatus {
        lock(&self.status).clone()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn set(&self, state: State) {
        let now = self.clock.now();
        self.update(|status| {
            match state {
                State::Retrying { .. } => status.failing_since = status.failing_since.or(Some(now)),
                // What begins again has yet to show that it works: see `update` and `Task::wrote`.
                State::Starting | State::Running => {}
                _ => status.failing_since = None,
            }
            if status.state != state {
                status.state = state;
                status.since = now;
            }
        });
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut PartitionStatus)) {
        let mut status = lock(&self.status);
        change(&mut status);
        let next = status.position.map_or(0, |src| src.offset + 1);
        // What is included was there: the end may have been asked for before it came.
        if let Some(end) = &mut status.end {
            *end = (*end).max(next);
        }
        status.lag = status.end.map(|end| end - next);
        if status.state == State::Running && status.lag == Some(0) {
            status.failing_since = None;
        }
        if let Some(lag) = status.lag {
            self.meters.lag(lag);
        }
    }
}

/// The values are whole after every change, so a panic of another holder leaves nothing half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Still;

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(7)
        }
    }

    #[test]
    fn what_fails_at_each_attempt_has_been_failing_all_the_time() {
        let cell = Cell::new("history", 0, Arc::new(Still));
        let failing = || cell.status().failing_since.is_some();
        cell.update(|status| status.end = Some(5));
        for _ in 0..3 {
            cell.set(State::Running);
            cell.set(State::Retrying { reason: "locked".to_owned(), attempts: 1 });
            cell.set(State::Starting);
            assert!(failing());
        }
        cell.set(State::Running);
        assert!(failing(), "there is something to do, and nothing was done");
        cell.update(|status| {
            status.position = Some(Src { generation: 1, partition: 0, offset: 4 })
        });
        assert!(!failing(), "all is done");
        cell.set(State::Retrying { reason: "locked".to_owned(), attempts: 1 });
        cell.set(State::Paused);
        assert!(!failing(), "an operator's pause");
    }
}
