//! Disks that are full or fail.

use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};
use verbatim_ports::log::{AppendError, EventLog, Stream};

use crate::support::{Ledger, append_side_by_side, open_on, record};

/// A disk that fills up after so many writes: each append that says that nothing was appended is
/// right, even should the process be killed at once; the rest is there, and the log goes on as soon
/// as there is room, without a hole.
async fn says_the_truth_when_full(writes: u64) -> bool {
    let folder = TempDir::new().unwrap();
    let killed = TempDir::new().unwrap();
    let disk = PowerCutDisk::new();
    let log = open_on(&disk, folder.path()).unwrap();
    disk.fail_after(writes);
    let (mut ledger, errors) = append_side_by_side(&log, Stream::Events, "filling", 3).await;
    for error in &errors {
        assert!(matches!(error, AppendError::Unavailable(_)), "{error}");
    }
    disk.rehearse(PowerCut::KeepAll, folder.path(), killed.path()).unwrap();
    let held = ledger.check(killed.path(), Stream::Events);
    let count = held.iter().map(Vec::len).sum::<usize>();
    assert_eq!(count, ledger.0.len(), "an append that was refused is there all the same");

    disk.full(false);
    let (after, again) = append_side_by_side(&log, Stream::Events, "room", 2).await;
    assert_eq!(again, []);
    for (place, value) in after.0 {
        assert_eq!(ledger.0.insert(place, value), None, "a place was given twice");
    }
    drop(log);
    let held = ledger.check(folder.path(), Stream::Events);
    assert_eq!(held.iter().map(Vec::len).sum::<usize>(), ledger.0.len());
    !errors.is_empty()
}

#[tokio::test]
async fn a_disk_that_fills_up_at_any_write_loses_and_invents_nothing() {
    let mut writes = 0;
    while says_the_truth_when_full(writes).await {
        writes += 1;
    }
    assert!(writes > 10, "the run has only {writes} writes");
}

/// A node that gets no appends while it can't take any has to find out by itself when it can.
#[tokio::test]
async fn it_says_that_it_fails_until_an_append_of_nothing_succeeds() {
    let folder = TempDir::new().unwrap();
    let disk = PowerCutDisk::new();
    let log = open_on(&disk, folder.path()).unwrap();
    assert_eq!(log.failing(Stream::Events), None);
    disk.full(true);
    log.append(Stream::Events, vec![record(0, "no room")]).await.unwrap_err();
    assert!(log.failing(Stream::Events).is_some_and(|why| why.contains("full")));
    assert_eq!(log.failing(Stream::Timeline), None);
    log.append(Stream::Events, Vec::new()).await.unwrap_err();
    disk.full(false);
    assert!(log.failing(Stream::Events).is_some());
    log.append(Stream::Events, Vec::new()).await.unwrap();
    assert_eq!(log.failing(Stream::Events), None);
    assert_eq!(log.end(Stream::Events, 0).await.unwrap(), 0);
}

/// A sync that fails leaves it open whether the records will be there.
#[tokio::test]
async fn a_failed_sync_is_not_known_and_the_log_goes_on() {
    for mode in [PowerCut::ForgetAll, PowerCut::KeepAll, PowerCut::Random(3)] {
        let folder = TempDir::new().unwrap();
        let disk = PowerCutDisk::new();
        let log = open_on(&disk, folder.path()).unwrap();
        let (mut ledger, errors) = append_side_by_side(&log, Stream::Events, "before", 2).await;
        assert_eq!(errors, []);
        disk.fail_syncs(true);
        let lost = log.append(Stream::Events, vec![record(0, "not known")]).await;
        assert!(matches!(lost, Err(AppendError::Unknown(_))), "{lost:?}");
        disk.fail_syncs(false);

        let copy = TempDir::new().unwrap();
        disk.rehearse(mode, folder.path(), copy.path()).unwrap();
        ledger.check(copy.path(), Stream::Events);

        let (after, errors) = append_side_by_side(&log, Stream::Events, "after", 2).await;
        assert_eq!(errors, []);
        for (place, value) in after.0 {
            assert_eq!(ledger.0.insert(place, value), None, "a place was given twice");
        }
        disk.power_cut(mode).unwrap();
        drop(log);
        check_without(&ledger, folder.path());
    }
}

/// After the next commit nothing is left of what was not known.
fn check_without(ledger: &Ledger, folder: &std::path::Path) {
    let held = ledger.check(folder, Stream::Events);
    assert_eq!(held.iter().map(Vec::len).sum::<usize>(), ledger.0.len());
}
