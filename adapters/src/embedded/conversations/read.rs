//! Reading what a batch needs. Every statement follows a key or an index and stops where enough was
//! read, so that the size of a conversation does not matter.

use std::collections::BTreeMap;

use rusqlite::{Connection, Params, Row, params};
use verbatim_domain::state::{
    BatchNeeds, ConversationState, Head, MemberRow, Memory, Needs, SpentRow,
};
use verbatim_ports::follow::Checkpoint;
use verbatim_schemas::{
    Chain, CommandId, ConversationId, Digest, Kind, Name, Posting, Rev, Role, Salt, Seq, Timestamp,
    UserId, Visibility, ruling::Spent,
};

use super::columns::{Columns, command, conversation, corrupt};
use crate::embedded::sqlite::Outcome;

pub(super) fn checkpoint(connection: &Connection, partition: u32) -> Outcome<Option<Checkpoint>> {
    let sql = "SELECT generation, src_partition, record, hash, next FROM checkpoints
               WHERE partition = ?1";
    one(connection, sql, [partition], |columns| {
        Ok(Checkpoint {
            src: columns.src()?,
            hash: Digest(columns.bytes()?),
            next: columns.number()?,
        })
    })
}

/// The parts of the conversations' states that `needs` names.
pub(super) fn parts(
    connection: &Connection,
    partition: u32,
    needs: &BatchNeeds,
) -> Outcome<BTreeMap<ConversationId, ConversationState>> {
    needs.iter().map(|(id, needs)| Ok((*id, part(connection, partition, *id, needs)?))).collect()
}

/// The part of a conversation's state that `needs` names.
pub(super) fn part(
    connection: &Connection,
    partition: u32,
    id: ConversationId,
    needs: &Needs,
) -> Outcome<ConversationState> {
    let loader = Loader { connection, partition, conversation: conversation(id) };
    let mut part = ConversationState { head: loader.head()?, ..ConversationState::default() };
    for user in &needs.members {
        if let Some(member) = loader.member(user)? {
            part.members.insert(user.clone(), member);
        }
    }
    if needs.longest_standing > 0 {
        part.members.extend(loader.longest_standing(needs.longest_standing)?);
    }
    for (actor, count) in &needs.memories {
        let Some(memory) = loader.memory(actor)? else { continue };
        part.memories.insert(actor.clone(), memory);
        let mut outermost = loader.oldest_spent(actor, *count)?;
        match memory.newest_needed(*count) {
            0 => {}
            count => outermost.extend(loader.newest_spent(actor, count)?),
        }
        part.spent.extend(outermost.into_iter().map(|(id, row)| ((actor.clone(), id), row)));
    }
    for (actor, id) in &needs.spent {
        if let Some(row) = loader.spent(actor, *id)? {
            part.spent.insert((actor.clone(), *id), row);
        }
    }
    Ok(part)
}

struct Loader<'a> {
    connection: &'a Connection,
    partition: u32,
    conversation: [u8; 16],
}

impl Loader<'_> {
    fn head(&self) -> Outcome<Option<Head>> {
        let sql = "SELECT kind, name, history, posting, creator, salt, digest, created_at, last_at,
                          rev, seq, chain, member_count, admin_count
                   FROM heads WHERE partition = ?1 AND conversation = ?2";
        one(self.connection, sql, params![self.partition, self.conversation], head)
    }

    fn member(&self, user: &UserId) -> Outcome<Option<MemberRow>> {
        let sql = "SELECT role, since, since_rev, delivered, read, receipt_at FROM members
                   WHERE partition = ?1 AND conversation = ?2 AND user = ?3";
        let key = params![self.partition, self.conversation, user.as_str()];
        one(self.connection, sql, key, member)
    }

    fn longest_standing(&self, count: usize) -> Outcome<Vec<(UserId, MemberRow)>> {
        let sql = "SELECT user, role, since, since_rev, delivered, read, receipt_at
                   FROM members INDEXED BY members_standing
                   WHERE partition = ?1 AND conversation = ?2 ORDER BY since_rev, user LIMIT ?3";
        let key = params![self.partition, self.conversation, count];
        all(self.connection, sql, key, |columns| Ok((columns.user()?, member(columns)?)))
    }

    fn memory(&self, actor: &UserId) -> Outcome<Option<Memory>> {
        let sql = "SELECT count, floor FROM memories
                   WHERE partition = ?1 AND conversation = ?2 AND user = ?3";
        let key = params![self.partition, self.conversation, actor.as_str()];
        one(self.connection, sql, key, |columns| {
            Ok(Memory { count: columns.small()?, floor: columns.command_or_none()? })
        })
    }

    fn oldest_spent(&self, actor: &UserId, count: usize) -> Outcome<Vec<(CommandId, SpentRow)>> {
        let sql = "SELECT id, salt, digest, generation, src_partition, record, first FROM spent
                   WHERE partition = ?1 AND conversation = ?2 AND user = ?3
                   ORDER BY id LIMIT ?4";
        self.several_spent(sql, actor, count)
    }

    fn newest_spent(&self, actor: &UserId, count: usize) -> Outcome<Vec<(CommandId, SpentRow)>> {
        let sql = "SELECT id, salt, digest, generation, src_partition, record, first FROM spent
                   WHERE partition = ?1 AND conversation = ?2 AND user = ?3
                   ORDER BY id DESC LIMIT ?4";
        self.several_spent(sql, actor, count)
    }

    fn several_spent(
        &self,
        sql: &'static str,
        actor: &UserId,
        count: usize,
    ) -> Outcome<Vec<(CommandId, SpentRow)>> {
        let key = params![self.partition, self.conversation, actor.as_str(), count];
        all(self.connection, sql, key, |columns| Ok((columns.command()?, spent(columns)?)))
    }

    fn spent(&self, actor: &UserId, id: CommandId) -> Outcome<Option<SpentRow>> {
        let sql = "SELECT salt, digest, generation, src_partition, record, first FROM spent
                   WHERE partition = ?1 AND conversation = ?2 AND user = ?3 AND id = ?4";
        let key = params![self.partition, self.conversation, actor.as_str(), command(id)];
        one(self.connection, sql, key, spent)
    }
}

fn head(columns: &mut Columns<'_>) -> Outcome<Head> {
    Ok(Head {
        kind: columns.word(Kind::parse)?,
        name: {
            let name = columns.text_or_none()?.map(Name::new);
            name.transpose().map_err(|_| corrupt("name"))?
        },
        history: columns.word(Visibility::parse)?,
        posting: columns.word(Posting::parse)?,
        creator: columns.user()?,
        founding: Spent { salt: Salt(columns.bytes()?), digest: Digest(columns.bytes()?) },
        created_at: columns.time()?,
        last_at: columns.time()?,
        rev: Rev(columns.number()?),
        seq: Seq(columns.number()?),
        chain: Chain(columns.bytes()?),
        member_count: columns.small()?,
        admin_count: columns.small()?,
    })
}

fn member(columns: &mut Columns<'_>) -> Outcome<MemberRow> {
    Ok(MemberRow {
        role: columns.word(Role::parse)?,
        since: columns.time()?,
        since_rev: Rev(columns.number()?),
        delivered: Seq(columns.number()?),
        read: Seq(columns.number()?),
        receipt_at: columns.number_or_none()?.map(Timestamp::from_millis),
    })
}

fn spent(columns: &mut Columns<'_>) -> Outcome<SpentRow> {
    Ok(SpentRow {
        spent: Spent { salt: Salt(columns.bytes()?), digest: Digest(columns.bytes()?) },
        src: columns.src()?,
        first: serde_json::from_str(columns.text()?).map_err(|_| corrupt("first ruling"))?,
    })
}

fn one<T>(
    connection: &Connection,
    sql: &str,
    key: impl Params,
    read: impl FnOnce(&mut Columns<'_>) -> Outcome<T>,
) -> Outcome<Option<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    rows.next()?.map(|row: &Row<'_>| read(&mut Columns::of(row))).transpose()
}

fn all<T>(
    connection: &Connection,
    sql: &str,
    key: impl Params,
    read: impl Fn(&mut Columns<'_>) -> Outcome<T>,
) -> Outcome<Vec<T>> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(key)?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(read(&mut Columns::of(row))?);
    }
    Ok(all)
}
