//! What a load costs.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use rusqlite::Connection;
use tempfile::TempDir;
use verbatim_domain::state::{Change, MemberRow, Memory, Needs};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Rev, Role, Salt, Seq, Src, Timestamp, UserId,
    ruling::{First, Spent},
};

use super::{SCHEMA, read, write::Rows};
use crate::embedded::{folder::DataFolder, sqlite::Synchronous};

fn user(number: u64) -> UserId {
    format!("user-{number}").parse().unwrap()
}

fn id(number: u64) -> CommandId {
    CommandId::new(uuid::Builder::from_unix_timestamp_millis(number, &[7; 10]).into_uuid()).unwrap()
}

/// How many instructions SQLite runs to load a part of a conversation of that size, once its
/// statements are prepared.
fn instructions(connection: &mut Connection, size: u64) -> u64 {
    let conversation = ConversationId::direct(&user(0), &user(size));
    let member = |number| MemberRow {
        role: Role::Member,
        since: Timestamp::from_millis(number),
        since_rev: Rev(number),
        delivered: Seq(0),
        read: Seq(0),
        receipt_at: None,
    };
    let spent = |number| verbatim_domain::state::SpentRow {
        spent: Spent { salt: Salt([1; 16]), digest: Digest([2; 32]) },
        src: Src { generation: 1, partition: 0, offset: number },
        first: First::Accepted { rev: None, seq: None, at: Timestamp::from_millis(number) },
    };
    let members = (0..size).map(|number| Change::Member(user(number), Some(member(number))));
    let ids = (0..size).map(|number| Change::Spent(user(1), id(number), Some(spent(number))));
    let memory = Change::Memory(user(1), Memory { count: 1_022, floor: None });
    let changes = members.chain(ids).chain([memory]).map(|change| (conversation, change)).collect();
    let transaction = connection.transaction().unwrap();
    Rows::last_of_each(changes).write(&transaction, 0).unwrap();
    transaction.commit().unwrap();

    let needs = Needs {
        members: [user(2), user(5), user(size)].into(),
        longest_standing: 3,
        spent: [(user(1), id(4)), (user(1), id(size))].into(),
        memories: [(user(1), 4)].into(),
    };
    let load = || read::part(connection, 0, conversation, &needs).unwrap();
    let part = load();
    assert_eq!(part.members.len(), 4, "0, 1, 2 stand longest, and 5 is named");
    assert_eq!(part.spent.len(), 9, "0 to 3 are the oldest, as many the newest, and 4 is named");
    let count = Arc::new(AtomicU64::new(0));
    let counter = count.clone();
    let each = move || counter.fetch_add(1, Ordering::Relaxed) == u64::MAX;
    connection.progress_handler(1, Some(each)).unwrap();
    read::part(connection, 0, conversation, &needs).unwrap();
    connection.progress_handler(0, None::<fn() -> bool>).unwrap();
    count.load(Ordering::Relaxed)
}

#[test]
fn a_load_costs_the_same_however_large_the_conversation() {
    let folder = TempDir::new().unwrap();
    let folder = DataFolder::lock(folder.path()).unwrap();
    let database = folder.database("conversations", Synchronous::Normal, SCHEMA);
    let mut connection = database.writer().unwrap();
    let small = instructions(&mut connection, 10);
    let large = instructions(&mut connection, 20_000);
    assert!(small > 50, "{small} instructions are too few to load anything");
    assert_eq!(small, large);
}
