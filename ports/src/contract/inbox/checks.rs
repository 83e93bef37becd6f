//! The checks.

use std::{sync::Arc, time::Duration};

use futures_util::future::{join, try_join};
use tokio::time::timeout;
use verbatim_domain::Position;
use verbatim_schemas::{Kind, Role, Ruling, UserId, Visibility, rest::Unread};

use super::model::Model;
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::{Conversations, rows, user},
        story::{LAYOUT, Story},
    },
    inbox::{InboxCache, UserInbox},
};

pub(super) fn said<T>(call: &str, answer: Result<T, StoreError>) -> Result<T, String> {
    answer.map_err(|error| format!("{call} failed: {error}"))
}

pub(super) async fn apply(inbox: &dyn InboxCache, batch: &[Arc<Ruling>]) -> Check {
    let (rows, next) = rows(batch);
    said("apply", inbox.apply(next.src.partition, rows, next.src).await)
}

/// What a user finds, with `left` in a defined order.
pub(super) async fn find(
    inbox: &dyn InboxCache,
    user: &UserId,
    since: Option<&Position>,
) -> Result<UserInbox, String> {
    let mut found = said("user", inbox.user(user, since).await)?;
    found.left.sort();
    Ok(found)
}

/// Everybody finds what the model says.
pub(super) async fn same(inbox: &dyn InboxCache, model: &Model, users: &[UserId]) -> Check {
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

pub(super) fn model_of<'a>(rulings: impl IntoIterator<Item = &'a Arc<Ruling>>) -> Model {
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
