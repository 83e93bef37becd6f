//! The appending side.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use tokio::sync::watch;
use verbatim_adapters::embedded::log::EmbeddedLog;
use verbatim_ports::log::{
    AppendFuture, Appended, EventLog, Layout, LogError, NewRecord, Ownership, Stream, Tail,
};
use verbatim_schemas::Timestamp;

use super::{
    Fault,
    tail::{BrokenTail, GreedyTail},
};

pub struct BrokenLog {
    log: Arc<EmbeddedLog>,
    fault: Fault,
    /// Appends that were called and not made yet.
    held: Arc<Mutex<VecDeque<Held>>>,
    /// What some tail has read already.
    pub(super) seen: Arc<Mutex<BTreeSet<(Stream, u32, u64)>>>,
}

struct Held {
    stream: Stream,
    records: Vec<NewRecord>,
    ticket: Arc<Mutex<Option<AppendFuture>>>,
}

pub fn backwards(offset: u64) -> Timestamp {
    Timestamp::from_millis(Timestamp::MAX.as_millis() - offset)
}

impl BrokenLog {
    pub fn new(log: EmbeddedLog, fault: Fault) -> Self {
        Self { log: Arc::new(log), fault, held: Arc::default(), seen: Arc::default() }
    }

    /// Appends what was held, but for what nobody waits for any more.
    fn release(log: &EmbeddedLog, held: &Mutex<VecDeque<Held>>) {
        for Held { stream, records, ticket } in held.lock().unwrap().drain(..) {
            if Arc::strong_count(&ticket) > 1 {
                *ticket.lock().unwrap() = Some(log.append(stream, records));
            }
        }
    }

    fn take_back(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        let ticket = Arc::default();
        let held = Held { stream, records, ticket: Arc::clone(&ticket) };
        self.held.lock().unwrap().push_back(held);
        let (log, all) = (self.log.clone(), self.held.clone());
        async move {
            Self::release(&log, &all);
            let append = ticket.lock().unwrap().take();
            append.unwrap().await
        }
        .boxed()
    }

    /// Answers with the places that the records will have, and appends them at the next call.
    fn acknowledge_early(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        let held: Vec<_> = self.held.lock().unwrap().drain(..).collect();
        let appends: Vec<_> =
            held.into_iter().map(|held| self.log.append(held.stream, held.records)).collect();
        let partitions: Vec<_> = records.iter().map(|record| record.partition).collect();
        let held = Held { stream, records, ticket: Arc::default() };
        self.held.lock().unwrap().push_back(held);
        let log = self.log.clone();
        async move {
            for append in appends {
                append.await?;
            }
            let mut places = Vec::new();
            for partition in partitions {
                let offset = log.end(stream, partition).await.unwrap();
                places.push(Appended { offset, time: Timestamp::from_millis(1_750_000_000_000) });
            }
            Ok(places)
        }
        .boxed()
    }

    fn interleave(&self, stream: Stream, mut records: Vec<NewRecord>) -> AppendFuture {
        let rest = records.split_off(records.len().min(1));
        let first = self.log.append(stream, records);
        let log = self.log.clone();
        async move {
            let mut places = first.await?;
            for record in rest {
                places.extend(log.append(stream, vec![record]).await?);
            }
            Ok(places)
        }
        .boxed()
    }

    fn by_partition(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        let mut order: Vec<_> = (0..records.len()).collect();
        order.sort_by_key(|index| records[*index].partition);
        let append = self.log.append(stream, records);
        append
            .map(move |places| {
                places.map(|places| order.into_iter().map(|index| places[index]).collect())
            })
            .boxed()
    }
}

#[async_trait]
impl EventLog for BrokenLog {
    fn layout(&self) -> Layout {
        self.log.layout()
    }

    fn append(&self, stream: Stream, mut records: Vec<NewRecord>) -> AppendFuture {
        match self.fault {
            Fault::TakesPlaceWhenPolled => {
                let log = self.log.clone();
                async move { log.append(stream, records).await }.boxed()
            }
            Fault::AcknowledgesEarly => self.acknowledge_early(stream, records),
            Fault::TakesBack => self.take_back(stream, records),
            Fault::Interleaves => self.interleave(stream, records),
            Fault::AnswersByPartition => self.by_partition(stream, records),
            Fault::MixesStreams => self.log.append(Stream::Events, records),
            Fault::KeepsText => {
                for record in &mut records {
                    let text = String::from_utf8_lossy(&record.value).into_owned();
                    record.value = Bytes::from(text);
                }
                self.log.append(stream, records)
            }
            Fault::RunsBackwards => {
                let turn = |place: Appended| Appended { time: backwards(place.offset), ..place };
                let append = self.log.append(stream, records);
                append.map(move |places| Ok(places?.into_iter().map(turn).collect())).boxed()
            }
            _ => self.log.append(stream, records),
        }
    }

    fn failing(&self, stream: Stream) -> Option<String> {
        self.log.failing(stream)
    }

    async fn end(&self, stream: Stream, partition: u32) -> Result<u64, LogError> {
        let end = self.log.end(stream, partition).await?;
        Ok(if self.fault == Fault::EndsEarly { end.saturating_sub(1) } else { end })
    }

    async fn tail(
        &self,
        stream: Stream,
        mut from: Vec<(u32, u64)>,
    ) -> Result<Box<dyn Tail>, LogError> {
        if self.fault == Fault::IgnoresBeyond {
            for (partition, offset) in &mut from {
                *offset = (*offset).min(self.log.end(stream, *partition).await?);
            }
        }
        if self.fault == Fault::Starves {
            let mut tails = Vec::new();
            for one in from {
                tails.push(self.log.tail(stream, vec![one]).await?);
            }
            return Ok(Box::new(GreedyTail(tails)));
        }
        let tail = self.log.tail(stream, from).await?;
        Ok(Box::new(BrokenTail::new(tail, self.fault, stream, self.seen.clone())))
    }

    async fn own(&self, group: &str) -> Result<Ownership, LogError> {
        if self.fault == Fault::OwnsHalf {
            let half = (0..self.layout().partitions / 2).collect();
            let (sender, partitions) = watch::channel(Arc::new(half));
            return Ok(Ownership { partitions, membership: Box::new(sender) });
        }
        self.log.own(group).await
    }
}
