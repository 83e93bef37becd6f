//! Reads: each says what the model says, in pages of any size.

use verbatim_domain::Grant;
use verbatim_schemas::{CommandId, Entry, Rev, Seq, UserId, rest::Receipt};

use super::scene::{Scene, said};
use crate::{
    contract::breach::{Check, ensure},
    history::{InboxCursor, MessagePage},
};

const LIMITS: [u32; 3] = [1, 3, 201];

/// Memberships, outsiders' and former members' too, with the position of their partition.
pub(super) async fn memberships(scene: &Scene) -> Check {
    let mut intervals = 0;
    for conversation in &scene.story.conversations {
        for user in &scene.story.users {
            let found = said("membership", scene.history.membership(*conversation, user).await)?;
            let expected = scene.model.membership(*conversation, user);
            ensure!(
                found.membership == expected,
                "{user} in {conversation}: {:?} and not {expected:?}",
                found.membership
            );
            let partition = scene.story.told.partition(*conversation);
            let position = scene.model.position.only(partition);
            ensure!(found.position == position, "at {:?}, not {position:?}", found.position);
            intervals = intervals.max(expected.map_or(0, |known| known.intervals.len()));
        }
    }
    ensure!(intervals >= 3, "the story has nobody who came back twice");
    Ok(())
}

/// Conversations, and members in pages.
pub(super) async fn conversations_and_members(scene: &Scene) -> Check {
    for grant in scene.grants().await? {
        let told = &scene.model.conversations[&grant.conversation()];
        let found = said("conversation", scene.history.conversation(&grant).await)?;
        let expected = told.conversation(grant.actor());
        ensure!(Some(&found) == expected.as_ref(), "{found:?} and not {expected:?}");
        let expected: Vec<_> =
            told.members.values().map(|present| present.member.clone()).collect();
        for limit in LIMITS {
            let mut found = Vec::new();
            loop {
                let after = found.last().map(|last: &verbatim_schemas::rest::Member| &last.user_id);
                let page = said("members", scene.history.members(&grant, after, limit).await)?;
                ensure!(
                    page.len() <= limit as usize,
                    "{} members in a page of {limit}",
                    page.len()
                );
                let full = page.len() == limit as usize;
                found.extend(page);
                if !full || found.len() > expected.len() {
                    break;
                }
            }
            ensure!(found == expected, "members in pages of {limit}: {found:?}, not {expected:?}");
        }
    }
    Ok(())
}

/// How much a page may hold.
const ROOMS: [(u32, usize); 6] =
    [(1, usize::MAX), (2, usize::MAX), (201, usize::MAX), (201, 0), (201, 900), (3, 2_000)];

/// A page keeps to its bounds, though one item is given however large it is.
fn fits<T: serde::Serialize>(items: &[T], limit: u32, bytes: usize) -> Check {
    ensure!(items.len() <= limit as usize, "a page of {limit} has {}", items.len());
    let mut all = 0;
    for item in items {
        all += json(item)?.len();
    }
    ensure!(all <= bytes || items.len() == 1, "a page of {bytes} bytes has {all}");
    Ok(())
}

/// Messages in both directions: each visible one once, and no other.
pub(super) async fn messages(scene: &Scene) -> Check {
    for grant in scene.grants().await? {
        let forward = scene.model.conversations[&grant.conversation()].messages(&grant);
        let backward: Vec<_> = forward.iter().rev().cloned().collect();
        for (limit, bytes) in ROOMS {
            for (mut page, expected) in
                [(MessagePage::Before(None), &backward), (MessagePage::After(Seq(0)), &forward)]
            {
                let mut found = Vec::new();
                loop {
                    let items = scene.history.messages(&grant, page, limit, bytes).await;
                    let items = said("messages", items)?;
                    fits(&items, limit, bytes)?;
                    let more = !items.is_empty();
                    found.extend(items);
                    let more = more && found.len() <= expected.len();
                    let Some(last) = found.last().filter(|_| more) else { break };
                    page = match page {
                        MessagePage::Before(_) => MessagePage::Before(Some(last.seq)),
                        MessagePage::After(_) => MessagePage::After(last.seq),
                    };
                }
                let seqs: Vec<_> = found.iter().map(|message| message.seq).collect();
                ensure!(found == *expected, "{:?} in pages of {limit}: {seqs:?}", grant.actor());
            }
        }
        for (page, most) in [
            (MessagePage::After(Seq(u64::MAX)), 0),
            (MessagePage::Before(Some(Seq(0))), 0),
            (MessagePage::Before(Some(Seq(u64::MAX))), 1),
        ] {
            let items =
                said("messages", scene.history.messages(&grant, page, 1, usize::MAX).await)?;
            ensure!(items.len() <= most, "{page:?} gives {} messages", items.len());
        }
    }
    Ok(())
}

/// Entries: the JSON that the ruling had, within limit and bytes, and at least one.
pub(super) async fn entries(scene: &Scene) -> Check {
    for grant in scene.grants().await? {
        let expected = scene.model.conversations[&grant.conversation()].entries(&grant);
        for (limit, bytes) in [(1, 1), (3, usize::MAX), (201, 2_000), (201, 0), (201, usize::MAX)] {
            let mut after = Rev(0);
            let mut rest = expected.as_slice();
            while !rest.is_empty() {
                let page =
                    said("entries", scene.history.entries(&grant, after, limit, bytes).await)?;
                let fitting = fitting(rest, limit, bytes)?;
                ensure!(
                    page.len() == fitting,
                    "{} entries after {after} where {fitting} fit in {limit} and {bytes} bytes",
                    page.len()
                );
                for (found, expected) in page.iter().zip(rest) {
                    let (found, expected) = (json(found)?, json(expected)?);
                    ensure!(found == expected, "an entry is {found}\nand was {expected}");
                }
                after = page.last().map_or(after, |entry| entry.rev);
                rest = &rest[fitting..];
            }
            let page = said("entries", scene.history.entries(&grant, after, limit, bytes).await)?;
            ensure!(page.is_empty(), "entries after the last");
        }
    }
    Ok(())
}

/// How many entries fit: what counts is their own JSON.
fn fitting(entries: &[Entry], limit: u32, bytes: usize) -> Result<usize, String> {
    let mut room = bytes;
    let mut count = 0;
    for entry in entries.iter().take(limit as usize) {
        let length = json(entry)?.len();
        if count > 0 && length > room {
            break;
        }
        room = room.saturating_sub(length);
        count += 1;
    }
    Ok(count)
}

pub(super) fn json(value: &impl serde::Serialize) -> Result<String, String> {
    serde_json::to_string(value).map_err(|error| error.to_string())
}

/// Receipts in pages.
pub(super) async fn receipts(scene: &Scene) -> Check {
    for grant in scene.grants().await? {
        let told = &scene.model.conversations[&grant.conversation()];
        let expected: Vec<_> =
            told.members.values().map(|present| present.receipt.clone()).collect();
        for limit in LIMITS {
            let found = all_receipts(scene, &grant, u32::MAX, limit, expected.len()).await?;
            ensure!(found == expected, "receipts in pages of {limit}: {found:?}, not {expected:?}");
        }
    }
    Ok(())
}

/// Receipts in pages; stops where there are more than `most`.
pub(super) async fn all_receipts(
    scene: &Scene,
    grant: &Grant,
    public_up_to: u32,
    limit: u32,
    most: usize,
) -> Result<Vec<Receipt>, String> {
    let mut found: Vec<Receipt> = Vec::new();
    loop {
        let after: Option<&UserId> = found.last().map(|last| &last.user_id);
        let page = scene.history.receipts(grant, public_up_to, after, limit).await;
        let page = said("receipts", page)?;
        let full = page.len() == limit as usize;
        found.extend(page);
        if !full || found.len() > most {
            return Ok(found);
        }
    }
}

/// The inbox in pages: each conversation once, latest first, with its last visible message.
pub(super) async fn inbox(scene: &Scene) -> Check {
    for user in &scene.story.users {
        let expected = scene.model.inbox(user);
        for (limit, bytes) in ROOMS {
            let (mut found, mut cursor) = (Vec::new(), None);
            loop {
                let page = said("inbox", scene.history.inbox(user, cursor, limit, bytes).await)?;
                let position = page.position;
                ensure!(position == scene.model.position, "the inbox is at {position:?}");
                fits(&page.items, limit, bytes)?;
                found.extend(page.items);
                ensure!(page.more == (found.len() < expected.len()), "more: {}", page.more);
                let more = page.more && found.len() <= expected.len();
                let Some(last) = found.last().filter(|_| more) else { break };
                let last: &verbatim_schemas::rest::InboxItem = last;
                cursor = Some(InboxCursor {
                    active_at: last.active_at,
                    conversation: last.conversation.id,
                });
            }
            ensure!(found == expected, "{user}'s inbox in pages of {limit}: {found:#?}");
        }
    }
    Ok(())
}

/// What one sent under an id: to the sender alone, and where it is still visible.
pub(super) async fn sent_messages(scene: &Scene) -> Check {
    let mut found_any = false;
    for grant in scene.grants().await? {
        let told = &scene.model.conversations[&grant.conversation()];
        for message in &told.messages {
            let found = said("sent_message", scene.history.sent_message(&grant, message.id).await)?;
            let own = message.sender == *grant.actor();
            let visible = own && grant.sees_seq(message.seq);
            found_any |= visible;
            let expected = Some(message).filter(|_| visible);
            ensure!(found.as_ref() == expected, "{} finds {found:?}", grant.actor());
        }
        let other = CommandId::MIN;
        let found = said("sent_message", scene.history.sent_message(&grant, other).await)?;
        ensure!(found.is_none(), "a message under an id that nobody used");
    }
    ensure!(found_any, "the story has no message to find");
    Ok(())
}

/// Who shares a conversation with whom.
pub(super) async fn sharing(scene: &Scene) -> Check {
    let users = &scene.story.users;
    for viewer in users {
        let found = said("sharing", scene.history.sharing(viewer, users).await)?;
        let expected =
            users.iter().filter(|user| scene.model.share(viewer, user)).cloned().collect();
        ensure!(found == expected, "{viewer} shares with {found:?} and not {expected:?}");
        let nobody = said("sharing", scene.history.sharing(viewer, &[]).await)?;
        ensure!(nobody.is_empty(), "{viewer} shares with {nobody:?}, and nobody was asked for");
    }
    Ok(())
}
