//! A log on a simulated disk, and what was acknowledged.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bytes::Bytes;
use verbatim_adapters::{
    embedded::{
        clock::SystemClock,
        folder::DataFolder,
        log::{EmbeddedLog, LogReader, LogSettings},
    },
    power_cut::PowerCutDisk,
};
use verbatim_ports::{
    clock::Clock,
    log::{AppendError, Appended, EventLog, NewRecord, Record, Stream},
};

pub const PARTITIONS: u32 = 3;

pub fn settings() -> LogSettings {
    LogSettings { partitions: PARTITIONS, ..LogSettings::default() }
}

pub fn open_on(disk: &PowerCutDisk, folder: &Path) -> Result<EmbeddedLog, String> {
    let folder = DataFolder::lock_on(folder, Some(disk.name())).map_err(|e| e.to_string())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    EmbeddedLog::open(&Arc::new(folder), settings(), &clock).map_err(|e| e.to_string())
}

/// A record whose value says whose it is.
pub fn record(partition: u32, value: &str) -> NewRecord {
    // Of several sizes, so that some spill over pages.
    let padding = "x".repeat(value.len() * 97 % 5_000);
    let value = Bytes::from(format!("{value} {padding}"));
    NewRecord { partition, key: Bytes::from_static(b"key"), value }
}

/// What was acknowledged: by partition and offset.
#[derive(Default)]
pub struct Ledger(pub BTreeMap<(u32, u64), Bytes>);

impl Ledger {
    pub fn add(&mut self, records: &[NewRecord], places: &[Appended]) {
        for (record, place) in records.iter().zip(places) {
            let before = self.0.insert((record.partition, place.offset), record.value.clone());
            assert_eq!(before, None, "a place was given twice");
        }
    }

    /// Checks that the folder holds everything acknowledged, dense and in order; gives all there is.
    pub fn check(&self, folder: &Path, stream: Stream) -> Vec<Vec<Record>> {
        let held = read_all(folder, stream);
        for ((partition, offset), value) in &self.0 {
            let record = held
                .get(*partition as usize)
                .and_then(|records| records.get(usize::try_from(*offset).unwrap()));
            let record = record.unwrap_or_else(|| panic!("{partition}/{offset} is lost"));
            assert_eq!(record.value, *value, "{partition}/{offset} is another record");
        }
        held
    }
}

/// Every record, by partition; dense from 0 and with times that do not run backwards.
pub fn read_all(folder: &Path, stream: Stream) -> Vec<Vec<Record>> {
    let Ok(reader) = LogReader::open(folder, stream) else { return Vec::new() };
    let read = |partition| {
        let end = reader.end(partition).unwrap();
        let mut records = Vec::new();
        while (records.len() as u64) < end {
            records.extend(reader.read(partition, records.len() as u64, end).unwrap());
        }
        for (offset, pair) in (1..).zip(records.windows(2)) {
            assert_eq!(pair[1].offset, offset);
            assert!(pair[0].time <= pair[1].time);
        }
        records
    };
    (0..reader.layout().partitions).map(read).collect()
}

/// Appends that run side by side until one fails; each call has two records of one partition.
/// Gives what was acknowledged, and how the others ended.
pub async fn append_side_by_side(
    log: &EmbeddedLog,
    stream: Stream,
    name: &str,
    calls: u32,
) -> (Ledger, Vec<AppendError>) {
    let appender = async |appender: u32| {
        let (mut acknowledged, mut failed) = (Vec::new(), None);
        for call in 0..calls {
            let one = |part| {
                record((appender + call) % PARTITIONS, &format!("{name} {appender} {call} {part}"))
            };
            let records: Vec<_> = (0..2).map(one).collect();
            match log.append(stream, records.clone()).await {
                Ok(places) => acknowledged.push((records, places)),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        (acknowledged, failed)
    };
    let (mut ledger, mut errors) = (Ledger::default(), Vec::new());
    for (acknowledged, failed) in futures_util::future::join_all((0..8).map(appender)).await {
        for (records, places) in acknowledged {
            ledger.add(&records, &places);
        }
        errors.extend(failed);
    }
    (ledger, errors)
}
