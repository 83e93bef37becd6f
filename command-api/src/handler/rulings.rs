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

#[cfg(test)]
mod tests {
    use verbatim_ports::follow::Checkpoint;
    use verbatim_schemas::{Code, Digest, Outcome, Src, Timestamp};

    use super::*;

    fn followed(offset: u64) -> Followed {
        let src = Src { generation: 1, partition: 0, offset };
        let ruling = Arc::new(Ruling {
            rule_v: 1,
            src,
            prev_src: None,
            at: Timestamp::default(),
            conversation_id: None,
            event_id: None,
            actor: None,
            spent: None,
            outcome: Outcome::Rejected(Code::Malformed.into()),
        });
        let checkpoint = Checkpoint { src, hash: Digest([0; 32]), next: offset + 1 };
        Followed { ruling, checkpoint, value: bytes::Bytes::from_static(&[0; 100]) }
    }

    fn rulings(keep: usize, keep_bytes: usize) -> Arc<Rulings> {
        Arc::new(Rulings::new(1, keep, keep_bytes))
    }

    fn pass(rulings: &Rulings, offsets: std::ops::Range<u64>) {
        rulings.pass(0, &offsets.map(followed).collect::<Vec<_>>());
    }

    fn offset(ruling: Option<Option<Arc<Ruling>>>) -> Option<Option<u64>> {
        ruling.map(|ruling| ruling.map(|ruling| ruling.src.offset))
    }

    #[test]
    fn a_ruling_is_found_whether_it_came_before_or_after() {
        let rulings = rulings(10, 10_000);
        let (early, late) = (rulings.expect(0), rulings.expect(0));
        let mut waiting = early.at(1);
        assert_eq!(offset((&mut waiting).now_or_never()), None);
        pass(&rulings, 0..3);
        assert_eq!(offset(waiting.now_or_never()), Some(Some(1)));
        assert_eq!(offset(late.at(2).now_or_never()), Some(Some(2)));
    }

    #[test]
    fn one_ruling_wakes_everybody_who_waits_for_it() {
        let rulings = rulings(0, 0);
        let waiting = [rulings.expect(0).at(4), rulings.expect(0).at(4)];
        pass(&rulings, 0..9);
        for one in waiting {
            assert_eq!(offset(one.now_or_never()), Some(Some(4)));
        }
        assert!(locked(&rulings.partitions[0]).waiting.is_empty());
    }

    #[test]
    fn what_is_kept_is_bounded_and_what_is_not_kept_is_not_waited_for() {
        for (keep, keep_bytes) in [(2, 10_000), (10, 250)] {
            let rulings = rulings(keep, keep_bytes);
            let all: Vec<_> = (0..5).map(|_| rulings.expect(0)).collect();
            pass(&rulings, 0..5);
            let found: Vec<_> =
                (0..5).zip(all).map(|(n, one)| offset(one.at(n).now_or_never())).collect();
            assert_eq!(found, [Some(None), Some(None), Some(None), Some(Some(3)), Some(Some(4))]);
        }
    }

    #[test]
    fn nothing_is_kept_while_nothing_is_on_its_way() {
        let rulings = rulings(10, 10_000);
        pass(&rulings, 0..3);
        assert!(locked(&rulings.partitions[0]).recent.is_empty());
        let (one, two) = (rulings.expect(0), rulings.expect(0));
        pass(&rulings, 3..6);
        drop(one);
        assert_eq!(locked(&rulings.partitions[0]).recent.len(), 3);
        drop(two);
        let partition = locked(&rulings.partitions[0]);
        assert_eq!((partition.recent.len(), partition.recent_bytes, partition.expected), (0, 0, 0));
    }

    #[test]
    fn whoever_stops_waiting_leaves_nothing() {
        let rulings = rulings(10, 10_000);
        let (one, two) = (rulings.expect(0).at(7), rulings.expect(0).at(7));
        drop(one);
        assert_eq!(locked(&rulings.partitions[0]).waiting.len(), 1);
        drop(two);
        assert!(locked(&rulings.partitions[0]).waiting.is_empty());
    }

    #[test]
    fn a_partition_that_is_not_there_answers_nothing() {
        let rulings = rulings(10, 10_000);
        rulings.pass(9, &[followed(0)]);
        assert_eq!(offset(rulings.expect(9).at(0).now_or_never()), Some(None));
    }
}
