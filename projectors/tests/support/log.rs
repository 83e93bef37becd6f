//! A log in memory.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::watch;
use verbatim_ports::log::{
    AppendError, AppendFuture, Appended, BATCH_RECORDS, Batch, EventLog, Layout, LogError,
    NewRecord, Ownership, Record, Stream, Tail,
};
use verbatim_schemas::Timestamp;

use super::{
    Changes,
    chaos::{Chaos, Fate},
};

/// The streams, shared by all processes.
pub struct LogData {
    layout: Layout,
    streams: Mutex<BTreeMap<(Stream, u32), Vec<Record>>>,
    /// Appends whose answer was lost, and which arrive later.
    late: Mutex<Vec<NewRecord>>,
    changes: Changes,
    /// Who owns what; the same for every process, since two may believe in the same partition.
    pub owned: watch::Sender<Arc<BTreeSet<u32>>>,
}

impl LogData {
    pub fn new(partitions: u32, changes: Changes) -> Self {
        Self {
            layout: Layout { generation: 1, partitions },
            streams: Mutex::default(),
            late: Mutex::default(),
            changes,
            owned: watch::Sender::new(Arc::new((0..partitions).collect())),
        }
    }

    pub fn layout(&self) -> Layout {
        self.layout
    }

    pub fn records(&self, stream: Stream, partition: u32) -> Vec<Record> {
        self.streams.lock().unwrap().get(&(stream, partition)).cloned().unwrap_or_default()
    }

    pub fn end(&self, stream: Stream, partition: u32) -> u64 {
        self.records(stream, partition).last().map_or(0, |record| record.offset + 1)
    }

    /// Appends a record with its time, after a hole of so many offsets.
    pub fn push(
        &self,
        stream: Stream,
        partition: u32,
        hole: u64,
        time: Timestamp,
        key: Bytes,
        value: Bytes,
    ) -> u64 {
        let mut streams = self.streams.lock().unwrap();
        let records = streams.entry((stream, partition)).or_default();
        let offset = records.last().map_or(0, |record| record.offset + 1) + hole;
        records.push(Record::new(offset, time, key, value));
        drop(streams);
        self.changes.send_modify(|changes| *changes += 1);
        offset
    }

    fn write(&self, stream: Stream, record: NewRecord) -> Appended {
        let time = Timestamp::from_millis(super::story::START);
        let offset = self.push(stream, record.partition, 0, time, record.key, record.value);
        Appended { offset, time }
    }

    /// The stream loses its records from `offset` on: a power cut.
    pub fn cut(&self, stream: Stream, partition: u32, offset: u64) {
        let mut streams = self.streams.lock().unwrap();
        streams.entry((stream, partition)).or_default().retain(|record| record.offset < offset);
    }

    /// Writes something else over a record's value.
    pub fn overwrite(&self, stream: Stream, partition: u32, index: usize, value: Bytes) {
        let mut streams = self.streams.lock().unwrap();
        streams.entry((stream, partition)).or_default()[index].value = value;
    }
}

/// The log as one process has it.
pub struct LogView {
    data: Arc<LogData>,
    chaos: Arc<Chaos>,
}

impl LogView {
    pub fn new(data: Arc<LogData>, chaos: Arc<Chaos>) -> Self {
        Self { data, chaos }
    }

    async fn may_fail(&self) -> Result<(), LogError> {
        self.chaos.step().await;
        if self.chaos.fails() { Err(LogError::Unavailable("bad luck".into())) } else { Ok(()) }
    }
}

#[async_trait]
impl EventLog for LogView {
    fn layout(&self) -> Layout {
        self.data.layout
    }

    fn append(&self, stream: Stream, records: Vec<NewRecord>) -> AppendFuture {
        let (data, chaos) = (Arc::clone(&self.data), Arc::clone(&self.chaos));
        Box::pin(async move {
            assert!(!records.is_empty() && records.len() <= BATCH_RECORDS);
            chaos.step().await;
            let late: Vec<_> = data.late.lock().unwrap().drain(..).collect();
            for record in late {
                data.write(stream, record);
            }
            let fate = chaos.fate();
            let half = records.len() / 2;
            let unknown = || Err(AppendError::Unknown("bad luck".into()));
            let write = |records: &[NewRecord]| -> Vec<Appended> {
                records.iter().map(|record| data.write(stream, record.clone())).collect()
            };
            let outcome = match fate {
                Fate::Done => Ok(write(&records)),
                Fate::Doubled => {
                    let places = write(&records);
                    write(&records);
                    Ok(places)
                }
                Fate::Refused => Err(AppendError::Unavailable("bad luck".into())),
                Fate::Lost => unknown(),
                Fate::LostAnswer => {
                    write(&records);
                    unknown()
                }
                Fate::Prefix => {
                    write(&records[..half]);
                    unknown()
                }
                Fate::Suffix => {
                    write(&records[half..]);
                    unknown()
                }
                Fate::Late => {
                    data.late.lock().unwrap().extend(records);
                    unknown()
                }
            };
            chaos.step().await;
            outcome
        })
    }

    fn failing(&self, _: Stream) -> Option<String> {
        None
    }

    async fn end(&self, stream: Stream, partition: u32) -> Result<u64, LogError> {
        self.may_fail().await?;
        Ok(self.data.end(stream, partition))
    }

    async fn tail(&self, stream: Stream, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        self.may_fail().await?;
        let changed = self.data.changes.subscribe();
        let (data, chaos) = (Arc::clone(&self.data), Arc::clone(&self.chaos));
        Ok(Box::new(View { data, chaos, stream, from, changed }))
    }

    async fn own(&self, _group: &str) -> Result<Ownership, LogError> {
        self.may_fail().await?;
        Ok(Ownership { partitions: self.data.owned.subscribe(), membership: Box::new(()) })
    }
}

struct View {
    data: Arc<LogData>,
    chaos: Arc<Chaos>,
    stream: Stream,
    from: Vec<(u32, u64)>,
    changed: watch::Receiver<u64>,
}

#[async_trait]
impl Tail for View {
    async fn next(&mut self) -> Result<Batch, LogError> {
        loop {
            self.chaos.step().await;
            if self.chaos.fails() {
                return Err(LogError::Unavailable("bad luck".into()));
            }
            self.changed.borrow_and_update();
            for index in 0..self.from.len() {
                let (partition, from) = self.from[index];
                let mut records = self.data.records(self.stream, partition);
                records.retain(|record| record.offset >= from);
                let most = if self.chaos.fails() { 1 + self.chaos.below(5) } else { 1_000 };
                records.truncate(usize::try_from(most).unwrap());
                let Some(last) = records.last() else { continue };
                // Now and then a batch comes twice.
                if !self.chaos.fails() {
                    self.from[index].1 = last.offset + 1;
                    let read = self.from.remove(index);
                    self.from.push(read);
                }
                return Ok(Batch { partition, records });
            }
            let _ = self.changed.changed().await;
        }
    }
}
