//! A log that ends the process around an append, and hands batches out split, doubled and late.

use std::{collections::VecDeque, sync::Arc};

use async_trait::async_trait;
use futures_util::FutureExt;
use verbatim_ports::log::{
    AppendFuture, Batch, EventLog, Layout, LogError, NewRecord, Ownership, Stream, Tail,
};

use super::Faults;

pub(super) struct FaultyLog {
    pub inner: Arc<dyn EventLog>,
    pub faults: Arc<Faults>,
}

#[async_trait]
impl EventLog for FaultyLog {
    fn layout(&self) -> Layout {
        self.inner.layout()
    }

    fn append(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        let step = match stream {
            Stream::Events => "events",
            Stream::Timeline => "timeline",
        };
        self.faults.pass(step, "before");
        let faults = Arc::clone(&self.faults);
        let append = self.inner.append(stream, records);
        append.inspect(move |_| faults.pass(step, "after")).boxed()
    }

    fn failing(&self, stream: Stream) -> Option<String> {
        self.inner.failing(stream)
    }

    async fn end(&self, stream: Stream, partition: u32) -> Result<u64, LogError> {
        self.inner.end(stream, partition).await
    }

    async fn tail(&self, stream: Stream, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        let inner = self.inner.tail(stream, from).await?;
        // Doubling chat.events would not be a fault of reading but another event: its places count.
        let double = self.faults.double && stream == Stream::Timeline;
        let faults = Arc::clone(&self.faults);
        Ok(Box::new(FaultyTail { inner, faults, double, ready: VecDeque::new(), given: 0 }))
    }

    async fn own(&self, group: &str) -> Result<Ownership, LogError> {
        self.inner.own(group).await
    }
}

struct FaultyTail {
    inner: Box<dyn Tail>,
    faults: Arc<Faults>,
    double: bool,
    ready: VecDeque<Batch>,
    given: u64,
}

#[async_trait]
impl Tail for FaultyTail {
    async fn next(&mut self) -> Result<Batch, LogError> {
        if self.ready.is_empty() {
            let batch = self.inner.next().await?;
            self.refill(batch);
        }
        self.given += 1;
        if self.faults.delay {
            // Lets everything else that can run go first, a different number of times each.
            for _ in 0..(self.given * 7 + 3) % 50 {
                tokio::task::yield_now().await;
            }
        }
        match self.ready.pop_front() {
            Some(batch) => Ok(batch),
            None => Err(LogError::Unavailable("an empty batch".to_owned())),
        }
    }
}

impl FaultyTail {
    fn refill(&mut self, batch: Batch) {
        let partition = batch.partition;
        let batches = if self.faults.split {
            let single = |record| Batch { partition, records: vec![record] };
            batch.records.into_iter().map(single).collect()
        } else {
            vec![batch]
        };
        if self.double {
            // The whole once more after it, so that repeats come out of order too.
            self.ready.extend(batches.iter().cloned());
        }
        self.ready.extend(batches);
    }
}
