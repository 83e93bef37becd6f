//! Opening: layouts, locks, beside a server, and times that go on.

use std::sync::Arc;

use tempfile::TempDir;
use verbatim_adapters::embedded::log::{LogReader, LogSettings, MAX_PARTITIONS};
use verbatim_ports::{
    StoreError,
    log::{EventLog, Layout, LogError, Stream},
};

use crate::support::{Hands, append, open, open_with};

fn settings(partitions: u32) -> LogSettings {
    LogSettings { partitions, ..LogSettings::default() }
}

fn sentence<T>(opened: Result<T, StoreError>) -> String {
    opened.map(drop).unwrap_err().to_string()
}

#[test]
fn another_number_of_partitions_is_refused() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), settings(4)).unwrap();
    assert_eq!(log.layout(), Layout { generation: 1, partitions: 4 });
    drop(log);
    let refused = sentence(open(folder.path(), settings(8)));
    assert!(
        refused.ends_with(
            "chat.events has 4 partitions and the settings say 8: a log keeps its number of partitions, so set partitions to it"
        ),
        "{refused}"
    );
    for bad in [0, MAX_PARTITIONS + 1] {
        let refused = sentence(open(folder.path(), settings(bad)));
        assert!(refused.contains(&format!("not {bad}")), "{refused}");
    }
    open(folder.path(), settings(4)).unwrap();
}

#[tokio::test]
async fn a_second_writer_is_refused_and_the_folder_is_free_once_all_is_dropped() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), settings(2)).unwrap();
    let refused = sentence(open(folder.path(), settings(2)));
    assert!(refused.ends_with("is in use by another process"), "{refused}");
    append(&log, Stream::Events, 0, &["one"]).await;
    drop(log);
    open(folder.path(), settings(2)).unwrap();
}

#[test]
fn a_stream_of_another_log_is_refused() {
    let (one, other) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    drop(open(one.path(), settings(2)).unwrap());
    drop(open(other.path(), settings(2)).unwrap());
    let file = other.path().join("chat.timeline.db");
    let timeline = rusqlite::Connection::open(&file).unwrap();
    timeline.execute("UPDATE layout SET generation = 7", []).unwrap();
    drop(timeline);
    std::fs::copy(file, one.path().join("chat.timeline.db")).unwrap();
    let refused = sentence(open(one.path(), settings(2)));
    assert!(refused.ends_with("they do not belong together"), "{refused}");
}

#[test]
fn tables_of_a_newer_program_are_refused() {
    let folder = TempDir::new().unwrap();
    drop(open(folder.path(), settings(2)).unwrap());
    let events = rusqlite::Connection::open(folder.path().join("chat.events.db")).unwrap();
    events.pragma_update(None, "user_version", 99).unwrap();
    drop(events);
    let refused = open(folder.path(), settings(2)).map(drop).unwrap_err();
    assert!(matches!(refused, StoreError::Corrupt(_)), "{refused}");
    assert!(refused.to_string().ends_with("run a newer program"), "{refused}");
}

#[tokio::test]
async fn times_go_on_from_the_last_record_though_the_clock_went_back() {
    let folder = TempDir::new().unwrap();
    let clock = Hands::new();
    let log = open_with(folder.path(), settings(2), clock.clone()).unwrap();
    let first = append(&log, Stream::Events, 1, &["one"]).await[0].time;
    clock.set(first.as_millis() - 5_000);
    assert_eq!(append(&log, Stream::Events, 1, &["two"]).await[0].time, first);
    drop(log);
    let log = open_with(folder.path(), settings(2), clock.clone()).unwrap();
    assert_eq!(append(&log, Stream::Events, 1, &["three"]).await[0].time, first);
    let earlier = append(&log, Stream::Events, 0, &["elsewhere"]).await[0].time;
    assert_eq!(earlier.as_millis(), first.as_millis() - 5_000);
    clock.set(first.as_millis() + 1);
    assert_eq!(append(&log, Stream::Events, 1, &["four"]).await[0].time, first.plus_millis(1));
}

#[tokio::test]
async fn a_reader_reads_beside_the_writer_and_after_it() {
    let folder = TempDir::new().unwrap();
    assert!(LogReader::open(folder.path(), Stream::Events).is_err());
    let log = open(folder.path(), settings(2)).unwrap();
    append(&log, Stream::Events, 1, &["one", "two"]).await;
    let reader = LogReader::open(folder.path(), Stream::Events).unwrap();
    assert_eq!(reader.layout(), log.layout());
    let values = |reader: &LogReader| {
        let records = reader.read(1, 0, reader.end(1).unwrap()).unwrap();
        records.into_iter().map(|record| record.value).collect::<Vec<_>>()
    };
    assert_eq!(values(&reader), ["one", "two"]);
    append(&log, Stream::Events, 1, &["three"]).await;
    assert_eq!(values(&reader), ["one", "two", "three"]);
    assert_eq!(reader.end(0).unwrap(), 0);
    drop(log);
    assert_eq!(values(&reader), ["one", "two", "three"]);
    drop(reader);
    let reader = LogReader::open(folder.path(), Stream::Events).unwrap();
    assert_eq!(values(&reader), ["one", "two", "three"]);
}

#[tokio::test]
async fn a_missing_record_is_seen() {
    let folder = TempDir::new().unwrap();
    let log = open(folder.path(), settings(2)).unwrap();
    append(&log, Stream::Events, 1, &["one", "two", "three"]).await;
    drop(log);
    let events = rusqlite::Connection::open(folder.path().join("chat.events.db")).unwrap();
    events.execute("DELETE FROM records_1 WHERE offset = 1", []).unwrap();
    drop(events);
    let log = Arc::new(open(folder.path(), settings(2)).unwrap());
    let mut tail = log.tail(Stream::Events, vec![(1, 0)]).await.unwrap();
    let missing = tail.next().await;
    assert!(
        matches!(&missing, Err(LogError::Corrupt(text)) if text.contains("record 1 of partition 1"))
    );
}
