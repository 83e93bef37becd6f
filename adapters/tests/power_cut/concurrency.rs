//! A power cut under a server that is writing.

use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use std::{iter, thread};

use rusqlite::{Connection, ErrorCode};
use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};

use crate::ledger::{Setting, append, connect, numbers, open};

const FULL: Setting = Setting { journal: "wal", synchronous: "full" };
const WRITERS: i64 = 4;

#[test]
fn a_frozen_disk_loses_nothing_acknowledged() {
    for seed in 0..10 {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("ledger.db");
        let disk = PowerCutDisk::new();
        open(&disk, &path, FULL).unwrap();
        let (sender, acknowledgements) = channel();
        thread::scope(|scope| {
            let writers: Vec<_> = (0..WRITERS)
                .map(|writer| {
                    let mut connection = patient(&disk, &path);
                    let sender = sender.clone();
                    scope.spawn(move || {
                        write_until_dead(&mut connection, writer, &sender);
                        connection
                    })
                })
                .collect();
            drop(sender);
            let mut acknowledged: Vec<i64> = acknowledgements.iter().take(20).collect();
            disk.freeze();
            // The dead connections are still open, and some still try to write.
            disk.power_cut(PowerCut::Random(seed)).unwrap();
            let after = connect(&disk, &path).unwrap();
            let found = numbers(&after);

            acknowledged.extend(acknowledgements);
            assert!(acknowledged.len() >= 20);
            for number in acknowledged {
                assert!(found.contains(&number), "seed {seed}: {number} is lost");
            }
            for writer in writers {
                drop(writer.join().unwrap());
            }
            assert_eq!(numbers(&after), found, "a dead connection wrote");
        });
    }
}

/// A connection that waits for the others' locks.
fn patient(disk: &PowerCutDisk, path: &Path) -> Connection {
    let connection = open(disk, path, FULL).unwrap();
    connection.busy_timeout(Duration::from_secs(20)).unwrap();
    connection
}

/// Appends numbers of its own until the disk fails, and sends those that were acknowledged.
fn write_until_dead(connection: &mut Connection, writer: i64, acknowledged: &Sender<i64>) {
    for number in iter::successors(Some(writer + 1), |number| Some(number + WRITERS)) {
        loop {
            match append(connection, number) {
                Ok(()) => break,
                Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {}
                Err(_) => return,
            }
        }
        acknowledged.send(number).unwrap();
    }
}
