//! A log in memory that can be told to fail.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
};

use async_trait::async_trait;
use futures_util::FutureExt;
use tokio::sync::watch;
use verbatim_ports::{
    clock::Clock,
    log::{
        AppendError, AppendFuture, Appended, Batch, EventLog, Layout, LogError, NewRecord,
        Ownership, Record, Stream, Tail,
    },
};

use super::FakeClock;

/// What becomes of an append to `chat.events`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Append {
    /// It is stored and acknowledged.
    Works,
    /// Nothing is stored.
    Unavailable,
    /// It is stored, and nobody knows.
    Lost,
    /// It is stored, and no answer ever comes.
    Silent,
}

/// The log.
#[derive(Clone)]
pub struct FakeLog(Arc<Shared>);

struct Shared {
    clock: Arc<FakeClock>,
    inner: Mutex<Inner>,
    /// Counts what was appended and what was broken.
    changed: watch::Sender<u64>,
    /// Whether answers to appends are held back.
    answers_held: watch::Sender<bool>,
}

#[derive(Default)]
struct Inner {
    streams: BTreeMap<(Stream, u32), Vec<Record>>,
    /// For the next appends; the rest works.
    script: VecDeque<Append>,
    always: Option<Append>,
    /// Tails of the timeline opened before this break.
    epoch: u64,
    refused_tails: u32,
    tails_opened: u32,
}

/// How many partitions.
pub const PARTITIONS: u32 = 3;

impl FakeLog {
    pub fn new(clock: Arc<FakeClock>) -> Self {
        Self(Arc::new(Shared {
            clock,
            inner: Mutex::default(),
            changed: watch::Sender::new(0),
            answers_held: watch::Sender::new(false),
        }))
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.inner.lock().unwrap()
    }

    /// What becomes of the next appends.
    pub fn next_appends(&self, script: impl IntoIterator<Item = Append>) {
        self.inner().script.extend(script);
    }

    /// What becomes of all appends that no script names.
    pub fn all_appends(&self, append: Append) {
        self.inner().always = Some(append);
    }

    /// Holds the answers to appends back, or lets them come.
    pub fn hold_answers(&self, hold: bool) {
        self.0.answers_held.send_replace(hold);
    }

    /// Breaks every reader of the timeline, and refuses the next `refused` that open it.
    pub fn break_tails(&self, refused: u32) {
        let mut inner = self.inner();
        inner.epoch += 1;
        inner.refused_tails = refused;
        drop(inner);
        self.0.changed.send_modify(|count| *count += 1);
    }

    /// How many readers of the timeline were opened or refused.
    pub fn tails_opened(&self) -> u32 {
        self.inner().tails_opened
    }

    /// All records of a stream.
    pub fn records(&self, stream: Stream) -> Vec<Record> {
        let inner = self.inner();
        (0..PARTITIONS)
            .filter_map(|id| inner.streams.get(&(stream, id)))
            .flatten()
            .cloned()
            .collect()
    }

    /// Waits until a stream holds so many records.
    pub async fn holds(&self, stream: Stream, count: usize) {
        let mut changed = self.0.changed.subscribe();
        while self.records(stream).len() < count {
            changed.changed().await.unwrap();
        }
    }

    fn store(&self, stream: Stream, records: Vec<NewRecord>) -> Vec<Appended> {
        let time = self.0.clock.now();
        let mut inner = self.inner();
        let store = |record: NewRecord| {
            let partition = inner.streams.entry((stream, record.partition)).or_default();
            let offset = partition.len() as u64;
            partition.push(Record::new(offset, time, record.key, record.value));
            Appended { offset, time }
        };
        let places = records.into_iter().map(store).collect();
        drop(inner);
        self.0.changed.send_modify(|count| *count += 1);
        places
    }
}

#[async_trait]
impl EventLog for FakeLog {
    fn layout(&self) -> Layout {
        Layout { generation: 1, partitions: PARTITIONS }
    }

    fn append(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        let fate = {
            let mut inner = self.inner();
            let always = inner.always.unwrap_or(Append::Works);
            if stream == Stream::Events {
                inner.script.pop_front().unwrap_or(always)
            } else {
                Append::Works
            }
        };
        if fate == Append::Unavailable {
            return async { Err(AppendError::Unavailable("full".into())) }.boxed();
        }
        let places = self.store(stream, records);
        let mut held = self.0.answers_held.subscribe();
        async move {
            if stream == Stream::Events {
                held.wait_for(|held| !held).await.unwrap();
            }
            match fate {
                Append::Lost => Err(AppendError::Unknown("reset".into())),
                Append::Silent => std::future::pending().await,
                Append::Works | Append::Unavailable => Ok(places),
            }
        }
        .boxed()
    }

    fn failing(&self, _: Stream) -> Option<String> {
        None
    }

    async fn end(&self, stream: Stream, partition: u32) -> Result<u64, LogError> {
        Ok(self.inner().streams.get(&(stream, partition)).map_or(0, |records| records.len() as u64))
    }

    async fn tail(&self, stream: Stream, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        let mut inner = self.inner();
        if stream == Stream::Timeline {
            inner.tails_opened += 1;
            if inner.refused_tails > 0 {
                inner.refused_tails -= 1;
                return Err(LogError::Unavailable("away".into()));
            }
        }
        let epoch = (stream == Stream::Timeline).then_some(inner.epoch);
        let changed = self.0.changed.subscribe();
        Ok(Box::new(FakeTail { log: self.clone(), stream, next: from.into(), epoch, changed }))
    }

    async fn own(&self, _: &str) -> Result<Ownership, LogError> {
        Err(LogError::Unavailable("nobody owns partitions here".into()))
    }
}

struct FakeTail {
    log: FakeLog,
    stream: Stream,
    next: VecDeque<(u32, u64)>,
    epoch: Option<u64>,
    changed: watch::Receiver<u64>,
}

impl FakeTail {
    fn take(&mut self) -> Result<Option<Batch>, LogError> {
        let inner = self.log.inner();
        if self.epoch.is_some_and(|epoch| epoch != inner.epoch) {
            return Err(LogError::Unavailable("broken".into()));
        }
        for _ in 0..self.next.len() {
            self.next.rotate_left(1);
            let (partition, next) = &mut self.next[0];
            let records =
                inner.streams.get(&(self.stream, *partition)).map_or(&[][..], Vec::as_slice);
            let start = usize::try_from(*next).unwrap().min(records.len());
            if start < records.len() {
                *next = records.len() as u64;
                return Ok(Some(Batch {
                    partition: *partition,
                    records: records[start..].to_vec(),
                }));
            }
        }
        Ok(None)
    }
}

#[async_trait]
impl Tail for FakeTail {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            self.changed.mark_unchanged();
            if let Some(batch) = self.take()? {
                return Ok(batch);
            }
            self.changed.changed().await.map_err(|_| LogError::Unavailable("gone".into()))?;
        }
    }
}
