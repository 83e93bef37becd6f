//! Versions: a rebuild beside the live one, while it serves.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::try_join;

use super::{
    reads,
    scene::{Scene, said},
    writes::everything,
};
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::rows,
    },
    history::Version,
};

/// Builds a version, compares it, makes it live and drops the one before; reads go on all the time.
pub(super) async fn rebuilt_while_read(scene: &Scene) -> Check {
    let done = AtomicBool::new(false);
    let read = async {
        let mut rounds = 0;
        while !done.load(Ordering::Acquire) || rounds < 2 {
            reads::memberships(scene).await?;
            reads::inbox(scene).await?;
            rounds += 1;
        }
        Ok(())
    };
    let build = async {
        let result = rebuild(scene).await;
        done.store(true, Ordering::Release);
        result
    };
    try_join(read, build).await?;
    reads::messages(scene).await?;
    reads::entries(scene).await
}

async fn rebuild(scene: &Scene) -> Check {
    let history = &scene.history;
    let before = said("live", history.live().await)?;
    let (position, digest) = said("digest", history.digest(before).await)?;
    let version = said("create", history.create().await)?;
    ensure!(version != before, "the new version is the live one");
    let empty = said("checkpoint", history.checkpoint(version, 0).await)?;
    ensure!(empty.is_none(), "a new version begins at {empty:?}");
    scene.fill(version, 40).await?;
    reads::memberships(scene).await?;
    reads::inbox(scene).await?;
    ensure!(said("live", history.live().await)? == before, "filling a version made it live");
    let found = said("digest", history.digest(version).await)?;
    ensure!(found == (position.clone(), digest), "the rebuilt version differs");
    said("promote", history.promote(version).await)?;
    ensure!(said("live", history.live().await)? == version, "the promoted version is not live");
    let now = said("position", history.position().await)?;
    ensure!(now == position, "after promotion the position is {now:?}");
    refuses(scene, before, "the version before").await
}

/// A version that never went live goes when another is made, or when it is dropped.
pub(super) async fn dropped(scene: &Scene) -> Check {
    let history = &scene.history;
    let before = everything(&**history, &scene.story.users).await?;
    let live = said("live", history.live().await)?;
    let first = said("create", history.create().await)?;
    scene.fill(first, 100).await?;
    let second = said("create", history.create().await)?;
    ensure!(first != second, "two versions are one");
    refuses(scene, first, "a version that never went live").await?;
    said("discard", history.discard(second).await)?;
    refuses(scene, second, "a version that was dropped").await?;
    ensure!(history.discard(live).await.is_err(), "the live version was dropped");
    let after = everything(&**history, &scene.story.users).await?;
    ensure!(before == after, "versions that never went live left something");
    Ok(())
}

/// What was dropped takes no batch, and is not made live.
async fn refuses(scene: &Scene, version: Version, which: &str) -> Check {
    for partition in scene.story.partitions() {
        let (rows, next) = rows(&partition);
        let answer = scene.history.apply(version, next.src.partition, None, rows, next).await;
        ensure!(
            matches!(answer, Err(StoreError::Fenced)),
            "a batch for {which} was answered {answer:?}"
        );
    }
    ensure!(scene.history.promote(version).await.is_err(), "{which} was made live");
    Ok(())
}
