//! Writing the changes of a batch.

use std::collections::BTreeMap;

use rusqlite::{Connection, params};
use verbatim_domain::state::{Change, Head, MemberRow, Memory, SpentRow};
use verbatim_ports::{StoreError, follow::Checkpoint};
use verbatim_schemas::{CommandId, ConversationId, Src, UserId};

use super::columns::{command, conversation, corrupt};
use crate::embedded::sqlite::Outcome;

/// Moves the checkpoint; [`StoreError::Fenced`] when it is not where it is expected.
pub(super) fn move_checkpoint(
    connection: &Connection,
    partition: u32,
    expected: Option<Src>,
    next: &Checkpoint,
) -> Outcome<()> {
    let Src { generation, partition: src_partition, offset } = next.src;
    let (hash, from) = (next.hash.0, next.next);
    let moved = match expected {
        None => connection
            .prepare_cached("INSERT OR IGNORE INTO checkpoints VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
            .execute(params![partition, generation, src_partition, offset, hash, from])?,
        Some(expected) => connection
            .prepare_cached(
                "UPDATE checkpoints
                 SET generation = ?2, src_partition = ?3, record = ?4, hash = ?5, next = ?6
                 WHERE partition = ?1 AND generation = ?7 AND src_partition = ?8 AND record = ?9",
            )?
            .execute(params![
                partition,
                generation,
                src_partition,
                offset,
                hash,
                from,
                expected.generation,
                expected.partition,
                expected.offset
            ])?,
    };
    if moved == 1 { Ok(()) } else { Err(StoreError::Fenced.into()) }
}

/// Drops a partition.
pub(super) fn clear(connection: &Connection, partition: u32) -> Outcome<()> {
    for table in ["checkpoints", "heads", "members", "memories", "spent"] {
        connection
            .prepare_cached(&format!("DELETE FROM {table} WHERE partition = ?1"))?
            .execute([partition])?;
    }
    Ok(())
}

/// Changes by key: a batch changes the same head and memory again and again, and only the last
/// value counts.
#[derive(Default)]
pub(super) struct Rows {
    heads: BTreeMap<ConversationId, Box<Head>>,
    members: BTreeMap<(ConversationId, UserId), Option<MemberRow>>,
    memories: BTreeMap<(ConversationId, UserId), Memory>,
    spent: BTreeMap<(ConversationId, UserId, CommandId), Option<SpentRow>>,
}

impl Rows {
    pub(super) fn last_of_each(changes: Vec<(ConversationId, Change)>) -> Self {
        let mut rows = Self::default();
        for (conversation, change) in changes {
            match change {
                Change::Head(head) => drop(rows.heads.insert(conversation, head)),
                Change::Member(user, row) => {
                    rows.members.insert((conversation, user), row);
                }
                Change::Memory(user, row) => {
                    rows.memories.insert((conversation, user), row);
                }
                Change::Spent(user, id, row) => {
                    rows.spent.insert((conversation, user, id), row);
                }
            }
        }
        rows
    }

    pub(super) fn write(&self, connection: &Connection, partition: u32) -> Outcome<()> {
        for (id, head) in &self.heads {
            write_head(connection, partition, *id, head)?;
        }
        for ((id, user), row) in &self.members {
            write_member(connection, partition, *id, user, row.as_ref())?;
        }
        for ((id, user), memory) in &self.memories {
            connection
                .prepare_cached("REPLACE INTO memories VALUES (?1, ?2, ?3, ?4, ?5)")?
                .execute(params![
                    partition,
                    conversation(*id),
                    user.as_str(),
                    memory.count,
                    memory.floor.map(command)
                ])?;
        }
        for ((id, user, spent), row) in &self.spent {
            write_spent(connection, partition, (*id, user, *spent), row.as_ref())?;
        }
        Ok(())
    }
}

fn write_head(
    connection: &Connection,
    partition: u32,
    id: ConversationId,
    head: &Head,
) -> Outcome<()> {
    connection
        .prepare_cached(
            "REPLACE INTO heads VALUES
             (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)",
        )?
        .execute(params![
            partition,
            conversation(id),
            head.kind.as_str(),
            head.name.as_ref().map(|name| name.as_str()),
            head.history.as_str(),
            head.posting.as_str(),
            head.creator.as_str(),
            head.founding.salt.0,
            head.founding.digest.0,
            head.created_at.as_millis(),
            head.last_at.as_millis(),
            head.rev.0,
            head.seq.0,
            head.chain.0,
            head.member_count,
            head.admin_count
        ])?;
    Ok(())
}

fn write_member(
    connection: &Connection,
    partition: u32,
    id: ConversationId,
    user: &UserId,
    row: Option<&MemberRow>,
) -> Outcome<()> {
    let (id, user) = (conversation(id), user.as_str());
    match row {
        Some(row) => connection
            .prepare_cached("REPLACE INTO members VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?
            .execute(params![
                partition,
                id,
                user,
                row.role.as_str(),
                row.since.as_millis(),
                row.since_rev.0,
                row.delivered.0,
                row.read.0,
                row.receipt_at.map(|at| at.as_millis())
            ])?,
        None => connection
            .prepare_cached(
                "DELETE FROM members WHERE partition = ?1 AND conversation = ?2 AND user = ?3",
            )?
            .execute(params![partition, id, user])?,
    };
    Ok(())
}

fn write_spent(
    connection: &Connection,
    partition: u32,
    (id, user, spent): (ConversationId, &UserId, CommandId),
    row: Option<&SpentRow>,
) -> Outcome<()> {
    let (id, user, spent) = (conversation(id), user.as_str(), command(spent));
    match row {
        Some(row) => connection
            .prepare_cached("REPLACE INTO spent VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)")?
            .execute(params![
                partition,
                id,
                user,
                spent,
                row.spent.salt.0,
                row.spent.digest.0,
                row.src.generation,
                row.src.partition,
                row.src.offset,
                serde_json::to_string(&row.first).map_err(|_| corrupt("first ruling"))?
            ])?,
        None => connection
            .prepare_cached(
                "DELETE FROM spent
                 WHERE partition = ?1 AND conversation = ?2 AND user = ?3 AND id = ?4",
            )?
            .execute(params![partition, id, user, spent])?,
    };
    Ok(())
}
