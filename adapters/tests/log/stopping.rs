//! Full queues, closing, and a writer that fails.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::{FutureExt, future::join_all};
use tempfile::TempDir;
use verbatim_adapters::embedded::log::LogSettings;
use verbatim_ports::log::{AppendError, EventLog, LogError, NewRecord, Stream};

use crate::support::{Hands, append, open, open_with, record};

/// A clock that holds the writer's thread until it is let go.
struct Held(std::sync::Mutex<()>);

impl verbatim_ports::clock::Clock for Held {
    fn now(&self) -> verbatim_schemas::Timestamp {
        drop(self.0.lock().unwrap());
        verbatim_schemas::Timestamp::default()
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once_and_has_room_again() {
    for (queue_records, queue_bytes) in [(10, usize::MAX), (usize::MAX, 60)] {
        let folder = TempDir::new().unwrap();
        let settings = LogSettings { queue_records, queue_bytes, ..LogSettings::default() };
        let clock = Arc::new(Held(std::sync::Mutex::new(())));
        let log = open_with(folder.path(), settings, clock.clone()).unwrap();
        let hold = clock.0.lock().unwrap();
        let mut taken = Vec::new();
        let refused = loop {
            // 6 bytes each; the writer may take some before it is held.
            let mut append = log.append(Stream::Events, vec![record(0, "one")]);
            match (&mut append).now_or_never() {
                None => taken.push(append),
                Some(answer) => break answer,
            }
        };
        assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
        assert!((10..=20).contains(&taken.len()), "{} were taken", taken.len());
        drop(hold);
        for (offset, place) in (0..).zip(join_all(taken).await) {
            assert_eq!(place.unwrap()[0].offset, offset);
        }
        append(&log, Stream::Events, 0, &["again"]).await;
    }
}

#[tokio::test]
async fn an_append_beyond_the_bounds_is_taken_when_nothing_else_waits() {
    let folder = TempDir::new().unwrap();
    let settings = LogSettings { queue_records: 1, queue_bytes: 1, ..LogSettings::default() };
    let log = open(folder.path(), settings).unwrap();
    let places = append(&log, Stream::Events, 0, &["one", "two", "three"]).await;
    assert_eq!(places[2].offset, 2);
}

#[tokio::test]
async fn what_was_appended_before_the_log_is_dropped_is_answered_and_kept() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), LogSettings::default()).unwrap();
    let mut tail = log.tail(Stream::Events, vec![(0, 0), (1, 0)]).await.unwrap();
    let append = log.append(Stream::Events, vec![record(0, "last")]);
    drop(log);
    let place = append.await.unwrap()[0];
    let batch = tail.next().await.unwrap();
    assert_eq!((batch.records[0].offset, &*batch.records[0].value), (place.offset, &b"last"[..]));
    let ended = tail.next().await;
    assert!(matches!(ended, Err(LogError::Unavailable(_))), "{ended:?}");
    let log = open(folder.path(), LogSettings::default()).unwrap();
    assert_eq!(log.end(Stream::Events, 0).await, Ok(1));
}

#[tokio::test]
async fn a_writer_that_panics_is_noticed() {
    let folder = TempDir::new().unwrap();
    let clock = Hands::new();
    let log = open_with(folder.path(), LogSettings::default(), clock.clone()).unwrap();
    append(&log, Stream::Events, 0, &["one"]).await;
    let mut tail = log.tail(Stream::Events, vec![(0, 0)]).await.unwrap();
    clock.set(u64::MAX);
    let unknown = log.append(Stream::Events, vec![record(0, "two")]).await;
    assert!(matches!(unknown, Err(AppendError::Unknown(_))), "{unknown:?}");
    assert_eq!(tail.next().await.unwrap().records.len(), 1);
    let ended = tail.next().await;
    assert!(matches!(ended, Err(LogError::Corrupt(_))), "{ended:?}");
    let refused = log.append(Stream::Events, vec![record(0, "three")]).await;
    assert!(matches!(refused, Err(AppendError::Unavailable(_))), "{refused:?}");
    drop(log);
    let log = open(folder.path(), LogSettings::default()).unwrap();
    assert_eq!(log.end(Stream::Events, 0).await, Ok(1));
}

#[tokio::test]
async fn partitions_that_do_not_exist_are_refused() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), LogSettings::default()).unwrap();
    let both = vec![record(0, "good"), record(8, "bad")];
    assert!(matches!(log.append(Stream::Events, both).await, Err(AppendError::Unavailable(_))));
    assert_eq!(log.end(Stream::Events, 0).await, Ok(0));
    assert!(log.end(Stream::Events, 8).await.is_err());
    assert!(log.tail(Stream::Events, vec![(0, 0), (8, 0)]).await.is_err());
}

/// Values are shared, not copied, on the way from the append to the tail.
#[tokio::test]
async fn a_tail_that_keeps_up_gets_the_bytes_that_were_appended() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), LogSettings::default()).unwrap();
    let mut tail = log.tail(Stream::Events, vec![(0, 0)]).await.unwrap();
    let value = Bytes::from(vec![7; 1_000]);
    let new = NewRecord { partition: 0, key: Bytes::new(), value: value.clone() };
    log.append(Stream::Events, vec![new]).await.unwrap();
    let batch = tail.next().await.unwrap();
    assert_eq!(batch.records[0].value.as_ptr(), value.as_ptr());
}

#[tokio::test]
async fn a_dropped_log_leaves_no_wal_behind() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), LogSettings::default()).unwrap();
    append(&log, Stream::Events, 0, &["one"]).await;
    append(&log, Stream::Timeline, 0, &["one"]).await;
    // A tail that lives longer changes nothing.
    let tail = log.tail(Stream::Events, vec![(0, 0)]).await.unwrap();
    drop(log);
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["chat.events.db", "chat.timeline.db", "lock"]);
    drop(tail);
}
