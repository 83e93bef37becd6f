//! Writes: any split of the rulings gives the same, nothing is taken twice, and rows and checkpoint
//! move together.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures_util::TryStreamExt;
use verbatim_domain::Position;
use verbatim_schemas::{ConversationId, Digest, UserId};

use super::{
    model::Model,
    scene::{History, Scene, apply, said},
};
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::rows,
        story::{LAYOUT, Story},
    },
    inbox::InboxRows,
    rows::{ConversationRows, MembershipChange},
};

/// Digest and position of the live version, and everybody's inbox.
pub(super) async fn everything(
    history: &dyn History,
    users: &[UserId],
) -> Result<(Position, Digest, String), String> {
    let live = said("live", history.live().await)?;
    let (position, digest) = said("digest", history.digest(live).await)?;
    let mut inboxes = String::new();
    for user in users {
        let items = said("inbox", history.inbox(user, None, 200, usize::MAX).await)?.items;
        inboxes += &super::reads::json(&items)?;
    }
    Ok((position, digest, inboxes))
}

/// One story in batches of any size, its partitions in any order.
pub(super) async fn splits(histories: &[Arc<dyn History>; 3]) -> Check {
    let mut results = Vec::new();
    for (history, size) in histories.iter().zip([1, 7, usize::MAX]) {
        let story = Story::new(5, 160);
        let mut partitions = story.partitions();
        let live = said("live", history.live().await)?;
        if size == 7 {
            interleaved(&**history, &mut partitions).await?;
        } else {
            for partition in partitions.iter().rev() {
                let mut expected = None;
                for batch in partition.chunks(size) {
                    expected = Some(apply(&**history, live, expected, batch).await?);
                }
            }
        }
        results.push(everything(&**history, &story.users).await?);
    }
    ensure!(results[0] == results[1], "one at a time and batches of seven differ");
    ensure!(results[0] == results[2], "one at a time and one batch differ");
    Ok(())
}

async fn interleaved(
    history: &dyn History,
    partitions: &mut [Vec<Arc<verbatim_schemas::Ruling>>],
) -> Check {
    let live = said("live", history.live().await)?;
    let mut expected = BTreeMap::new();
    while partitions.iter().any(|partition| !partition.is_empty()) {
        for (number, partition) in partitions.iter_mut().enumerate() {
            if partition.is_empty() {
                continue;
            }
            let batch: Vec<_> = partition.drain(..partition.len().min(7)).collect();
            let src = apply(history, live, expected.get(&number).copied(), &batch).await?;
            expected.insert(number, src);
        }
    }
    Ok(())
}

/// Another row anywhere shows in the digest.
pub(super) async fn digests_tell(history: &dyn History, scene: &Scene) -> Check {
    let live = said("live", history.live().await)?;
    for partition in scene.story.partitions() {
        // All but the last ruling that changes content, and what follows it.
        let last = partition.iter().rposition(|ruling| ruling.content().is_some());
        let (kept, _) = partition.split_at(last.unwrap_or(0));
        if !kept.is_empty() {
            apply(history, live, None, kept).await?;
        }
    }
    let (_, less) = said("digest", history.digest(live).await)?;
    let theirs = said("live", scene.history.live().await)?;
    let (position, digest) = said("digest", scene.history.digest(theirs).await)?;
    ensure!(less != digest, "a history that lacks rulings has the same digest");
    ensure!(position == scene.model.position, "the digest is of {position:?}");
    Ok(())
}

/// A checkpoint that is elsewhere refuses the batch, and nothing changes.
pub(super) async fn fenced(scene: &Scene) -> Check {
    let before = everything(&*scene.history, &scene.story.users).await?;
    let live = said("live", scene.history.live().await)?;
    for partition in scene.story.partitions() {
        let (rows, next) = rows(&partition);
        let beyond = LAYOUT.src(next.src.partition, next.src.offset + 1);
        let earlier = partition.first().map(|ruling| ruling.src);
        for expected in [None, earlier, Some(beyond)] {
            let answer =
                scene.history.apply(live, next.src.partition, expected, rows.clone(), next).await;
            ensure!(
                matches!(answer, Err(StoreError::Fenced)),
                "a batch after {expected:?} was answered {answer:?}"
            );
        }
        let checkpoint = scene.history.checkpoint(live, next.src.partition).await;
        let checkpoint = said("checkpoint", checkpoint)?;
        ensure!(checkpoint == Some(next), "the checkpoint is {checkpoint:?}, not {next:?}");
    }
    let after = everything(&*scene.history, &scene.story.users).await?;
    ensure!(before == after, "a batch that was refused changed something");
    Ok(())
}

/// Whoever waits for a ruling finds its rows there, and no later ones than the position says.
pub(super) async fn together(history: Arc<dyn History>, patience: Duration) -> Check {
    let story = Story::new(9, 120);
    let live = said("live", history.live().await)?;
    let partitions = story.partitions();
    for ruling in story.told.rulings() {
        let early = history.reach(&Position::at(ruling.src), Duration::ZERO).await;
        ensure!(matches!(early, Err(StoreError::Behind)), "nothing was written: {early:?}");
    }
    let write = async {
        for partition in &partitions {
            let mut expected = None;
            for batch in partition.chunks(5) {
                expected = Some(apply(&*history, live, expected, batch).await?);
                // Lets the reader in between.
                tokio::task::yield_now().await;
            }
        }
        Ok(())
    };
    let states = states(&story);
    let read = async {
        for ruling in partitions.iter().flatten() {
            let target = Position::at(ruling.src);
            said("reach", history.reach(&target, patience).await)?;
            let Some(conversation) = ruling.conversation_id else { continue };
            for user in &story.users {
                let found = said("membership", history.membership(conversation, user).await)?;
                ensure!(found.position.covers(&target), "reached {target:?}, read {found:?}");
                let offset = found.position.offsets[&ruling.src.partition];
                let model = &states[&(ruling.src.partition, offset)];
                let expected = model.membership(conversation, user);
                ensure!(
                    found.membership == expected,
                    "at {offset} {user} is {:?}, not {expected:?}",
                    found.membership
                );
            }
        }
        Ok(())
    };
    futures_util::future::try_join(write, read).await.map(|_| ())
}

/// What is so after each ruling.
fn states(story: &Story) -> BTreeMap<(u32, u64), Model> {
    let mut states = BTreeMap::new();
    for partition in story.partitions() {
        let mut model = Model::new();
        for ruling in partition {
            model.add(&ruling);
            states.insert((ruling.src.partition, ruling.src.offset), model.clone());
        }
    }
    states
}

/// All parts in one; each head before the memberships, each membership before its receipt.
async fn whole(mut parts: InboxRows) -> Result<ConversationRows, StoreError> {
    let mut whole = ConversationRows::default();
    while let Some(part) = parts.try_next().await? {
        whole.founded.extend(part.founded);
        whole.heads.extend(part.heads);
        whole.memberships.extend(part.memberships);
        let unknown = |(conversation, user): &(ConversationId, UserId)| {
            let of = |change: &MembershipChange| {
                change.conversation_id == *conversation && change.user_id == *user
            };
            !whole.heads.contains_key(conversation) || !whole.memberships.iter().any(of)
        };
        if let Some(key) = part.receipts.keys().find(|key| unknown(key)) {
            return Err(StoreError::Corrupt(format!("a receipt of {key:?} before its membership")));
        }
        whole.receipts.extend(part.receipts);
        whole.entries.extend(part.entries);
    }
    Ok(whole)
}

/// What the inbox is warmed with says what the model says.
pub(super) async fn inbox_rows(scene: &Scene) -> Check {
    for (number, partition) in (0..LAYOUT.partitions).zip(scene.story.partitions()) {
        let warmed = said("inbox_rows", scene.history.inbox_rows(number).await)?;
        let Some((checkpoint, parts)) = warmed else {
            return Err(format!("partition {number} has rows, and none for the inbox"));
        };
        let found = said("inbox_rows", whole(parts).await)?;
        let (expected, next) = rows(&partition);
        ensure!(checkpoint == next, "warmed at {checkpoint:?}, not {next:?}");
        ensure!(found.heads == expected.heads, "heads of partition {number} differ");
        ensure!(found.entries.is_empty(), "rows for the inbox have entries");
        let sorted = |mut founded: Vec<verbatim_schemas::entry::Founding>| {
            founded.sort_by_key(|founding| founding.id);
            founded
        };
        ensure!(sorted(found.founded) == sorted(expected.founded), "what was founded differs");
        let present = |(conversation, user): &(ConversationId, UserId)| {
            scene.model.conversations[conversation].members.contains_key(user)
        };
        for (key, receipt) in expected.receipts.iter().filter(|(key, _)| present(key)) {
            let found = found.receipts.get(key);
            ensure!(found == Some(receipt), "{key:?} has {found:?}, not {receipt:?}");
        }
        let found = last_steps(&found.memberships);
        let expected = last_steps(&expected.memberships);
        ensure!(found == expected, "memberships are {found:?}, not {expected:?}");
    }
    Ok(())
}

type Standing = BTreeMap<(ConversationId, UserId), (bool, verbatim_schemas::Src)>;

/// Who is present since which record, and who is not since which.
fn last_steps(changes: &[crate::rows::MembershipChange]) -> Standing {
    use crate::rows::MembershipStep::{Joined, Left, Role};
    let mut standing = Standing::new();
    for change in changes {
        let present = match change.step {
            Joined { .. } => true,
            Left { .. } => false,
            Role(_) => continue,
        };
        let key = (change.conversation_id, change.user_id.clone());
        standing.insert(key, (present, change.src));
    }
    standing
}
