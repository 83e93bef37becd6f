//! A log under test, and what the checks do with it.

use std::{collections::BTreeMap, fmt, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::timeout;

use crate::{
    contract::breach::{Check, ensure},
    log::{AppendFuture, BATCH_BYTES, BATCH_RECORDS, EventLog, NewRecord, Record, Stream, Tail},
};

/// One stream of a log under test.
pub(super) struct Scene {
    pub(super) log: Arc<dyn EventLog>,
    pub(super) stream: Stream,
    pub(super) patience: Duration,
}

/// Records by partition, in order.
pub(super) type Written = BTreeMap<u32, Vec<Record>>;

/// A small record.
pub(super) fn record(partition: u32, value: impl fmt::Display) -> NewRecord {
    let key = Bytes::from(format!("key-{partition}"));
    NewRecord { partition, key, value: Bytes::from(value.to_string()) }
}

impl Scene {
    pub(super) fn has_partitions(&self) -> Check {
        let partitions = self.log.layout().partitions;
        ensure!(partitions >= 3, "the log has {partitions} partitions, the suite needs 3");
        Ok(())
    }

    /// The first few partitions: enough to see whether they are mixed up.
    pub(super) fn partitions(&self) -> std::ops::Range<u32> {
        0..self.log.layout().partitions.min(4)
    }

    pub(super) fn start(&self, records: Vec<NewRecord>) -> AppendFuture {
        self.log.append(self.stream, records)
    }

    /// Waits for what was started with `records`, and adds it to `written`.
    pub(super) async fn finish(
        &self,
        append: AppendFuture,
        records: Vec<NewRecord>,
        written: &mut Written,
    ) -> Check {
        let places = self.within("an append was not answered", append).await?;
        let places = places.map_err(|error| format!("an append failed: {error}"))?;
        ensure!(
            places.len() == records.len(),
            "{} records were appended and {} places given",
            records.len(),
            places.len()
        );
        for (place, NewRecord { partition, key, value }) in places.into_iter().zip(records) {
            let record = Record::new(place.offset, place.time, key, value);
            written.entry(partition).or_default().push(record);
        }
        Ok(())
    }

    /// Appends in one call.
    pub(super) async fn append(&self, records: Vec<NewRecord>, written: &mut Written) -> Check {
        self.finish(self.start(records.clone()), records, written).await
    }

    pub(super) async fn end(&self, partition: u32) -> Result<u64, String> {
        let end = self.within("no end was given", self.log.end(self.stream, partition)).await?;
        end.map_err(|error| format!("the end is not known: {error}"))
    }

    /// Where the partitions end now.
    pub(super) async fn ends(&self) -> Result<Vec<(u32, u64)>, String> {
        let mut ends = Vec::new();
        for partition in self.partitions() {
            ends.push((partition, self.end(partition).await?));
        }
        Ok(ends)
    }

    pub(super) async fn tail(&self, from: &[(u32, u64)]) -> Result<Box<dyn Tail>, String> {
        let tail = self.log.tail(self.stream, from.to_vec());
        let tail = self.within("no tail was given", tail).await?;
        tail.map_err(|error| format!("no tail: {error}"))
    }

    /// Reads the next batch into `read`.
    pub(super) async fn next(
        &self,
        tail: &mut dyn Tail,
        read: &mut Written,
    ) -> Result<u32, String> {
        let batch = self.within("records did not come", tail.next()).await?;
        let batch = batch.map_err(|error| format!("a tail failed: {error}"))?;
        within_bounds(&batch.records)?;
        read.entry(batch.partition).or_default().extend(batch.records);
        Ok(batch.partition)
    }

    /// Reads on until the last record of each partition of `written` has come, and compares: each
    /// record once, in order, byte for byte. A partition without records must stay without.
    pub(super) async fn reads(
        &self,
        tail: &mut dyn Tail,
        mut read: Written,
        written: &Written,
    ) -> Check {
        let complete = |read: &Written| {
            written.iter().filter(|(_, records)| !records.is_empty()).all(|(partition, records)| {
                let last = read.get(partition).and_then(|records| records.last());
                last.map(|record| record.offset) >= records.last().map(|record| record.offset)
            })
        };
        while !complete(&read) {
            self.next(tail, &mut read).await?;
        }
        same(&read, written)
    }

    /// Reads what was appended after `from` with a new tail, and that the partitions end behind it.
    pub(super) async fn holds(&self, from: &[(u32, u64)], written: &Written) -> Check {
        let mut tail = self.tail(from).await?;
        self.reads(&mut *tail, Written::new(), written).await?;
        for (partition, records) in written {
            let Some(last) = records.last() else { continue };
            let end = self.end(*partition).await?;
            ensure!(
                end == last.offset + 1,
                "partition {partition} ends at {end}, its last acknowledged record is {}",
                last.offset
            );
        }
        Ok(())
    }

    pub(super) async fn within<T>(
        &self,
        what: &str,
        future: impl Future<Output = T>,
    ) -> Result<T, String> {
        timeout(self.patience, future).await.map_err(|_| what.to_owned())
    }
}

fn within_bounds(records: &[Record]) -> Check {
    ensure!(!records.is_empty(), "a batch is empty");
    ensure!(records.len() <= BATCH_RECORDS, "a batch has {} records", records.len());
    let bytes = |records: &[Record]| records.iter().map(|record| record.value.len()).sum::<usize>();
    let all_but_last = bytes(&records[..records.len() - 1]);
    ensure!(all_but_last <= BATCH_BYTES, "a batch has {all_but_last} bytes and more");
    Ok(())
}

/// Compares without printing whole records.
fn same(read: &Written, written: &Written) -> Check {
    for partition in read.keys().chain(written.keys()) {
        let read = read.get(partition).map_or(&[][..], Vec::as_slice);
        let written = written.get(partition).map_or(&[][..], Vec::as_slice);
        for (index, (read, written)) in read.iter().zip(written).enumerate() {
            ensure!(
                read == written,
                "record {index} of partition {partition} was appended as offset {} at {} with {} bytes \
                 and read as offset {} at {} with {} bytes, or other ones",
                written.offset,
                written.time,
                written.value.len(),
                read.offset,
                read.time,
                read.value.len()
            );
        }
        ensure!(
            read.len() == written.len(),
            "{} records of partition {partition} were appended and {} read",
            written.len(),
            read.len()
        );
    }
    Ok(())
}
