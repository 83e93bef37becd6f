//! Sockets whose heads of some partitions follow, because the inbox lagged when they connected.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::{StreamExt, stream};
use tokio::sync::Notify;
use verbatim_domain::Position;
use verbatim_schemas::UserId;

use crate::{connect, session::Session, shared::Shared, telemetry};

/// How long one wait for a partition lasts.
const REACH: Duration = Duration::from_secs(5);
/// The shortest and the longest pause between waits that failed.
const PAUSES: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// Sockets whose heads are loaded at once.
const AT_ONCE: usize = 16;

/// A socket whose heads follow.
#[derive(Debug, Clone)]
pub(crate) struct Waiting {
    pub(crate) session: Arc<Session>,
    pub(crate) user: UserId,
    pub(crate) since: Option<Position>,
}

/// Who waits for which partitions. Bounded by the sockets that are open.
#[derive(Debug, Default)]
pub(crate) struct BehindDesk {
    waiting: Mutex<BTreeMap<u64, (Waiting, BTreeSet<u32>)>>,
    added: Notify,
}

impl BehindDesk {
    /// A socket waits for the heads of partitions.
    pub(crate) fn add(&self, partitions: BTreeSet<u32>, waiting: Waiting) {
        if partitions.is_empty() {
            return;
        }
        telemetry::partitions_behind(partitions.len());
        let number = waiting.session.number;
        self.lock().insert(number, (waiting, partitions));
        self.added.notify_one();
    }

    /// The partitions that somebody waits for: no connect needs to find out again that they lag.
    pub(crate) fn partitions(&self) -> BTreeSet<u32> {
        self.lock().values().flat_map(|(_, partitions)| partitions).copied().collect()
    }

    /// How many sockets wait.
    pub(crate) fn sockets(&self) -> usize {
        self.lock().len()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, (Waiting, BTreeSet<u32>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends the heads that follow as the inbox catches up.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let desk = &shared.behind;
    let mut pause = PAUSES.0;
    loop {
        desk.lock().retain(|_, (waiting, _)| !waiting.session.is_closing());
        let partitions = desk.partitions();
        if partitions.is_empty() {
            pause = PAUSES.0;
            desk.added.notified().await;
            continue;
        }
        let reached = reach(&shared, partitions).await;
        let served = if reached.is_empty() { 0 } else { send_heads(&shared, &reached).await };
        if served == 0 {
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSES.1);
        } else {
            pause = PAUSES.0;
        }
    }
}

/// Which of the partitions the inbox has caught up with, as far as the hub has come now.
async fn reach(shared: &Shared, partitions: BTreeSet<u32>) -> BTreeSet<u32> {
    let position = shared.hub().position();
    let waits = partitions.into_iter().map(|partition| {
        let target = position.only(partition);
        async move {
            let reached = shared.deps.inbox.reach(&target, REACH).await.is_ok();
            reached.then_some(partition)
        }
    });
    // One that is reached is served at once; those that stall are waited for again.
    let mut waits = stream::iter(waits).buffer_unordered(usize::MAX);
    let mut reached = BTreeSet::new();
    while let Some(one) = waits.next().await {
        if let Some(partition) = one {
            reached.insert(partition);
            break;
        }
    }
    while let Some(Some(Some(partition))) = futures_util::FutureExt::now_or_never(waits.next()) {
        reached.insert(partition);
    }
    reached
}

/// Sends the heads of these partitions to whoever waits for them. Gives how many sockets were served.
async fn send_heads(shared: &Shared, reached: &BTreeSet<u32>) -> usize {
    let due: Vec<(Waiting, BTreeSet<u32>, bool)> = {
        let waiting = shared.behind.lock();
        let due = waiting.values().map(|(waiting, partitions)| {
            (waiting.clone(), partitions & reached, !partitions.is_subset(reached))
        });
        due.filter(|(_, partitions, _)| !partitions.is_empty()).collect()
    };
    let served = stream::iter(due)
        .map(|(waiting, partitions, others)| async move {
            let lagging = connect::later(shared, &waiting, &partitions, others).await.err();
            let done = &partitions - &lagging.unwrap_or_default();
            let number = waiting.session.number;
            let mut all = shared.behind.lock();
            if let Some((_, left)) = all.get_mut(&number) {
                *left = &*left - &done;
                if left.is_empty() {
                    all.remove(&number);
                }
            }
            usize::from(!done.is_empty())
        })
        .buffer_unordered(AT_ONCE)
        .collect::<Vec<usize>>()
        .await;
    served.into_iter().sum()
}
