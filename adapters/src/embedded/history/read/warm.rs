//! Whole tables: what the inbox is warmed with, and the digest.

use rusqlite::Connection;
use verbatim_domain::{access::Interval, partition};
use verbatim_ports::{
    StoreError,
    digest::HistoryDigest,
    log::Layout,
    rows::{ConversationRows, MembershipChange, MembershipStep},
};
use verbatim_schemas::{ConversationId, Digest, Rev, Role, Seq, Src, Timestamp, UserId};

use super::super::columns::{Columns, FOUNDING, HEAD, MESSAGE, RECEIPT};
use crate::embedded::sqlite::Outcome;

/// A time of membership with its records.
struct Period {
    conversation: ConversationId,
    user: UserId,
    since: Timestamp,
    interval: Interval,
    began: Src,
    ended: Option<Src>,
}

const PERIOD: &str = "i.user, i.since, i.from_rev, i.from_seq, i.until_rev, i.until_seq,
    i.generation, i.record, i.ended_generation, i.ended_record";

impl Period {
    fn read(
        columns: &mut Columns<'_>,
        conversation: ConversationId,
        partition: u32,
    ) -> Outcome<Self> {
        Ok(Self {
            conversation,
            user: columns.user()?,
            since: columns.time()?,
            interval: Interval {
                from_rev: columns.rev()?,
                from_seq: columns.seq()?,
                until: columns.number_or_none()?.map(Rev).zip(columns.number_or_none()?.map(Seq)),
            },
            began: columns.src(partition)?,
            ended: match (columns.number_or_none()?, columns.number_or_none()?) {
                (Some(generation), Some(offset)) => Some(Src {
                    generation: u32::try_from(generation).map_err(|_| {
                        StoreError::Corrupt("history holds no valid generation".into())
                    })?,
                    partition,
                    offset,
                }),
                _ => None,
            },
        })
    }

    /// The steps that made it. Of the role in a time that ended nothing is known any more, and
    /// nobody asks.
    fn steps(self, role: Option<Role>) -> impl Iterator<Item = MembershipChange> {
        let interval = Interval { until: None, ..self.interval };
        let role = role.unwrap_or(Role::Member);
        let change = |src, step, user_id| MembershipChange {
            conversation_id: self.conversation,
            user_id,
            src,
            step,
        };
        let joined = MembershipStep::Joined { role, since: self.since, interval };
        let left = self.ended.zip(self.interval.until).map(|(src, (rev, seq))| {
            change(src, MembershipStep::Left { rev, seq }, self.user.clone())
        });
        std::iter::once(change(self.began, joined, self.user)).chain(left)
    }
}

/// About how many rows come in one part.
const PART: usize = 2_048;

/// Gives the rows of one partition, without entries, a part at a time, until `give` says that nobody
/// takes them any more.
pub(in super::super) fn inbox_rows(
    reads: &Connection,
    partition: u32,
    give: impl Fn(ConversationRows) -> bool,
) -> Outcome<()> {
    let mut part = ConversationRows::default();
    let mut taken = true;
    each(
        reads,
        &format!(
            "SELECT {FOUNDING}, {HEAD} FROM conversations c WHERE c.partition = ?1 ORDER BY c.id"
        ),
        [partition],
        |columns| {
            let founding = columns.founding()?;
            part.heads.insert(founding.id, columns.head(partition)?);
            part.founded.push(founding);
            if part.founded.len() >= PART {
                taken = taken && give(std::mem::take(&mut part));
            }
            Ok(taken)
        },
    )?;
    // Most conversations have few intervals a user and most are open, so role and watermarks come
    // along with the open one.
    each(
        reads,
        &format!(
            "SELECT c.id, {PERIOD}, u.role, {RECEIPT} FROM conversations c
             CROSS JOIN intervals i ON i.conversation = c.id
             LEFT JOIN members u ON u.conversation = c.id AND u.user = i.user
                 AND u.from_rev = i.from_rev
             WHERE c.partition = ?1 ORDER BY c.id, i.user, i.from_rev"
        ),
        [partition],
        |columns| {
            let conversation = columns.conversation()?;
            let period = Period::read(columns, conversation, partition)?;
            let role = columns.text_or_none()?.and_then(Role::parse);
            if role.is_some() {
                let receipt = columns.receipt(partition)?;
                part.receipts.insert((conversation, period.user.clone()), receipt);
            }
            part.memberships.extend(period.steps(role));
            if part.memberships.len() >= PART {
                taken = taken && give(std::mem::take(&mut part));
            }
            Ok(taken)
        },
    )?;
    let _ = taken && give(part);
    Ok(())
}

/// The digest over all rows.
pub(in super::super) fn digest(reads: &Connection, layout: Layout) -> Outcome<Digest> {
    let mut digest = HistoryDigest::new();
    let of = |conversation| partition::of(conversation, layout.partitions);
    each(
        reads,
        &format!("SELECT {FOUNDING}, {HEAD} FROM conversations c ORDER BY c.id"),
        [],
        |columns| {
            let founding = columns.founding()?;
            let head = columns.head(of(founding.id))?;
            digest.conversation(&founding, &head);
            Ok(true)
        },
    )?;
    each(
        reads,
        &format!("SELECT {MESSAGE} FROM messages m ORDER BY m.conversation, m.seq"),
        [],
        |columns| {
            digest.message(&columns.message()?);
            Ok(true)
        },
    )?;
    each(
        reads,
        "SELECT conversation, rev, seq, body FROM entries ORDER BY conversation, rev",
        [],
        |columns| {
            let (conversation, rev) = (columns.conversation()?, columns.rev()?);
            if let Some(seq) = columns.number_or_none()? {
                digest.message_entry(conversation, rev, Seq(seq));
                return Ok(true);
            }
            let entry = super::entries::parse(columns.text()?)?;
            digest
                .entry(&entry)
                .map_err(|_| StoreError::Corrupt("history holds no valid entry".into()))?;
            Ok(true)
        },
    )?;
    each(
        reads,
        &format!(
            "SELECT i.conversation, {PERIOD} FROM intervals i
             ORDER BY i.conversation, i.user, i.from_rev"
        ),
        [],
        |columns| {
            let conversation = columns.conversation()?;
            let row = Period::read(columns, conversation, of(conversation))?;
            let Period { user, since, interval, began, ended, .. } = &row;
            digest.interval(conversation, user, *since, interval, *began, *ended);
            Ok(true)
        },
    )?;
    each(
        reads,
        &format!(
            "SELECT u.conversation, u.user, u.role, u.since, {RECEIPT} FROM members u
             ORDER BY u.conversation, u.user"
        ),
        [],
        |columns| {
            let (conversation, user) = (columns.conversation()?, columns.user()?);
            let (role, since) = (columns.role()?, columns.time()?);
            let receipt = columns.receipt(of(conversation))?;
            digest.member(conversation, &user, role, since, &receipt);
            Ok(true)
        },
    )?;
    Ok(digest.finish())
}

fn each(
    reads: &Connection,
    statement: &str,
    parameters: impl rusqlite::Params,
    mut row: impl FnMut(&mut Columns<'_>) -> Outcome<bool>,
) -> Outcome<()> {
    let mut statement = reads.prepare(statement)?;
    let mut rows = statement.query(parameters)?;
    while let Some(found) = rows.next()? {
        if !row(&mut Columns::new(found))? {
            break;
        }
    }
    Ok(())
}
