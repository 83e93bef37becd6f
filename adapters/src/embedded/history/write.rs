//! Writing a batch: the checkpoint first, as a compare-and-set, then the rows, in one transaction.

use rusqlite::{Transaction, params};
use verbatim_ports::{
    StoreError,
    follow::Checkpoint,
    rows::{ConversationRows, HeadRow, MembershipChange, MembershipStep, ReceiptRow},
};
use verbatim_schemas::{
    ConversationId, Entry, EntryBody, Src, UserId,
    entry::{Founding, Message},
};

use super::columns::{id, int};
use crate::embedded::sqlite::Outcome;

/// Writes the rows of a partition and moves its checkpoint from `expected` to `next`.
pub(super) fn apply(
    tx: &Transaction<'_>,
    partition: u32,
    expected: Option<Src>,
    rows: &ConversationRows,
    next: Checkpoint,
) -> Outcome<()> {
    advance(tx, partition, expected, next)?;
    rows.founded.iter().try_for_each(|founding| found(tx, partition, founding))?;
    messages(tx, &rows.entries)?;
    entries(tx, &rows.entries)?;
    rows.memberships.iter().try_for_each(|change| membership(tx, change))?;
    rows.heads.iter().try_for_each(|(conversation, row)| head(tx, *conversation, row))?;
    rows.receipts.iter().try_for_each(|((id, user), row)| receipt(tx, *id, user, row))
}

fn advance(
    tx: &Transaction<'_>,
    partition: u32,
    expected: Option<Src>,
    next: Checkpoint,
) -> Outcome<()> {
    let Checkpoint { src, hash, next } = next;
    let moved = match expected {
        None => tx
            .prepare_cached(
                "INSERT INTO checkpoint VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![partition, src.generation, int(src.offset), hash.0, int(next)])?,
        Some(old) => tx
            .prepare_cached(
                "UPDATE checkpoint SET generation = ?2, record = ?3, hash = ?4, next = ?5
                 WHERE partition = ?1 AND generation = ?6 AND record = ?7",
            )?
            .execute(params![
                partition,
                src.generation,
                int(src.offset),
                hash.0,
                int(next),
                old.generation,
                int(old.offset)
            ])?,
    };
    if moved == 1 { Ok(()) } else { Err(StoreError::Fenced.into()) }
}

/// The head's values follow with the batch's heads.
fn found(tx: &Transaction<'_>, partition: u32, founding: &Founding) -> Outcome<()> {
    tx.prepare_cached(
        "INSERT INTO conversations VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, 0, 0, 0, 0, 0)",
    )?
    .execute(params![
        id(founding.id),
        partition,
        founding.kind.as_str(),
        founding.name.as_ref().map(|name| name.as_str()),
        founding.history.as_str(),
        founding.posting.as_str(),
        founding.member_count,
        int(founding.created_at.as_millis()),
    ])?;
    Ok(())
}

fn messages(tx: &Transaction<'_>, entries: &[Entry]) -> Outcome<()> {
    let mut insert =
        tx.prepare_cached("INSERT INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?;
    for entry in entries {
        let EntryBody::Message { message } = &entry.body else { continue };
        insert.execute(params![
            id(message.conversation_id),
            int(message.seq.0),
            int(message.rev.0),
            message.id.uuid().as_bytes(),
            message.sender.as_str(),
            message.text.as_str(),
            message.metadata.as_ref().map(|metadata| metadata.as_str()),
            int(message.created_at.as_millis()),
        ])?;
    }
    Ok(())
}

fn entries(tx: &Transaction<'_>, entries: &[Entry]) -> Outcome<()> {
    let mut insert = tx.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4)")?;
    for entry in entries {
        let (seq, body) = match &entry.body {
            EntryBody::Message { message } if made_by(message, entry) => {
                (Some(int(message.seq.0)), None)
            }
            _ => {
                let body = serde_json::to_string(entry).map_err(|error| {
                    StoreError::Corrupt(format!("an entry has no JSON: {error}"))
                })?;
                (None, Some(body))
            }
        };
        insert.execute(params![id(entry.conversation_id), int(entry.rev.0), seq, body])?;
    }
    Ok(())
}

/// Whether the entry can be made from the message again.
fn made_by(message: &Message, entry: &Entry) -> bool {
    (message.conversation_id, message.rev) == (entry.conversation_id, entry.rev)
        && message.created_at == entry.at
        && message.sender == entry.actor
}

/// The entry that a message makes.
pub(super) fn of_message(message: Message) -> Entry {
    Entry {
        conversation_id: message.conversation_id,
        rev: message.rev,
        at: message.created_at,
        actor: message.sender.clone(),
        body: EntryBody::Message { message },
    }
}

fn membership(tx: &Transaction<'_>, change: &MembershipChange) -> Outcome<()> {
    let (conversation, user) = (id(change.conversation_id), change.user_id.as_str());
    let (generation, record) = (change.src.generation, int(change.src.offset));
    match change.step {
        MembershipStep::Joined { role, since, interval } => {
            let since = int(since.as_millis());
            let (rev, seq) = (int(interval.from_rev.0), int(interval.from_seq.0));
            tx.prepare_cached(
                "INSERT INTO intervals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, NULL, NULL, NULL, NULL)",
            )?
            .execute(params![
                conversation,
                user,
                rev,
                seq,
                since,
                generation,
                record
            ])?;
            tx.prepare_cached(
                "INSERT INTO members VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0, 0, NULL, ?7, ?8)",
            )?
            .execute(params![
                conversation,
                user,
                role.as_str(),
                since,
                rev,
                seq,
                generation,
                record
            ])?;
        }
        MembershipStep::Role(role) => {
            tx.prepare_cached(
                "UPDATE members SET role = ?3 WHERE conversation = ?1 AND user = ?2",
            )?
            .execute(params![conversation, user, role.as_str()])?;
        }
        MembershipStep::Left { rev, seq } => {
            tx.prepare_cached(
                "UPDATE intervals
                 SET until_rev = ?3, until_seq = ?4, ended_generation = ?5, ended_record = ?6
                 WHERE conversation = ?1 AND user = ?2 AND from_rev =
                     (SELECT from_rev FROM members WHERE conversation = ?1 AND user = ?2)",
            )?
            .execute(params![
                conversation,
                user,
                int(rev.0),
                int(seq.0),
                generation,
                record
            ])?;
            tx.prepare_cached("DELETE FROM members WHERE conversation = ?1 AND user = ?2")?
                .execute(params![conversation, user])?;
        }
    }
    Ok(())
}

fn head(tx: &Transaction<'_>, conversation: ConversationId, row: &HeadRow) -> Outcome<()> {
    let changed = tx
        .prepare_cached(
            "UPDATE conversations SET member_count = ?2, head_rev = ?3, head_seq = ?4,
                 active_at = ?5, generation = ?6, record = ?7
             WHERE id = ?1",
        )?
        .execute(params![
            id(conversation),
            row.member_count,
            int(row.head_rev.0),
            int(row.head_seq.0),
            int(row.active_at.as_millis()),
            row.src.generation,
            int(row.src.offset),
        ])?;
    if changed == 1 {
        return Ok(());
    }
    Err(StoreError::Corrupt(format!("conversation {conversation} has a head and no beginning"))
        .into())
}

/// Watermarks of somebody who is no member any more are not kept: coming back sets them anew.
fn receipt(
    tx: &Transaction<'_>,
    conversation: ConversationId,
    user: &UserId,
    row: &ReceiptRow,
) -> Outcome<()> {
    tx.prepare_cached(
        "UPDATE members SET delivered = ?3, read = ?4, receipt_at = ?5, generation = ?6, record = ?7
         WHERE conversation = ?1 AND user = ?2",
    )?
    .execute(params![
        id(conversation),
        user.as_str(),
        int(row.delivered.0),
        int(row.read.0),
        row.at.map(|at| int(at.as_millis())),
        row.src.generation,
        int(row.src.offset),
    ])?;
    Ok(())
}
