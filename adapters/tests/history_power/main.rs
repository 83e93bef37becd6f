//! The embedded history on a disk that loses power: what is left is a history up to its checkpoints,
//! and a version that was promoted stays live with all that it had.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

use std::{collections::BTreeMap, path::Path, sync::Arc};

use tempfile::TempDir;
use verbatim_adapters::{
    embedded::{folder::DataFolder, history::History},
    power_cut::{PowerCut, PowerCutDisk},
};
use verbatim_ports::{
    StoreError,
    contract::{
        driver::rows,
        story::{LAYOUT, Story},
    },
    history::{HistoryWriter, Version},
};
use verbatim_schemas::{Ruling, Src};

fn open(path: &Path, vfs: Option<String>) -> Result<History, StoreError> {
    History::open(Arc::new(DataFolder::lock_on(path, vfs)?), LAYOUT)
}

/// Batches of all partitions in turn, each with the record that it comes after.
fn batches(story: &Story, size: usize) -> Vec<(Option<Src>, Vec<Arc<Ruling>>)> {
    let mut batches = Vec::new();
    for (index, partition) in story.partitions().iter().enumerate() {
        let mut expected = None;
        for (number, batch) in partition.chunks(size).enumerate() {
            batches.push(((number, index), expected, batch.to_vec()));
            expected = batch.last().map(|ruling| ruling.src);
        }
    }
    batches.sort_by_key(|(turn, ..)| *turn);
    batches.into_iter().map(|(_, expected, batch)| (expected, batch)).collect()
}

async fn apply(
    history: &History,
    version: Version,
    expected: Option<Src>,
    batch: &[Arc<Ruling>],
) -> Result<(), StoreError> {
    let (rows, next) = rows(batch);
    history.apply(version, next.src.partition, expected, rows, next).await
}

/// The live version holds exactly the rulings up to its checkpoints. Returns these.
async fn holds_what_it_says(path: &Path, story: &Story) -> (Version, BTreeMap<u32, Src>) {
    let history = open(path, None).unwrap();
    let live = history.live().await.unwrap();
    let folder = TempDir::new().unwrap();
    let reference = open(folder.path(), None).unwrap();
    let mut checkpoints = BTreeMap::new();
    for partition in story.partitions() {
        let number = partition[0].src.partition;
        let checkpoint = history.checkpoint(live, number).await.unwrap();
        let Some(checkpoint) = checkpoint else { continue };
        let end = partition.iter().position(|ruling| ruling.src == checkpoint.src).unwrap();
        apply(&reference, Version(1), None, &partition[..=end]).await.unwrap();
        checkpoints.insert(number, checkpoint.src);
    }
    let expected = reference.digest(Version(1)).await.unwrap();
    assert_eq!(history.digest(live).await.unwrap(), expected);
    (live, checkpoints)
}

#[tokio::test]
async fn rows_and_checkpoints_survive_any_cut_together() {
    let story = Story::new(21, 200);
    let folder = TempDir::new().unwrap();
    let disk = PowerCutDisk::new();
    let history = open(folder.path(), Some(disk.name())).unwrap();
    let live = history.live().await.unwrap();
    let mut lengths = std::collections::BTreeSet::new();
    for (round, (expected, batch)) in batches(&story, 12).into_iter().enumerate() {
        apply(&history, live, expected, &batch).await.unwrap();
        let seed = round as u64;
        let modes = [PowerCut::ForgetAll, PowerCut::KeepAll, PowerCut::Random(seed)];
        for mode in modes {
            let copy = TempDir::new().unwrap();
            disk.rehearse(mode, folder.path(), copy.path()).unwrap();
            let (_, checkpoints) = holds_what_it_says(copy.path(), &story).await;
            if mode == PowerCut::KeepAll {
                let partition = batch[0].src.partition;
                assert_eq!(checkpoints.get(&partition), batch.last().map(|last| &last.src));
            }
            lengths.insert(checkpoints.values().map(|src| src.offset).sum::<u64>());
        }
    }
    assert!(lengths.len() > 5, "the cuts left only {} different histories", lengths.len());
}

/// Builds and promotes a version with the power cut after so many steps. Returns whether it failed
/// before the end.
async fn survives_a_promotion(steps: u64, mode: PowerCut, story: &Story) -> bool {
    let folder = TempDir::new().unwrap();
    let disk = PowerCutDisk::new();
    let history = open(folder.path(), Some(disk.name())).unwrap();
    let before = history.live().await.unwrap();
    disk.freeze_after(steps);
    let rebuilt = async {
        let version = history.create().await?;
        for (expected, batch) in batches(story, 40) {
            apply(&history, version, expected, &batch).await?;
        }
        history.promote(version).await?;
        Ok::<_, StoreError>(version)
    };
    let rebuilt = rebuilt.await;
    let frozen = disk.is_frozen();
    disk.freeze();
    drop(history);
    disk.power_cut(mode).unwrap();

    let (live, checkpoints) = holds_what_it_says(folder.path(), story).await;
    match rebuilt {
        Ok(version) => assert_eq!(live, version, "promoted, and after {steps} steps not live"),
        Err(_) => assert!(live >= before),
    }
    if live != before {
        let ends: BTreeMap<_, _> = story
            .partitions()
            .iter()
            .map(|partition| partition.last().unwrap().src)
            .map(|src| (src.partition, src))
            .collect();
        assert_eq!(checkpoints, ends, "live, and after {steps} steps not whole");
    }
    frozen
}

#[tokio::test]
async fn a_promoted_version_is_whole_after_any_cut() {
    let story = Story::new(22, 60);
    let mut steps = 0;
    while survives_a_promotion(steps, PowerCut::ForgetAll, &story).await
        && survives_a_promotion(steps, PowerCut::Random(steps), &story).await
    {
        steps += 5;
    }
    assert!(steps > 30, "the run has only {steps} steps");
}
