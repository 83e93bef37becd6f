//! Logs that break a promise: the suite has to find each.

mod log;
mod tail;

use std::{sync::Arc, time::Duration};

use tempfile::TempDir;
use verbatim_adapters::embedded::log::LogSettings;
use verbatim_ports::{contract::log::log_contract, log::EventLog};

use self::log::BrokenLog;
use crate::support;

/// What a log does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// None: the decorator itself breaks nothing.
    None,
    /// A tail drops one record in seven.
    Drops,
    /// A tail gives one record in seven twice.
    Doubles,
    /// A tail swaps two records of a batch.
    Swaps,
    /// The place is taken by the first poll.
    TakesPlaceWhenPolled,
    /// An append is acknowledged before it is on the log.
    AcknowledgesEarly,
    /// The records of a call are appended one by one.
    Interleaves,
    /// Places are given by partition, not by record.
    AnswersByPartition,
    /// Bytes that are no UTF-8 are replaced.
    KeepsText,
    /// Later records have earlier times.
    RunsBackwards,
    /// Dropping the future takes the append back.
    TakesBack,
    /// The end is one record behind.
    EndsEarly,
    /// A tail beyond the end begins at the end.
    IgnoresBeyond,
    /// A tail that was up to date misses the next record.
    MissesAfterWait,
    /// Batches are joined without bound.
    JoinsBatches,
    /// Dropping `next` loses a batch.
    LosesWhenDropped,
    /// The first partition goes first, always.
    Starves,
    /// What one tail has read, no other gets.
    ReadsOnce,
    /// Both streams are one.
    MixesStreams,
    /// Half of the partitions belong to nobody.
    OwnsHalf,
    /// The last record is gone after opening again.
    Forgets,
}

/// Long enough for the embedded log; only faults that lose the last record wait for it.
const PATIENCE: Duration = Duration::from_secs(2);

async fn verdict(fault: Fault, patience: Duration) -> Result<(), &'static str> {
    let folder = TempDir::new().unwrap();
    let open = async || {
        if fault == Fault::Forgets {
            forget_the_last(folder.path());
        }
        let log = support::open(folder.path(), LogSettings::default()).unwrap();
        Arc::new(BrokenLog::new(log, fault)) as Arc<dyn EventLog>
    };
    log_contract(open, patience).await.map_err(|breach| breach.promise)
}

fn forget_the_last(folder: &std::path::Path) {
    let file = folder.join("chat.events.db");
    if file.exists() {
        let events = rusqlite::Connection::open(file).unwrap();
        let last = "DELETE FROM records_1 WHERE offset = (SELECT max(offset) FROM records_1)";
        events.execute(last, []).unwrap();
    }
}

#[tokio::test]
async fn the_decorator_itself_breaks_nothing() {
    assert_eq!(verdict(Fault::None, support::PATIENCE).await, Ok(()));
}

#[tokio::test]
async fn each_fault_is_found() {
    for (fault, promise) in [
        (Fault::Drops, "the order of calls"),
        (Fault::Doubles, "the order of calls"),
        (Fault::Swaps, "the order of calls"),
        (Fault::TakesPlaceWhenPolled, "the order of calls"),
        (Fault::AcknowledgesEarly, "the order of calls"),
        (Fault::EndsEarly, "the order of calls"),
        (Fault::Interleaves, "each appender's order"),
        (Fault::AnswersByPartition, "several partitions at once"),
        (Fault::KeepsText, "bytes as they are"),
        (Fault::RunsBackwards, "times"),
        (Fault::TakesBack, "a dropped append"),
        (Fault::MissesAfterWait, "waiting for more"),
        (Fault::IgnoresBeyond, "beyond the end"),
        (Fault::ReadsOnce, "beyond the end"),
        (Fault::JoinsBatches, "bounded batches"),
        (Fault::LosesWhenDropped, "a dropped next"),
        (Fault::Starves, "fair to partitions"),
        (Fault::MixesStreams, "streams apart"),
        (Fault::OwnsHalf, "owning partitions"),
        (Fault::Forgets, "opened again"),
    ] {
        assert_eq!(verdict(fault, PATIENCE).await, Err(promise), "{fault:?}");
    }
}
