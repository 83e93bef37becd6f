//! Waiting for positions.

use std::{sync::Arc, time::Duration};

use futures_util::future::join;
use verbatim_domain::Position;

use super::scene::{History, Scene, apply, said};
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        story::{LAYOUT, Story},
    },
};

/// Far longer than any test waits.
const LONG: Duration = Duration::from_secs(3_600);

/// What is there is there, and what can never be is not waited for.
pub(super) async fn at_once(scene: &Scene) -> Check {
    let now = said("position", scene.history.position().await)?;
    ensure!(now == scene.model.position, "the position is {now:?}");
    for target in [&now, &Position::default()] {
        let reach = scene.within("waits for the present", scene.history.reach(target, LONG));
        said("reach", reach.await?)?;
    }
    let mut unknown_partition = now.clone();
    unknown_partition.offsets.insert(LAYOUT.partitions, 0);
    let other_generation = Position { generation: LAYOUT.generation + 1, ..now.clone() };
    for target in [unknown_partition, other_generation] {
        let what = "waits for a position that can't be";
        let answer = scene.within(what, scene.history.reach(&target, LONG)).await?;
        ensure!(matches!(answer, Err(StoreError::Behind)), "{target:?}: {answer:?}");
    }
    let mut beyond = now;
    beyond.include(LAYOUT.src(0, u64::MAX));
    for within in [Duration::ZERO, Duration::from_millis(20)] {
        let what = "waits longer than it may";
        let answer = scene.within(what, scene.history.reach(&beyond, within)).await?;
        ensure!(matches!(answer, Err(StoreError::Behind)), "beyond the end: {answer:?}");
    }
    Ok(())
}

/// Who waits is woken by the batch that brings it there.
pub(super) async fn woken(history: Arc<dyn History>, patience: Duration) -> Check {
    let story = Story::new(2, 30);
    let live = said("live", history.live().await)?;
    for partition in story.partitions() {
        let Some(last) = partition.last().map(|ruling| Position::at(ruling.src)) else { continue };
        let (first, second) = partition.split_at(partition.len() / 2);
        let wait = history.reach(&last, patience);
        let write = async {
            let expected = apply(&*history, live, None, first).await?;
            apply(&*history, live, Some(expected), second).await
        };
        let (reached, written) = join(wait, write).await;
        written?;
        said("reach", reached)?;
    }
    Ok(())
}
