//! What a membership costs in the embedded inbox, which holds all of them in memory.

use verbatim_adapters::embedded::inbox::Inbox;
use verbatim_domain::access::Interval;
use verbatim_ports::{
    inbox::InboxCache,
    log::Layout,
    rows::{ConversationRows, HeadRow, MembershipChange, MembershipStep},
};
use verbatim_schemas::{
    ConversationId, Kind, Name, Posting, Rev, Role, Seq, Src, Timestamp, UserId, Visibility,
    entry::Founding,
};
use verbatim_tests::new_id;

use crate::heap;

const LAYOUT: Layout = Layout { generation: 1, partitions: 1 };
const MEMBERS: usize = 1_000_000;
const CONVERSATIONS: usize = 10_000;
/// Rows of one batch.
const BATCH: usize = 10_000;

fn at(offset: u64) -> Src {
    Src { generation: LAYOUT.generation, partition: 0, offset }
}

fn found(rows: &mut ConversationRows, id: ConversationId, src: Src) {
    rows.founded.push(Founding {
        id,
        kind: Kind::Channel,
        name: Some(Name::new("news").unwrap()),
        history: Visibility::All,
        posting: Posting::Admins,
        created_at: Timestamp::from_millis(1),
        member_count: 1,
    });
    let head = HeadRow {
        member_count: 1,
        head_rev: Rev(1),
        head_seq: Seq(0),
        active_at: Timestamp::from_millis(1),
        src,
    };
    rows.heads.insert(id, head);
}

fn join(rows: &mut ConversationRows, conversation_id: ConversationId, user_id: UserId, src: Src) {
    let interval = Interval { from_rev: Rev(2), from_seq: Seq(1), until: None };
    let since = Timestamp::from_millis(1);
    let step = MembershipStep::Joined { role: Role::Member, since, interval };
    rows.memberships.push(MembershipChange { conversation_id, user_id, src, step });
}

/// Heap for each of `count` memberships that `row` makes.
async fn per_row(count: usize, mut row: impl FnMut(u64, &mut ConversationRows)) -> usize {
    let inbox = Inbox::new(LAYOUT);
    heap::mark();
    let mut number = 0;
    for _ in 0..count / BATCH {
        let mut rows = ConversationRows::default();
        for _ in 0..BATCH {
            row(number, &mut rows);
            number += 1;
        }
        inbox.apply(0, rows, at(number)).await.unwrap();
    }
    heap::grown() / count
}

/// Heap for each member of a channel, all of whom are nowhere else.
pub async fn of_a_channel() -> usize {
    let channel: ConversationId = new_id().parse().unwrap();
    per_row(MEMBERS, |number, rows| {
        if number == 0 {
            found(rows, channel, at(1));
        }
        join(rows, channel, format!("user-{number}").parse().unwrap(), at(number + 1));
    })
    .await
}

/// Heap for each conversation of a user who is in many, the conversation's own included.
pub async fn of_one_user() -> usize {
    per_row(CONVERSATIONS, |number, rows| {
        let id = new_id().parse().unwrap();
        found(rows, id, at(number + 1));
        join(rows, id, "busy".parse().unwrap(), at(number + 1));
    })
    .await
}
