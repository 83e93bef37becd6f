//! Versions are files: what is left of them, and when they go.

use std::{path::Path, sync::Arc};

use tempfile::TempDir;
use verbatim_ports::{
    StoreError,
    contract::{
        driver::rows,
        story::{LAYOUT, Story},
    },
    history::{HistoryStore, HistoryWriter, Version},
    log::Layout,
};

use crate::support::open;

fn files(path: &Path) -> Vec<String> {
    let names = std::fs::read_dir(path).unwrap().map(|file| file.unwrap().file_name());
    let mut names: Vec<_> = names
        .map(|name| name.into_string().unwrap())
        .filter(|name| name.starts_with("history-") && name.ends_with(".db"))
        .collect();
    names.sort();
    names
}

async fn fill(history: &impl HistoryWriter, version: Version, story: &Story) {
    for partition in story.partitions() {
        let (rows, next) = rows(&partition);
        history.apply(version, next.src.partition, None, rows, next).await.unwrap();
    }
}

#[tokio::test]
async fn a_rebuild_that_did_not_end_is_gone_at_the_next_start() {
    let folder = TempDir::new().unwrap();
    let story = Story::new(1, 50);
    let history = open(folder.path());
    let live = history.live().await.unwrap();
    fill(&history, live, &story).await;
    let digest = history.digest(live).await.unwrap();
    let left = history.create().await.unwrap();
    fill(&history, left, &story).await;
    drop(history);
    assert_eq!(files(folder.path()).len(), 2);
    let history = open(folder.path());
    assert_eq!(files(folder.path()), [format!("history-{}.db", live.0)]);
    assert_eq!(history.live().await.unwrap(), live);
    assert_eq!(history.digest(live).await.unwrap(), digest);
    assert_ne!(history.create().await.unwrap(), left, "its number is not given again");
}

#[tokio::test]
async fn what_was_promoted_is_live_after_a_restart_and_the_one_before_is_gone() {
    let folder = TempDir::new().unwrap();
    let story = Story::new(1, 50);
    let history = open(folder.path());
    let version = history.create().await.unwrap();
    fill(&history, version, &story).await;
    assert!(history.position().await.unwrap().offsets.is_empty(), "the live one is empty");
    history.promote(version).await.unwrap();
    let position = history.position().await.unwrap();
    assert_eq!(position.offsets.len(), 3);
    assert_eq!(files(folder.path()), [format!("history-{}.db", version.0)]);
    drop(history);
    let history = open(folder.path());
    assert_eq!(history.live().await.unwrap(), version);
    assert_eq!(history.position().await.unwrap(), position);
}

#[tokio::test]
async fn who_waits_on_the_version_before_is_woken_by_the_promotion() {
    let folder = TempDir::new().unwrap();
    let story = Story::new(1, 50);
    let history = Arc::new(open(folder.path()));
    let version = history.create().await.unwrap();
    fill(&*history, version, &story).await;
    let target = history.digest(version).await.unwrap().0;
    let reach = history.reach(&target, crate::support::PATIENCE);
    let (reached, promoted) = tokio::join!(reach, history.promote(version));
    reached.unwrap();
    promoted.unwrap();
}

#[tokio::test]
async fn a_batch_that_does_not_fit_changes_nothing() {
    let folder = TempDir::new().unwrap();
    let history = open(folder.path());
    let live = history.live().await.unwrap();
    let story = Story::new(1, 50);
    let (mut rows, next) = rows(&story.of_partition(0));
    // Every conversation but one begins: the head of the one has nowhere to go.
    rows.founded.pop().unwrap();
    let before = history.digest(live).await.unwrap();
    let refused = history.apply(live, 0, None, rows, next).await;
    assert!(matches!(refused, Err(StoreError::Corrupt(_))), "{refused:?}");
    assert_eq!(history.digest(live).await.unwrap(), before);
    assert_eq!(history.checkpoint(live, 0).await.unwrap(), None);
}

#[tokio::test]
async fn dropping_the_future_of_a_batch_does_not_take_it_back() {
    let folder = TempDir::new().unwrap();
    let history = open(folder.path());
    let live = history.live().await.unwrap();
    let story = Story::new(1, 50);
    let (rows, next) = rows(&story.of_partition(0));
    let mut apply = history.apply(live, 0, None, rows, next);
    // Polled once: it is queued then.
    let polled = std::future::poll_fn(|context| {
        std::task::Poll::Ready(apply.as_mut().poll(context).is_ready())
    });
    let _ = polled.await;
    drop(apply);
    let target = verbatim_domain::Position::at(next.src);
    history.reach(&target, crate::support::PATIENCE).await.unwrap();
    assert_eq!(history.checkpoint(live, 0).await.unwrap(), Some(next));
}

#[tokio::test]
async fn a_history_of_another_layout_has_no_position_in_this_one() {
    let folder = TempDir::new().unwrap();
    let history = open(folder.path());
    let live = history.live().await.unwrap();
    fill(&history, live, &Story::new(1, 50)).await;
    drop(history);
    let lock = verbatim_adapters::embedded::folder::DataFolder::lock(folder.path()).unwrap();
    let other = Layout { generation: LAYOUT.generation + 1, ..LAYOUT };
    let opened = verbatim_adapters::embedded::history::History::open(Arc::new(lock), other);
    assert!(matches!(opened, Err(StoreError::Corrupt(_))));
}
