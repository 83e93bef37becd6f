//! A user's conversations, latest entry first.

use rusqlite::{Connection, params};
use verbatim_ports::history::InboxCursor;
use verbatim_schemas::{
    Kind, Timestamp, UserId,
    rest::{Conversation, InboxItem},
};

use super::{
    super::columns::{Columns, FOUNDING, MESSAGE, id, int},
    room::Room,
};
use crate::embedded::sqlite::Outcome;

/// One statement for a page: the user's conversations in order, then for each the other one (of a
/// direct conversation) and the last message that the user may see: the head's where the open
/// interval has one, else the last of the intervals before. It looks at all of the user's
/// conversations, since their order moves with every entry and nothing is written per member.
fn statement() -> String {
    format!(
        "WITH page AS (
             SELECT {FOUNDING}, c.member_count, c.head_rev, c.head_seq, c.active_at,
                    u.user, u.role, u.read, u.delivered,
                    CASE WHEN c.history = 'all' OR u.from_seq <= c.head_seq THEN c.head_seq
                    ELSE (SELECT max(i.until_seq) FROM intervals i
                          WHERE i.conversation = c.id AND i.user = u.user
                            AND i.until_seq >= i.from_seq)
                    END AS last_seq
             FROM members u INDEXED BY members_by_user
             CROSS JOIN conversations c ON c.id = u.conversation
             WHERE u.user = ?1 AND (?2 IS NULL OR (c.active_at, c.id) < (?2, ?3))
             ORDER BY c.active_at DESC, c.id DESC
             LIMIT ?4
         )
         SELECT p.id, p.kind, p.name, p.history, p.posting, p.founding_count, p.created_at,
                p.member_count, p.head_rev, p.head_seq, p.active_at, p.role, p.read, p.delivered,
                CASE WHEN p.kind = 'direct' THEN
                    (SELECT o.user FROM members o WHERE o.conversation = p.id AND o.user <> p.user)
                END,
                m.seq IS NOT NULL, {MESSAGE}
         FROM page p
         LEFT JOIN messages m ON m.conversation = p.id AND m.seq = p.last_seq
         ORDER BY p.active_at DESC, p.id DESC"
    )
}

/// A page of the inbox, and whether there are more.
pub(in super::super) fn page(
    reads: &Connection,
    user: &UserId,
    after: Option<InboxCursor>,
    limit: u32,
    max_bytes: usize,
) -> Outcome<(Vec<InboxItem>, bool)> {
    let mut statement = reads.prepare_cached(&statement())?;
    let active_at = after.map(|cursor| int(cursor.active_at.as_millis()));
    let conversation = after.map(|cursor| id(cursor.conversation));
    // One more than fits shows that there are more.
    let most = i64::from(limit) + 1;
    let mut rows = statement.query(params![user.as_str(), active_at, conversation, most])?;
    let (mut room, mut items) = (Room::new(limit, max_bytes), Vec::new());
    while let Some(row) = rows.next()? {
        let item = item(&mut Columns::new(row))?;
        if !room.take(&item)? {
            return Ok((items, true));
        }
        items.push(item);
    }
    Ok((items, false))
}

fn item(columns: &mut Columns<'_>) -> Outcome<InboxItem> {
    let founding = columns.founding()?;
    let (member_count, head_rev, head_seq) = (columns.small()?, columns.rev()?, columns.seq()?);
    let active_at: Timestamp = columns.time()?;
    let role = columns.role()?;
    let (read, delivered) = (columns.seq()?, columns.seq()?);
    let peer = columns.text_or_none()?.and_then(|user| user.parse().ok());
    let last_message = match columns.number()? {
        0 => None,
        _ => Some(columns.message()?),
    };
    Ok(InboxItem {
        conversation: Conversation {
            id: founding.id,
            kind: founding.kind,
            name: founding.name,
            peer: peer.filter(|_| founding.kind == Kind::Direct),
            history: founding.history,
            posting: founding.posting,
            role,
            member_count,
            head_seq,
            head_rev,
            created_at: founding.created_at,
        },
        last_message,
        unread: head_seq.0.saturating_sub(read.0),
        read,
        delivered,
        active_at,
    })
}
