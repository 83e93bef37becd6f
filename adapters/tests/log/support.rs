//! Logs in folders of their own, under a clock that the test moves.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use tempfile::TempDir;
use verbatim_adapters::embedded::{
    folder::DataFolder,
    log::{EmbeddedLog, LogSettings},
};
use verbatim_ports::{
    StoreError,
    clock::Clock,
    log::{Appended, EventLog, NewRecord, Stream},
};
use verbatim_schemas::Timestamp;

/// Far longer than anything takes that comes at all.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A clock that goes where it is told; above its end it panics.
pub struct Hands(pub AtomicU64);

impl Hands {
    pub fn new() -> Arc<Self> {
        Arc::new(Self(AtomicU64::new(1_750_000_000_000)))
    }

    pub fn set(&self, millis: u64) {
        self.0.store(millis, Ordering::SeqCst);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        let millis = self.0.load(Ordering::SeqCst);
        assert_ne!(millis, u64::MAX, "this clock is broken");
        Timestamp::from_millis(millis)
    }
}

pub fn open(path: &Path, settings: LogSettings) -> Result<EmbeddedLog, StoreError> {
    open_with(path, settings, Hands::new())
}

pub fn open_with(
    path: &Path,
    settings: LogSettings,
    clock: Arc<dyn Clock>,
) -> Result<EmbeddedLog, StoreError> {
    let folder = Arc::new(DataFolder::lock(path)?);
    EmbeddedLog::open(&folder, settings, &clock)
}

/// Opens the log of one folder again and again.
pub fn opener(settings: LogSettings) -> impl AsyncFn() -> Arc<dyn EventLog> {
    let folder = TempDir::new().unwrap();
    async move || Arc::new(open(folder.path(), settings).unwrap()) as Arc<dyn EventLog>
}

pub fn record(partition: u32, value: &str) -> NewRecord {
    let value = Bytes::copy_from_slice(value.as_bytes());
    NewRecord { partition, key: Bytes::from_static(b"key"), value }
}

/// Appends in one call.
pub async fn append(
    log: &dyn EventLog,
    stream: Stream,
    partition: u32,
    values: &[&str],
) -> Vec<Appended> {
    let records = values.iter().map(|value| record(partition, value)).collect();
    log.append(stream, records).await.unwrap()
}
