//! The conversation itself, its members and their watermarks.

use std::collections::BTreeSet;

use rusqlite::{Connection, params};
use verbatim_domain::{Grant, access::receipts_are_public};
use verbatim_ports::StoreError;
use verbatim_schemas::{
    Kind, Timestamp, UserId,
    rest::{Conversation, Member, Receipt},
};

use super::super::columns::{Columns, FOUNDING, id, int};
use crate::embedded::sqlite::Outcome;

/// The conversation as the grant's actor sees it.
pub(in super::super) fn conversation(reads: &Connection, grant: &Grant) -> Outcome<Conversation> {
    let mut statement =
        reads.prepare_cached(&format!("SELECT {FOUNDING} FROM conversations c WHERE c.id = ?1"))?;
    let mut rows = statement.query([id(grant.conversation())])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let founding = Columns::new(row).founding()?;
    let peer = match founding.kind {
        Kind::Direct => peer(reads, grant)?,
        Kind::Group | Kind::Channel => None,
    };
    Ok(Conversation {
        id: founding.id,
        kind: founding.kind,
        name: founding.name,
        peer,
        history: founding.history,
        posting: founding.posting,
        role: grant.role(),
        member_count: grant.member_count(),
        head_seq: grant.head_seq(),
        head_rev: grant.head_rev(),
        created_at: founding.created_at,
    })
}

fn peer(reads: &Connection, grant: &Grant) -> Outcome<Option<UserId>> {
    let mut statement = reads.prepare_cached(
        "SELECT user FROM members WHERE conversation = ?1 AND user <> ?2 LIMIT 1",
    )?;
    let mut rows = statement.query(params![id(grant.conversation()), grant.actor().as_str()])?;
    rows.next()?.map(|row| Columns::new(row).user()).transpose()
}

/// Members by id. Who joined after the grant's head is left out: the grant says nothing of that time.
pub(in super::super) fn members(
    reads: &Connection,
    grant: &Grant,
    after: Option<&UserId>,
    limit: u32,
) -> Outcome<Vec<Member>> {
    let mut statement = reads.prepare_cached(
        "SELECT user, role, since FROM members
         WHERE conversation = ?1 AND user > ?2 AND from_rev <= ?3 ORDER BY user LIMIT ?4",
    )?;
    let after = after.map_or("", UserId::as_str);
    let head = int(grant.head_rev().0);
    let mut rows = statement.query(params![id(grant.conversation()), after, head, limit])?;
    let mut members = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        let (user_id, role, since) = (columns.user()?, columns.role()?, columns.time()?);
        members.push(Member { user_id, role, since });
    }
    Ok(members)
}

/// Watermarks by id; in a large conversation the actor's own only.
pub(in super::super) fn receipts(
    reads: &Connection,
    grant: &Grant,
    public_up_to: u32,
    after: Option<&UserId>,
    limit: u32,
) -> Outcome<Vec<Receipt>> {
    let only = match receipts_are_public(grant.member_count(), public_up_to) {
        true => None,
        false => Some(grant.actor().as_str()),
    };
    // Two statements, so that the one for oneself is a look-up whatever the size.
    let user = if only.is_some() { "user = ?5 AND user > ?2" } else { "user > ?2 AND ?5 IS NULL" };
    let mut statement = reads.prepare_cached(&format!(
        "SELECT user, delivered, read, receipt_at FROM members
         WHERE conversation = ?1 AND {user} AND from_rev <= ?3 ORDER BY user LIMIT ?4"
    ))?;
    let after = after.map_or("", UserId::as_str);
    let head = int(grant.head_rev().0);
    let mut rows = statement.query(params![id(grant.conversation()), after, head, limit, only])?;
    let mut receipts = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        receipts.push(Receipt {
            user_id: columns.user()?,
            delivered: columns.seq()?,
            read: columns.seq()?,
            at: columns.number_or_none()?.map(Timestamp::from_millis),
        });
    }
    Ok(receipts)
}

/// Which of `users` share a conversation with `viewer`: a look-up for each conversation of the
/// viewer's and each user asked for, however many members a conversation has.
pub(in super::super) fn sharing(
    reads: &Connection,
    viewer: &UserId,
    users: &[UserId],
) -> Outcome<BTreeSet<UserId>> {
    let asked = serde_json::to_string(users)
        .map_err(|error| StoreError::Corrupt(format!("users have no JSON: {error}")))?;
    let mut statement = reads.prepare_cached(
        "SELECT asked.value FROM json_each(?1) AS asked
         WHERE asked.value = ?2 OR EXISTS (
             SELECT 1 FROM members mine INDEXED BY members_by_user
             CROSS JOIN members theirs
             WHERE mine.user = ?2
               AND theirs.conversation = mine.conversation AND theirs.user = asked.value
         )",
    )?;
    let mut rows = statement.query(params![asked, viewer.as_str()])?;
    let mut sharing = BTreeSet::new();
    while let Some(row) = rows.next()? {
        sharing.insert(Columns::new(row).user()?);
    }
    Ok(sharing)
}
