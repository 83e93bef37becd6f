//! What an acknowledgement means, what is there after opening again, and who owns the partitions.

use std::sync::Arc;

use super::scene::{Scene, Written, record};
use crate::{
    contract::breach::{Check, ensure},
    log::EventLog,
};

/// Whoever got the places can read the records.
pub(super) async fn acknowledged_is_readable(scene: &Scene) -> Check {
    for round in 0..30 {
        let partition = round % 3;
        let mut written = Written::new();
        scene.append(vec![record(partition, round)], &mut written).await?;
        let offset = written[&partition][0].offset;
        let end = scene.end(partition).await?;
        ensure!(end == offset + 1, "record {offset} was acknowledged and the log ends at {end}");
        scene.holds(&[(partition, offset)], &written).await?;
    }
    Ok(())
}

/// Everything acknowledged is there after opening again, and the log goes on behind it.
pub(super) async fn opened_again(
    scene: Scene,
    open: &impl AsyncFn() -> Arc<dyn EventLog>,
) -> Check {
    let from = scene.ends().await?;
    let mut written = Written::new();
    for round in 0..20 {
        let one = |partition| record(partition, format!("before {round}"));
        scene.append(scene.partitions().map(one).collect(), &mut written).await?;
    }
    let Scene { log, stream, patience } = scene;
    let layout = log.layout();
    drop(log);
    let scene = Scene { log: open().await, stream, patience };
    ensure!(scene.log.layout() == layout, "the layout changed from {layout:?}");
    scene.holds(&from, &written).await?;
    let one = |partition| record(partition, "after");
    scene.append(scene.partitions().map(one).collect(), &mut written).await?;
    for records in written.values() {
        let up = records
            .windows(2)
            .all(|pair| pair[0].offset < pair[1].offset && pair[0].time <= pair[1].time);
        ensure!(up, "the log does not go on behind what it holds");
    }
    scene.holds(&from, &written).await
}

/// The only member of a group comes to own every partition.
pub(super) async fn sole_member_owns_all(scene: &Scene) -> Check {
    let ownership = scene.within("no ownership was given", scene.log.own("contract")).await?;
    let mut ownership = ownership.map_err(|error| format!("no ownership: {error}"))?;
    let all = scene.log.layout().partitions;
    let owned = ownership.partitions.wait_for(|owned| owned.iter().copied().eq(0..all));
    let owned = scene.within("the only member does not own all partitions", owned).await?;
    ensure!(owned.is_ok(), "the ownership ended");
    Ok(())
}
