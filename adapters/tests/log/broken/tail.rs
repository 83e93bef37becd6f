//! The reading side.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use futures_util::{FutureExt, future::select_all};
use verbatim_ports::log::{Batch, LogError, Record, Stream, Tail};

use super::{Fault, log::backwards};

pub struct BrokenTail {
    tail: Box<dyn Tail>,
    fault: Fault,
    stream: Stream,
    seen: Arc<Mutex<BTreeSet<(Stream, u32, u64)>>>,
    /// How many records have come.
    count: usize,
    /// A batch of another partition that came while batches were joined.
    ahead: Option<Batch>,
}

impl BrokenTail {
    pub fn new(
        tail: Box<dyn Tail>,
        fault: Fault,
        stream: Stream,
        seen: Arc<Mutex<BTreeSet<(Stream, u32, u64)>>>,
    ) -> Self {
        Self { tail, fault, stream, seen, count: 0, ahead: None }
    }

    fn seventh(&mut self) -> bool {
        self.count += 1;
        self.count.is_multiple_of(7)
    }

    fn spoil(&mut self, batch: &mut Batch) {
        let records = &mut batch.records;
        match self.fault {
            Fault::Drops => records.retain(|_| !self.seventh()),
            Fault::Doubles => {
                let twice = |record: Record| {
                    let again = self.seventh().then(|| record.clone());
                    [Some(record), again].into_iter().flatten()
                };
                *records = std::mem::take(records).into_iter().flat_map(twice).collect();
            }
            Fault::Swaps if records.len() > 1 => records.swap(0, 1),
            Fault::RunsBackwards => {
                records.iter_mut().for_each(|record| record.time = backwards(record.offset));
            }
            Fault::ReadsOnce => {
                let mut seen = self.seen.lock().unwrap();
                let (stream, partition) = (self.stream, batch.partition);
                records.retain(|record| seen.insert((stream, partition, record.offset)));
            }
            _ => {}
        }
    }
}

#[async_trait]
impl Tail for BrokenTail {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            let ahead = self.ahead.take().map(Ok);
            let mut batch = match ahead.or_else(|| self.tail.next().now_or_never()) {
                Some(batch) => batch?,
                None => {
                    let mut batch = self.tail.next().await?;
                    if self.fault == Fault::MissesAfterWait && self.count > 0 {
                        batch.records.remove(0);
                    }
                    batch
                }
            };
            if self.fault == Fault::LosesWhenDropped {
                tokio::task::yield_now().await;
            }
            while self.fault == Fault::JoinsBatches
                && let Some(more) = self.tail.next().now_or_never()
            {
                let more = more?;
                if more.partition != batch.partition {
                    self.ahead = Some(more);
                    break;
                }
                batch.records.extend(more.records);
            }
            self.spoil(&mut batch);
            if self.fault == Fault::MissesAfterWait {
                self.count += batch.records.len();
            }
            if !batch.records.is_empty() {
                return Ok(batch);
            }
        }
    }
}

/// Asks its tails in order, each time from the first on.
pub struct GreedyTail(pub Vec<Box<dyn Tail>>);

#[async_trait]
impl Tail for GreedyTail {
    async fn next(&mut self) -> Result<Batch, LogError> {
        for tail in &mut self.0 {
            if let Some(batch) = tail.next().now_or_never() {
                return batch;
            }
        }
        select_all(self.0.iter_mut().map(|tail| tail.next())).await.0
    }
}
