//! The checks.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use futures_util::{
    StreamExt,
    future::{join, try_join},
    stream,
};
use tokio::time::timeout;
use verbatim_domain::Position;
use verbatim_schemas::{Kind, Role, Ruling, Src, UserId, Visibility, rest::Unread};

use super::model::Model;
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::{Conversations, rows, user},
        story::{LAYOUT, Story},
    },
    inbox::{InboxCache, UserInbox},
    rows::{ConversationRows, MembershipStep},
};

fn said<T>(call: &str, answer: Result<T, StoreError>) -> Result<T, String> {
    answer.map_err(|error| format!("{call} failed: {error}"))
}

async fn apply(inbox: &dyn InboxCache, batch: &[Arc<Ruling>]) -> Check {
    let (rows, next) = rows(batch);
    said("apply", inbox.apply(next.src.partition, rows, next.src).await)
}

/// What a user finds, with `left` in a defined order.
async fn find(
    inbox: &dyn InboxCache,
    user: &UserId,
    since: Option<&Position>,
) -> Result<UserInbox, String> {
    let mut found = said("user", inbox.user(user, since).await)?;
    found.left.sort();
    Ok(found)
}

/// Everybody finds what the model says.
async fn same(inbox: &dyn InboxCache, model: &Model, users: &[UserId]) -> Check {
    for user in users {
        let (found, expected) = (find(inbox, user, None).await?, model.user(user, None));
        ensure!(found == expected, "{user} finds {found:?}, not {expected:?}");
        let (found, position) = said("unread", inbox.unread(user).await)?;
        let unread = || expected.heads.iter().map(|head| head.unread()).filter(|n| *n > 0);
        let expected = Unread { conversations: unread().count() as u64, messages: unread().sum() };
        ensure!(found == expected, "{user} has {found:?} unread, not {expected:?}");
        ensure!(position == model.position, "unread is of {position:?}");
    }
    Ok(())
}

fn model_of<'a>(rulings: impl IntoIterator<Item = &'a Arc<Ruling>>) -> Model {
    let mut model = Model::new();
    rulings.into_iter().for_each(|ruling| model.add(ruling));
    model
}

pub(super) async fn empty(inbox: &dyn InboxCache) -> Check {
    for partition in 0..LAYOUT.partitions {
        let checkpoint = said("checkpoint", inbox.checkpoint(partition).await)?;
        ensure!(checkpoint.is_none(), "an empty partition includes {checkpoint:?}");
    }
    same(inbox, &Model::new(), &[user("ann")]).await
}

/// One ruling at a time: values are those that the ruling says, and members are known.
pub(super) async fn after_each(inbox: &dyn InboxCache) -> Check {
    let story = Story::new(11, 120);
    let mut model = Model::new();
    for ruling in story.told.rulings() {
        apply(inbox, std::slice::from_ref(ruling)).await?;
        model.add(ruling);
        let checkpoint = said("checkpoint", inbox.checkpoint(ruling.src.partition).await)?;
        ensure!(checkpoint == Some(ruling.src), "includes {checkpoint:?}, not {:?}", ruling.src);
        same(inbox, &model, &story.users).await?;
        let Some(conversation) = ruling.conversation_id else { continue };
        for user in &story.users {
            let found = said("seems_member", inbox.seems_member(conversation, user).await)?;
            let expected = model.is_member(conversation, user);
            ensure!(found == expected, "{user} seems a member: {found}");
        }
    }
    Ok(())
}

pub(super) async fn splits(inboxes: &[Arc<dyn InboxCache>; 2]) -> Check {
    let story = Story::new(12, 200);
    let model = model_of(story.told.rulings());
    for (inbox, size) in inboxes.iter().zip([9, usize::MAX]) {
        for partition in story.partitions() {
            for batch in partition.chunks(size) {
                apply(&**inbox, batch).await?;
            }
        }
        same(&**inbox, &model, &story.users).await?;
    }
    Ok(())
}

/// What changed after a position, and what ended after it, is told; and nothing else.
pub(super) async fn since(inbox: &dyn InboxCache) -> Check {
    let story = Story::new(13, 200);
    let mut positions = vec![Position::default()];
    let mut model = Model::new();
    for ruling in story.told.rulings() {
        apply(inbox, std::slice::from_ref(ruling)).await?;
        model.add(ruling);
        positions.push(model.position.clone());
    }
    // Another layout says nothing of this one.
    let mut foreign = model.position.clone();
    foreign.generation += 1;
    for user in &story.users {
        let found = find(inbox, user, Some(&foreign)).await?;
        ensure!(found == model.user(user, None), "{user} misses what another layout has");
    }
    let (mut told, mut left) = (0, 0);
    for since in positions.iter().step_by(5).chain(positions.last()) {
        for user in &story.users {
            let found = find(inbox, user, Some(since)).await?;
            let expected = model.user(user, Some(since));
            ensure!(found == expected, "{user} since {since:?}: {found:?}, not {expected:?}");
            told += found.heads.len();
            left += found.left.len();
        }
    }
    ensure!(told > 100 && left > 20, "the story tells {told} heads and {left} left");
    let last = positions.last().unwrap_or(&model.position);
    let found = find(inbox, &user("ann"), Some(last)).await?;
    ensure!(found.heads.is_empty() && found.left.is_empty(), "after the end: {found:?}");
    Ok(())
}

/// A batch at or below what is included does nothing, whatever it says.
pub(super) async fn repeats(inbox: &dyn InboxCache) -> Check {
    let story = Story::new(14, 150);
    let model = model_of(story.told.rulings());
    for partition in story.partitions() {
        for batch in partition.chunks(10) {
            apply(inbox, batch).await?;
        }
        for batch in partition.chunks(10) {
            apply(inbox, batch).await?;
        }
        apply(inbox, &partition).await?;
    }
    same(inbox, &model, &story.users).await?;
    // A batch that begins before what is included and ends after it.
    let mut story = story;
    story.told.advance(10);
    for conversation in story.conversations.clone() {
        story.say(conversation, "ann");
    }
    for partition in story.partitions() {
        apply(inbox, &partition).await?;
    }
    same(inbox, &model_of(story.told.rulings()), &story.users).await
}

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

/// Two conversations that always move together are never seen apart.
pub(super) async fn whole_batches(inbox: &dyn InboxCache, patience: Duration) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let groups = [told.new_conversation_id_in(1), told.new_conversation_id_in(1)];
    for group in groups {
        told.create_as(group, Kind::Group, "ann", &["bob"], Visibility::All);
    }
    for _ in 0..100 {
        groups.iter().for_each(|group| drop(told.send(*group, "bob", "in step")));
    }
    let rulings = told.of_partition(1);
    let last = rulings.last().map(|ruling| ruling.src).unwrap_or(LAYOUT.src(1, 0));
    let write = async {
        for batch in rulings.chunks(2) {
            apply(inbox, batch).await?;
            tokio::task::yield_now().await;
        }
        Ok(())
    };
    let read = async {
        loop {
            let found = find(inbox, &user("ann"), None).await?;
            let seqs: Vec<_> = found.heads.iter().map(|head| head.head_seq).collect();
            ensure!(seqs.windows(2).all(|pair| pair[0] == pair[1]), "half a batch: {seqs:?}");
            ensure!(
                seqs.is_empty() || found.position.offsets.contains_key(&1),
                "rows without a position"
            );
            let (unread, position) = said("unread", inbox.unread(&user("ann")).await)?;
            ensure!(unread.messages % 2 == 0, "half a batch is unread: {unread:?}");
            if position.includes(last) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    match timeout(patience, try_join(write, read)).await {
        Ok(outcome) => outcome.map(|_| ()),
        Err(_) => Err("the last batch never came".to_owned()),
    }
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

/// In a channel a message moves everybody's head, without a row for each member.
pub(super) async fn channel(inbox: &dyn InboxCache) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let channel = told.create(Kind::Channel, "ann", &[], Visibility::All);
    for number in 0..100 {
        told.add(channel, "ann", &format!("member-{number:02}"), Role::Member);
    }
    let before = told.rulings().len();
    (0..3).for_each(|_| drop(told.send(channel, "ann", "to all")));
    let (joins, sends) = told.rulings().split_at(before);
    apply(inbox, joins).await?;
    let (sent, _) = rows(sends);
    ensure!(sent.heads.len() + sent.receipts.len() == 2, "{sent:?} has a row for each member");
    apply(inbox, sends).await?;
    for number in 0..100 {
        let member = user(&format!("member-{number:02}"));
        let (unread, _) = said("unread", inbox.unread(&member).await)?;
        let expected = Unread { conversations: 1, messages: 3 };
        ensure!(unread == expected, "{member} has {unread:?} unread");
    }
    let (unread, _) = said("unread", inbox.unread(&user("ann")).await)?;
    ensure!(unread.messages == 0, "the sender has {unread:?} unread");
    Ok(())
}

/// Who waits is woken by the batch that brings it there.
pub(super) async fn reaches(inbox: &dyn InboxCache, patience: Duration) -> Check {
    let story = Story::new(17, 40);
    said("reach", inbox.reach(&Position::default(), Duration::ZERO).await)?;
    for partition in story.partitions() {
        let Some(last) = partition.last().map(|ruling| Position::at(ruling.src)) else { continue };
        for within in [Duration::ZERO, Duration::from_millis(10)] {
            let answer = timeout(patience, inbox.reach(&last, within)).await;
            let answer = answer.map_err(|_| "waits longer than it may".to_owned())?;
            ensure!(matches!(answer, Err(StoreError::Behind)), "reached too early: {answer:?}");
        }
        let write = async {
            for batch in partition.chunks(10) {
                apply(inbox, batch).await?;
            }
            Ok(())
        };
        let (reached, written): (_, Check) = join(inbox.reach(&last, patience), write).await;
        written?;
        said("reach", reached)?;
    }
    Ok(())
}
