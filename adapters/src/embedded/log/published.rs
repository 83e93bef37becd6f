//! The acknowledged records: where each partition ends, the last records in memory, and the tails
//! that wait for more.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;
use verbatim_ports::log::{BATCH_BYTES, BATCH_RECORDS, LogError, Record};

use super::tables::Head;

/// What is published of a stream.
pub(super) struct Published {
    max_bytes: usize,
    state: Mutex<State>,
}

struct State {
    partitions: Vec<Partition>,
    /// The partitions of the records in memory, in the order in which they came: which one to
    /// forget first.
    order: VecDeque<u32>,
    bytes: usize,
    /// Why nothing follows any more.
    stopped: Option<LogError>,
}

struct Partition {
    /// The offset of the first record in memory; the end when there is none.
    first: u64,
    recent: VecDeque<Record>,
    tails: Vec<Arc<Notify>>,
}

impl Partition {
    fn end(&self) -> u64 {
        self.first + self.recent.len() as u64
    }
}

/// What there is for a tail.
pub(super) enum Look {
    /// The next records.
    Records(Vec<Record>),
    /// They are not in memory any more, but in the file, below this end.
    InFile(u64),
    /// Nothing yet.
    Nothing,
    /// Nothing, and nothing follows.
    Ended(LogError),
}

/// What a record in memory takes beside its bytes, the ruling that was read from it included.
const RECORD_OVERHEAD: usize = 1_024;

fn bytes(record: &Record) -> usize {
    record.key.len() + record.value.len()
}

/// What a record takes in memory: a ruling holds about as much text as its bytes.
fn size(record: &Record) -> usize {
    bytes(record) + record.value.len() + RECORD_OVERHEAD
}

impl Published {
    pub(super) fn new(heads: &[Head], max_bytes: usize) -> Self {
        let partition = |head: &Head| Partition {
            first: head.next,
            recent: VecDeque::new(),
            tails: Vec::new(),
        };
        let state = State {
            partitions: heads.iter().map(partition).collect(),
            order: VecDeque::new(),
            bytes: 0,
            stopped: None,
        };
        Self { max_bytes, state: Mutex::new(state) }
    }

    /// How many partitions.
    pub(super) fn partitions(&self) -> usize {
        self.lock().partitions.len()
    }

    /// Publishes records, in order, and wakes whoever waits for them. Only the writer calls it.
    pub(super) fn publish(&self, records: impl Iterator<Item = (u32, Record)>) {
        let mut state = self.lock();
        let state = &mut *state;
        let mut touched = vec![false; state.partitions.len()];
        for (number, record) in records {
            let partition = &mut state.partitions[number as usize];
            debug_assert_eq!(partition.end(), record.offset, "offsets are dense");
            touched[number as usize] = true;
            state.bytes += size(&record);
            partition.recent.push_back(record);
            state.order.push_back(number);
        }
        while state.bytes > self.max_bytes
            && let Some(number) = state.order.pop_front()
        {
            let partition = &mut state.partitions[number as usize];
            if let Some(forgotten) = partition.recent.pop_front() {
                partition.first += 1;
                state.bytes -= size(&forgotten);
            }
        }
        for (partition, _) in state.partitions.iter().zip(touched).filter(|(_, touched)| *touched) {
            partition.tails.iter().for_each(|tail| tail.notify_one());
        }
    }

    /// Nothing follows any more: tails end with `why` once they have read what there is.
    pub(super) fn stop(&self, why: LogError) {
        let mut state = self.lock();
        state.stopped.get_or_insert(why);
        for partition in &state.partitions {
            partition.tails.iter().for_each(|tail| tail.notify_one());
        }
    }

    /// The offset after the last record.
    pub(super) fn end(&self, partition: u32) -> Option<u64> {
        self.lock().partitions.get(partition as usize).map(Partition::end)
    }

    /// What there is from an offset on.
    pub(super) fn look(&self, partition: u32, from: u64) -> Look {
        let state = self.lock();
        let Some(partition) = state.partitions.get(partition as usize) else {
            return Look::Nothing;
        };
        if from >= partition.end() {
            return state.stopped.clone().map_or(Look::Nothing, Look::Ended);
        }
        let Some(skipped) = from.checked_sub(partition.first) else {
            return Look::InFile(partition.end());
        };
        let mut total = 0;
        let fits = |record: &&Record| {
            let first = total == 0;
            total += bytes(record);
            first || total <= BATCH_BYTES
        };
        // An offset in memory counts records in memory, so it fits.
        let skipped = usize::try_from(skipped).unwrap_or(usize::MAX);
        let records = partition.recent.range(skipped..).take(BATCH_RECORDS).take_while(fits);
        Look::Records(records.cloned().collect())
    }

    /// From now on `tail` is woken whenever something is published in one of the partitions.
    pub(super) fn subscribe(&self, partitions: impl Iterator<Item = u32>, tail: &Arc<Notify>) {
        let mut state = self.lock();
        for number in partitions {
            if let Some(partition) = state.partitions.get_mut(number as usize) {
                partition.tails.push(tail.clone());
            }
        }
    }

    /// Ends what [`Self::subscribe`] began.
    pub(super) fn unsubscribe(&self, tail: &Arc<Notify>) {
        for partition in &mut self.lock().partitions {
            partition.tails.retain(|other| !Arc::ptr_eq(other, tail));
        }
    }

    /// No call panics between two changes that belong together.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
