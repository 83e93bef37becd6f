//! Who waits for which ruling.
//!
//! The answer to an append may come after the ruling has passed by, so rulings are kept while an
//! append of this node is on its way in their partition, within bounds. Everything of a partition is
//! under one lock, which is never held across an await.

use std::{
    collections::{BTreeMap, VecDeque},
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use futures_util::FutureExt;
use tokio::sync::oneshot;
use verbatim_ports::follow::{Followed, Follower};
use verbatim_schemas::Ruling;

use super::{locked, measure};

/// The rulings waited for, and those that may be.
pub(crate) struct Rulings {
    partitions: Vec<Mutex<Partition>>,
    keep: usize,
    keep_bytes: usize,
}

#[derive(Default)]
struct Partition {
    /// Appends on their way: their places are not known yet.
    expected: usize,
    /// By offset and ticket.
    waiting: BTreeMap<(u64, u64), oneshot::Sender<Arc<Ruling>>>,
    tickets: u64,
    /// Rulings that passed by while appends were on their way, in order, with their sizes.
    recent: VecDeque<(u64, usize, Arc<Ruling>)>,
    recent_bytes: usize,
    /// The last record whose ruling passed by.
    passed: Option<u64>,
}

impl Rulings {
    /// Keeps up to `keep` rulings of `keep_bytes` in all in each partition.
    pub(crate) fn new(partitions: u32, keep: usize, keep_bytes: usize) -> Self {
        let partitions = (0..partitions).map(|_| Mutex::default()).collect();
        Self { partitions, keep, keep_bytes }
    }

    /// Announces an append; call it before appending.
    pub(crate) fn expect(self: &Arc<Self>, partition: u32) -> Expected {
        if let Some(partition) = self.partition(partition) {
            locked(partition).expected += 1;
        }
        Expected { rulings: self.clone(), partition }
    }

    /// Rulings that passed by, in order.
    pub(crate) fn pass(&self, partition: u32, rulings: &[Followed]) {
        let Some(partition) = self.partition(partition) else { return };
        let mut partition = locked(partition);
        for followed in rulings {
            partition.pass(followed, self.keep, self.keep_bytes);
        }
    }

    /// A follower was opened at the end: what was ruled before will not pass by.
    pub(crate) fn begin(&self, follower: &Follower) {
        for (id, partition) in (0..).zip(&self.partitions) {
            let Some(last) = follower.last(id) else { continue };
            let mut partition = locked(partition);
            partition.passed = partition.passed.max(Some(last.offset));
            partition.waiting = partition.waiting.split_off(&(last.offset + 1, 0));
        }
    }

    fn partition(&self, partition: u32) -> Option<&Mutex<Partition>> {
        self.partitions.get(partition as usize)
    }
}

impl Partition {
    fn pass(&mut self, followed: &Followed, keep: usize, keep_bytes: usize) {
        let offset = followed.ruling.src.offset;
        self.passed = self.passed.max(Some(offset));
        while let Some(first) = self.waiting.first_entry().filter(|e| e.key().0 <= offset) {
            let ((wanted, _), waiter) = first.remove_entry();
            if wanted == offset {
                // A waiter that is gone needs no ruling.
                let _ = waiter.send(followed.ruling.clone());
            }
        }
        if self.expected > 0 {
            let bytes = followed.value.len();
            self.recent.push_back((offset, bytes, followed.ruling.clone()));
            self.recent_bytes += bytes;
            while self.recent.len() > keep || self.recent_bytes > keep_bytes {
                let Some((_, bytes, _)) = self.recent.pop_front() else { break };
                self.recent_bytes -= bytes;
            }
        }
    }

    fn find(&self, offset: u64) -> Option<Arc<Ruling>> {
        let index = self.recent.binary_search_by_key(&offset, |(offset, ..)| *offset).ok()?;
        self.recent.get(index).map(|(.., ruling)| ruling.clone())
    }
}

/// An append on its way.
pub(crate) struct Expected {
    rulings: Arc<Rulings>,
    partition: u32,
}

impl Expected {
    /// The append's place is known: the ruling of it, whether it passed by already or is to come.
    pub(crate) fn at(self, offset: u64) -> Awaited {
        let state = match self.rulings.partition(self.partition) {
            None => State::Missed,
            Some(partition) => locked(partition).register(offset),
        };
        Awaited { rulings: self.rulings.clone(), partition: self.partition, offset, state }
    }
}

impl Partition {
    fn register(&mut self, offset: u64) -> State {
        if let Some(ruling) = self.find(offset) {
            return State::Passed(ruling);
        }
        if self.passed.is_some_and(|passed| passed >= offset) {
            return State::Missed;
        }
        let (sender, receiver) = oneshot::channel();
        self.tickets += 1;
        self.waiting.insert((offset, self.tickets), sender);
        measure::waiters(1.0);
        State::Waiting { ticket: self.tickets, receiver }
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        if let Some(partition) = self.rulings.partition(self.partition) {
            let mut partition = locked(partition);
            partition.expected = partition.expected.saturating_sub(1);
            if partition.expected == 0 {
                // Whatever is appended from now on is ruled on later.
                partition.recent = VecDeque::new();
                partition.recent_bytes = 0;
            }
        }
    }
}

/// The future of a ruling; none when it passed by and is kept no more.
pub(crate) struct Awaited {
    rulings: Arc<Rulings>,
    partition: u32,
    offset: u64,
    state: State,
}

enum State {
    Passed(Arc<Ruling>),
    Missed,
    Waiting { ticket: u64, receiver: oneshot::Receiver<Arc<Ruling>> },
}

impl Future for Awaited {
    type Output = Option<Arc<Ruling>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Passed(ruling) => Poll::Ready(Some(ruling.clone())),
            State::Missed => Poll::Ready(None),
            State::Waiting { receiver, .. } => receiver.poll_unpin(context).map(Result::ok),
        }
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        let State::Waiting { ticket, .. } = self.state else { return };
        measure::waiters(-1.0);
        if let Some(partition) = self.rulings.partition(self.partition) {
            locked(partition).waiting.remove(&(self.offset, ticket));
        }
    }
}
