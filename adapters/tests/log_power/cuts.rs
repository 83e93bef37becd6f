//! Power cuts.

use tempfile::TempDir;
use verbatim_adapters::power_cut::{PowerCut, PowerCutDisk};
use verbatim_ports::log::{EventLog, Stream};

use crate::support::{append_side_by_side, open_on, read_all};

/// Cuts the power after so many writes and syncs of a run with side-by-side appends, and leaves what
/// `mode` says: every acknowledged event is there, none is there in part, and the log goes on.
/// Gives whether the power failed before the run ended.
async fn survives(steps: u64, mode: PowerCut) -> bool {
    let folder = TempDir::new().unwrap();
    let disk = PowerCutDisk::new();
    disk.freeze_after(steps);
    let mut ledger = Default::default();
    let mut frozen = true;
    if let Ok(log) = open_on(&disk, folder.path()) {
        let (acknowledged, _) = append_side_by_side(&log, Stream::Events, "before", 6).await;
        ledger = acknowledged;
        frozen = disk.is_frozen();
        disk.freeze();
        drop(log);
    }
    disk.power_cut(mode).unwrap();

    let log = open_on(&disk, folder.path()).unwrap_or_else(|error| panic!("{steps}: {error}"));
    let held = ledger.check(folder.path(), Stream::Events);
    for partition in 0..log.layout().partitions {
        let end = log.end(Stream::Events, partition).await.unwrap();
        assert_eq!(end, held[partition as usize].len() as u64);
    }
    // A call is there as a whole or not at all.
    let records: Vec<_> = held.iter().flatten().collect();
    for pair in records.chunks(2) {
        let call = |index: usize| {
            let text = String::from_utf8_lossy(&pair[index].value);
            text.rsplitn(3, ' ').nth(2).unwrap().to_owned()
        };
        assert_eq!(pair.len(), 2, "half of a call is there");
        assert_eq!(call(0), call(1), "half of a call is there");
    }
    let (after, errors) = append_side_by_side(&log, Stream::Events, "after", 2).await;
    assert_eq!(errors, []);
    drop(log);
    ledger.check(folder.path(), Stream::Events);
    after.check(folder.path(), Stream::Events);
    frozen
}

#[tokio::test]
async fn acknowledged_events_survive_a_cut_at_every_step_that_forgets_all() {
    let mut steps = 0;
    while survives(steps, PowerCut::ForgetAll).await {
        steps += 1;
    }
    assert!(steps > 30, "the run has only {steps} steps");
}

#[tokio::test]
async fn acknowledged_events_survive_a_cut_at_every_step_that_forgets_by_chance() {
    let mut steps = 0;
    while survives(steps, PowerCut::Random(steps * 31 + 7)).await {
        steps += 1;
    }
    assert!(steps > 30, "the run has only {steps} steps");
}

/// One long run, cut in the middle in many ways without stopping it.
#[tokio::test]
async fn any_cut_of_a_long_run_keeps_what_was_acknowledged() {
    let folder = TempDir::new().unwrap();
    let disk = PowerCutDisk::new();
    let log = open_on(&disk, folder.path()).unwrap();
    let mut ledger = crate::support::Ledger::default();
    for round in 0..25 {
        let name = format!("round {round}");
        let (acknowledged, errors) = append_side_by_side(&log, Stream::Events, &name, 3).await;
        assert_eq!(errors, []);
        ledger.0.extend(acknowledged.0);
        let modes = [PowerCut::ForgetAll, PowerCut::Random(round), PowerCut::Random(round + 1_000)];
        for mode in modes {
            let copy = TempDir::new().unwrap();
            disk.rehearse(mode, folder.path(), copy.path()).unwrap();
            let held = ledger.check(copy.path(), Stream::Events);
            assert_eq!(held.iter().map(Vec::len).sum::<usize>(), ledger.0.len());
        }
    }
}

/// The timeline may lose its last records, never some before them, and both streams open again.
#[tokio::test]
async fn a_timeline_may_lose_its_last_records_only() {
    let mut lost_some = false;
    for seed in 0..20 {
        let folder = TempDir::new().unwrap();
        let disk = PowerCutDisk::new();
        let log = open_on(&disk, folder.path()).unwrap();
        let (events, _) = append_side_by_side(&log, Stream::Events, "event", 3).await;
        let (timeline, _) = append_side_by_side(&log, Stream::Timeline, "ruling", 3).await;
        let mode = if seed == 0 { PowerCut::ForgetAll } else { PowerCut::Random(seed) };
        disk.power_cut(mode).unwrap();
        drop(log);

        let log = open_on(&disk, folder.path()).unwrap();
        events.check(folder.path(), Stream::Events);
        let held = read_all(folder.path(), Stream::Timeline);
        for (partition, records) in (0..).zip(&held) {
            for record in records {
                let value = &timeline.0[&(partition, record.offset)];
                assert_eq!(record.value, *value, "what is left is what was appended");
            }
        }
        lost_some |= held.iter().map(Vec::len).sum::<usize>() < timeline.0.len();
        let (_, errors) = append_side_by_side(&log, Stream::Timeline, "again", 1).await;
        assert_eq!(errors, []);
    }
    assert!(lost_some, "this timeline is synced, which costs and is not needed");
}
