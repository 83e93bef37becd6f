//! Records from the future.

use std::time::Duration;

use verbatim_ports::log::Record;
use verbatim_schemas::Timestamp;

use crate::runner::{Ended, State, Task};

/// How far a record's time may lie ahead of this node's clock, in milliseconds. Time never runs
/// backwards in a conversation, so one record from far ahead would date all after it.
const AHEAD_MS: u64 = 5 * 60 * 1_000;

/// How often the clock is looked at while a record is held; a clock that is set right is noticed
/// within it.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many records from the first on may be ruled on now.
pub(super) fn ready(records: &[Record], now: Timestamp) -> usize {
    let held = records.iter().position(|record| record.time.millis_since(now) > AHEAD_MS);
    held.unwrap_or(records.len())
}

/// Waits until `record` may be ruled on, visibly, unless told to stop meanwhile.
pub(super) async fn hold(task: &mut Task, record: &Record) -> Result<(), Ended> {
    let (partition, offset, time) = (task.partition(), record.offset, record.time);
    tracing::error!(partition, offset, %time, "a record's time lies ahead of this node's clock: held");
    task.set(State::Holding { offset, time });
    while time.millis_since(task.now()) > AHEAD_MS {
        task.sleep(LOOK_EVERY).await?;
    }
    task.set(State::Running);
    Ok(())
}
