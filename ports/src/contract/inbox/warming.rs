//! The checks of warming: a partition comes whole, or not at all.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{StreamExt, future::try_join, stream};
use tokio::time::timeout;
use verbatim_schemas::{Ruling, Src};

use super::checks::{apply, find, model_of, said, same};
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::rows,
        story::Story,
    },
    inbox::InboxCache,
    rows::{ConversationRows, MembershipStep},
};

/// The rows of a whole partition, as a history would give them: what is so now, and what was.
fn warm_rows(partition: &[Arc<Ruling>]) -> (ConversationRows, Src) {
    let (mut rows, next) = rows(partition);
    rows.entries.clear();
    rows.memberships.retain(|change| !matches!(change.step, MembershipStep::Role(_)));
    // Those of one user in one conversation stay in their order.
    rows.memberships.sort_by_key(|change| (change.conversation_id, change.user_id.clone()));
    let mut present = BTreeMap::new();
    for change in &rows.memberships {
        let joined = matches!(change.step, MembershipStep::Joined { .. });
        present.insert((change.conversation_id, change.user_id.clone()), joined);
    }
    rows.receipts.retain(|key, _| present.get(key) == Some(&true));
    (rows, next.src)
}

/// The same in parts, as small as may be.
fn in_parts(rows: ConversationRows) -> Vec<Result<ConversationRows, StoreError>> {
    let none = ConversationRows::default;
    let first = ConversationRows { founded: rows.founded, heads: rows.heads, ..none() };
    let memberships = rows.memberships.into_iter();
    let memberships = memberships.map(|one| ConversationRows { memberships: vec![one], ..none() });
    let receipts = rows.receipts.into_iter();
    let receipts = receipts.map(|one| ConversationRows { receipts: [one].into(), ..none() });
    std::iter::once(first).chain(memberships).chain(receipts).map(Ok).collect()
}

async fn warm(inbox: &dyn InboxCache, partition: &[Arc<Ruling>]) -> Check {
    let (rows, src) = warm_rows(partition);
    said("warm", inbox.warm(src.partition, stream::iter(in_parts(rows)).boxed(), src).await)
}

/// Warmed with the rows of history it says the same as when it took in every batch, also of what
/// changed since.
pub(super) async fn warmed(inboxes: &[Arc<dyn InboxCache>; 2]) -> Check {
    let [applied, warmed] = inboxes;
    let story = Story::new(15, 200);
    let half: Vec<_> = story.told.rulings().iter().take(120).collect();
    let since = model_of(half.iter().copied()).position;
    for partition in story.partitions() {
        for batch in partition.chunks(6) {
            apply(&**applied, batch).await?;
        }
        let (rest, last) = partition.split_at(partition.len() - 5);
        warm(&**warmed, rest).await?;
        apply(&**warmed, last).await?;
    }
    for user in &story.users {
        for since in [None, Some(&since)] {
            let one = find(&**applied, user, since).await?;
            let other = find(&**warmed, user, since).await?;
            ensure!(one == other, "{user} finds {one:?} applied and {other:?} warmed");
        }
    }
    Ok(())
}

/// While parts come and when one fails, what was there is there; what is older than that is not taken.
pub(super) async fn warms_whole(inbox: &dyn InboxCache) -> Check {
    let story = Story::new(18, 200);
    for partition in story.partitions() {
        let number = partition[0].src.partition;
        let (before, after) = partition.split_at(partition.len() / 2);
        warm(inbox, before).await?;
        let model = model_of(before);
        let (rows, src) = warm_rows(&partition);
        let mut parts = in_parts(rows);
        parts.insert(parts.len() / 2, Err(StoreError::Unavailable("in the middle".into())));
        let failed = inbox.warm(number, stream::iter(parts).boxed(), src).await;
        ensure!(failed.is_err(), "a part failed, and warming did not");
        for user in &story.users {
            let found = find(inbox, user, None).await?;
            let theirs = |id| story.told.partition(id) == number;
            let heads: Vec<_> =
                found.heads.iter().filter(|head| theirs(head.conversation)).copied().collect();
            ensure!(heads == model.user(user, None).heads, "{user} sees a half: {heads:?}");
        }
        for batch in after.chunks(7) {
            apply(inbox, batch).await?;
        }
        warm(inbox, before).await?;
        warm(inbox, &partition).await?;
    }
    same(inbox, &model_of(story.told.rulings()), &story.users).await
}

/// A position is never claimed for what is missing, while partitions are forgotten and warmed.
pub(super) async fn cleared(inbox: &dyn InboxCache, patience: Duration) -> Check {
    let story = Story::new(16, 100);
    let model = model_of(story.told.rulings());
    let done = AtomicBool::new(false);
    let write = async {
        for _ in 0..10 {
            for partition in story.partitions() {
                let number = partition[0].src.partition;
                said("clear", inbox.clear(number).await)?;
                let checkpoint = said("checkpoint", inbox.checkpoint(number).await)?;
                ensure!(checkpoint.is_none(), "cleared, and includes {checkpoint:?}");
                tokio::task::yield_now().await;
                warm(inbox, &partition).await?;
                tokio::task::yield_now().await;
            }
        }
        done.store(true, Ordering::Release);
        Ok(())
    };
    let read = async {
        while !done.load(Ordering::Acquire) {
            for user in &story.users {
                let found = find(inbox, user, None).await?;
                let mut expected = model.user(user, None);
                let there = |id| found.position.offsets.contains_key(&story.told.partition(id));
                expected.heads.retain(|head| there(head.conversation));
                expected.left.retain(|id| there(*id));
                ensure!(found.heads == expected.heads, "at {:?}: {found:?}", found.position);
                ensure!(found.left == expected.left, "at {:?}: {found:?}", found.position);
            }
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    match timeout(patience, try_join(write, read)).await {
        Ok(outcome) => outcome?,
        Err(_) => return Err("clearing and warming did not end".to_owned()),
    };
    same(inbox, &model, &story.users).await?;
    said("clear", inbox.clear(0).await)?;
    let within = Duration::ZERO;
    let target = model.position.only(0);
    let answer = inbox.reach(&target, within).await;
    ensure!(matches!(answer, Err(StoreError::Behind)), "reached what was cleared: {answer:?}");
    Ok(())
}
