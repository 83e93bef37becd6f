//! What is known of one user in one conversation.

use rusqlite::{Connection, params};
use verbatim_domain::{
    Position,
    access::{Interval, Membership},
    partition,
};
use verbatim_ports::{history::MembershipAt, log::Layout};
use verbatim_schemas::{ConversationId, Rev, Role, Seq, UserId};

use super::{
    super::columns::{Columns, id},
    checkpoint,
};
use crate::embedded::{progress::Progress, sqlite::Outcome};

/// The membership and the position of the conversation's partition.
pub(in super::super) fn membership(
    reads: &Connection,
    layout: Layout,
    conversation: ConversationId,
    user: &UserId,
) -> Outcome<MembershipAt> {
    let partition = partition::of(conversation, layout.partitions);
    let position = match checkpoint(reads, partition)? {
        Some(checkpoint) => Position::at(checkpoint.src),
        None => Progress::nothing(layout),
    };
    let intervals = intervals(reads, conversation, user)?;
    let membership = match intervals.is_empty() {
        true => None,
        false => Some(known(reads, conversation, user, intervals)?),
    };
    Ok(MembershipAt { membership, position })
}

fn known(
    reads: &Connection,
    conversation: ConversationId,
    user: &UserId,
    intervals: Vec<Interval>,
) -> Outcome<Membership> {
    let mut known = reads.prepare_cached(
        "SELECT c.kind, c.history, c.member_count, c.head_rev, c.head_seq, u.role
         FROM conversations c
         LEFT JOIN members u ON u.conversation = c.id AND u.user = ?2
         WHERE c.id = ?1",
    )?;
    let mut rows = known.query(params![id(conversation), user.as_str()])?;
    let row = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    let mut columns = Columns::new(row);
    Ok(Membership {
        kind: columns.kind()?,
        history: columns.history()?,
        member_count: columns.small()?,
        head_rev: columns.rev()?,
        head_seq: columns.seq()?,
        role: columns.text_or_none()?.and_then(Role::parse),
        intervals,
    })
}

fn intervals(
    reads: &Connection,
    conversation: ConversationId,
    user: &UserId,
) -> Outcome<Vec<Interval>> {
    let mut statement = reads.prepare_cached(
        "SELECT from_rev, from_seq, until_rev, until_seq FROM intervals
         WHERE conversation = ?1 AND user = ?2 ORDER BY from_rev",
    )?;
    let mut rows = statement.query(params![id(conversation), user.as_str()])?;
    let mut intervals = Vec::new();
    while let Some(row) = rows.next()? {
        let mut columns = Columns::new(row);
        let (from_rev, from_seq) = (columns.rev()?, columns.seq()?);
        let until = columns.number_or_none()?.map(Rev).zip(columns.number_or_none()?.map(Seq));
        intervals.push(Interval { from_rev, from_seq, until });
    }
    Ok(intervals)
}
