//! What keeps a node from being ready, and which partitions are behind.

use std::collections::BTreeMap;

use serde::Serialize;
use verbatim_domain::Position;
use verbatim_ports::log::{EventLog, LogError, Stream};
use verbatim_schemas::Timestamp;

use crate::runner::{PartitionStatus, ProjectionStatus, State};

/// How long rulings may be missing, or a projection fail, before that fails readiness, in milliseconds.
pub const GAP_MS: u64 = 30_000;

/// Something that an operator has to look at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unready {
    /// Where.
    pub projection: &'static str,
    /// In which partition; none: in all.
    pub partition: Option<u32>,
    /// What is wrong.
    pub reason: String,
}

/// What fails readiness: a partition that stopped, a record from the future, a gap that stays open,
/// a group that cannot be joined, a projection that fails for so long that it does not look as if it
/// passed. What is paused does not; lag does not either (see [`behind`]).
pub fn unready(statuses: &[ProjectionStatus], now: Timestamp) -> Vec<Unready> {
    let mut all = Vec::new();
    for status in statuses {
        let projection = status.projection;
        if let Some(reason) = &status.problem {
            all.push(Unready { projection, partition: None, reason: reason.clone() });
        }
        for partition in &status.partitions {
            if let Some(reason) = reason(partition, now) {
                all.push(Unready { projection, partition: Some(partition.partition), reason });
            }
        }
    }
    all
}

fn reason(status: &PartitionStatus, now: Timestamp) -> Option<String> {
    match &status.state {
        State::Stopped { reason } => return Some(reason.clone()),
        State::Holding { offset, time } => {
            return Some(format!(
                "record {offset} of chat.events is of {time}, over 5 minutes ahead of this node's \
                 clock, and is held: set this node's clock or the log's right"
            ));
        }
        _ => {}
    }
    let failing = status.failing_since.map_or(0, |since| now.millis_since(since));
    if failing >= GAP_MS {
        let why = match &status.state {
            State::Retrying { reason, .. } => reason.as_str(),
            _ => "it begins again",
        };
        return Some(format!("has been failing for {} s: {why}", failing / 1_000));
    }
    let open = now.millis_since(status.gap_since?);
    (open >= GAP_MS).then(|| {
        format!(
            "rulings have been missing on chat.timeline for {} s: see whether the partition's \
             timeline projector runs",
            open / 1_000
        )
    })
}

/// A partition that something has not reached the end of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Behind {
    /// Which.
    pub partition: u32,
    /// By how many offsets of `chat.events`.
    pub records: u64,
}

/// The ends of a stream's partitions.
pub async fn ends(log: &dyn EventLog, stream: Stream) -> Result<BTreeMap<u32, u64>, LogError> {
    let mut ends = BTreeMap::new();
    for partition in 0..log.layout().partitions {
        ends.insert(partition, log.end(stream, partition).await?);
    }
    Ok(ends)
}

/// Which partitions `position` is behind in, given the [`ends`] of `chat.events`.
pub fn behind(position: &Position, ends: &BTreeMap<u32, u64>) -> Vec<Behind> {
    ends.iter()
        .map(|(partition, end)| {
            let next = position.offsets.get(partition).map_or(0, |offset| offset.saturating_add(1));
            Behind { partition: *partition, records: end.saturating_sub(next) }
        })
        .filter(|behind| behind.records > 0)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(state: State, gap_since: Option<u64>) -> ProjectionStatus {
        ProjectionStatus {
            projection: "history",
            problem: None,
            partitions: vec![PartitionStatus {
                partition: 3,
                state,
                since: Timestamp::default(),
                position: None,
                end: None,
                lag: None,
                failing_since: None,
                gap_since: gap_since.map(Timestamp::from_millis),
                batches: 0,
            }],
        }
    }

    fn is_unready(status: ProjectionStatus, now: u64) -> bool {
        !unready(&[status], Timestamp::from_millis(now)).is_empty()
    }

    #[test]
    fn a_gap_fails_readiness_after_thirty_seconds_and_not_before() {
        assert!(!is_unready(status(State::Running, None), 90_000));
        assert!(!is_unready(status(State::Running, Some(10_000)), 39_999));
        assert!(is_unready(status(State::Running, Some(10_000)), 40_000));
    }

    #[test]
    fn what_fails_and_fails_again_is_not_ready_after_thirty_seconds() {
        let failing = |state, now| {
            let mut status = status(state, None);
            status.partitions[0].failing_since = Some(Timestamp::from_millis(10_000));
            unready(&[status], Timestamp::from_millis(now))
        };
        let retrying = || State::Retrying { reason: "locked".to_owned(), attempts: 9 };
        assert!(failing(retrying(), 39_999).is_empty());
        assert!(failing(retrying(), 40_000)[0].reason.contains("locked"));
        assert!(!failing(State::Starting, 40_000).is_empty(), "between two attempts");
    }

    #[test]
    fn stopped_and_holding_fail_readiness_and_what_passes_does_not() {
        let stopped = State::Stopped { reason: "look here".to_owned() };
        let found = unready(&[status(stopped, None)], Timestamp::default());
        assert_eq!((found[0].partition, found[0].reason.as_str()), (Some(3), "look here"));
        assert!(is_unready(status(State::Holding { offset: 1, time: Timestamp::MAX }, None), 0));
        let retrying = State::Retrying { reason: "gone".to_owned(), attempts: 9 };
        for passing in [State::Starting, State::Running, State::Paused, retrying] {
            assert!(!is_unready(status(passing, None), 0));
        }
        let lost = ProjectionStatus {
            problem: Some("no group".to_owned()),
            ..status(State::Paused, None)
        };
        assert!(is_unready(lost, 0));
    }

    #[test]
    fn behind_counts_what_lies_between_a_position_and_the_ends() {
        let position = Position { generation: 1, offsets: BTreeMap::from([(0, 4), (1, 9)]) };
        let ends = BTreeMap::from([(0, 7), (1, 10), (2, 3), (3, 0)]);
        assert_eq!(
            behind(&position, &ends),
            [Behind { partition: 0, records: 2 }, Behind { partition: 2, records: 3 }]
        );
    }
}
