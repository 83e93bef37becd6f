//! The follower of `chat.timeline`: one task for all partitions.

use std::sync::{Arc, atomic::Ordering};

use verbatim_ports::{
    follow::{FollowError, FollowedBatch, Follower},
    log::RETRY_AFTER,
};

use crate::{shared::Shared, telemetry};

/// Follows from the timeline's end, for ever.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let log = &*shared.deps.log;
    let mut follower = loop {
        match Follower::at_end(log).await {
            Ok(follower) => break follower,
            Err(error) => tracing::warn!(%error, "the timeline cannot be followed yet"),
        }
        tokio::time::sleep(RETRY_AFTER).await;
    };
    let layout = log.layout();
    let positions = (0..layout.partitions).map(|partition| follower.last(partition));
    let positions = positions.map(|src| src.map(|src| src.offset)).collect();
    shared.hub().begin(layout.generation, positions);
    shared.set_following(true);
    loop {
        match follower.next().await {
            Ok(batch) => {
                deliver(&shared, &batch).await;
                let skipped = follower.skipped();
                shared.skipped.store(skipped, Ordering::Release);
                telemetry::gap(skipped);
            }
            Err(error) => reopen(&shared, &mut follower, &error).await,
        }
    }
}

async fn deliver(shared: &Shared, batch: &FollowedBatch) {
    let mut rest = batch.rulings.as_slice();
    while !rest.is_empty() {
        let now = shared.time.elapsed();
        let delivery = shared.hub().deliver(batch.partition, rest, now);
        rest = rest.get(delivery.taken.max(1)..).unwrap_or_default();
        shared.presence.moved(&delivery.moved);
        shared.progressed();
        // The sockets' tasks write before more is put into their backlogs.
        tokio::task::yield_now().await;
    }
}

/// Goes on where reading ended. No new sockets meanwhile; those that are open wait.
async fn reopen(shared: &Shared, follower: &mut Follower, error: &FollowError) {
    tracing::warn!(%error, "the timeline was lost; opening it again");
    shared.set_following(false);
    // Without an end: whoever watches readiness restarts this node.
    loop {
        tokio::time::sleep(RETRY_AFTER).await;
        match follower.reopen(&*shared.deps.log).await {
            Ok(()) => break,
            Err(error) => tracing::debug!(%error, "the timeline cannot be opened yet"),
        }
    }
    shared.set_following(true);
}
