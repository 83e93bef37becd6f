//! The tables of one version of the projection.
//!
//! Ids are their 16 bytes, numbers and milliseconds are integers, words are those of the wire. A
//! record of `chat.events` is its generation and offset; its partition is the conversation's. Text
//! compares by its bytes.

use crate::embedded::sqlite::Schema;

/// One version's file.
pub(super) const VERSION: Schema = Schema {
    name: "history",
    steps: &["
CREATE TABLE checkpoint (
    partition INTEGER PRIMARY KEY,
    generation INTEGER NOT NULL, record INTEGER NOT NULL,
    hash BLOB NOT NULL, next INTEGER NOT NULL
);
CREATE TABLE conversations (
    id BLOB PRIMARY KEY, partition INTEGER NOT NULL,
    kind TEXT NOT NULL, name TEXT, history TEXT NOT NULL, posting TEXT NOT NULL,
    founding_count INTEGER NOT NULL, created_at INTEGER NOT NULL,
    member_count INTEGER NOT NULL, head_rev INTEGER NOT NULL, head_seq INTEGER NOT NULL,
    active_at INTEGER NOT NULL, generation INTEGER NOT NULL, record INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX conversations_by_partition ON conversations (partition);
CREATE TABLE messages (
    conversation BLOB NOT NULL, seq INTEGER NOT NULL, rev INTEGER NOT NULL,
    id BLOB NOT NULL, sender TEXT NOT NULL, text TEXT NOT NULL, metadata TEXT,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;
-- Ids begin with their time, so the index grows at its end.
CREATE INDEX messages_by_id ON messages (id, conversation);
-- An entry that is a message names it (seq); any other is its JSON (body).
CREATE TABLE entries (
    conversation BLOB NOT NULL, rev INTEGER NOT NULL, seq INTEGER, body TEXT,
    PRIMARY KEY (conversation, rev)
) WITHOUT ROWID;
CREATE TABLE intervals (
    conversation BLOB NOT NULL, user TEXT NOT NULL, from_rev INTEGER NOT NULL,
    from_seq INTEGER NOT NULL, since INTEGER NOT NULL,
    generation INTEGER NOT NULL, record INTEGER NOT NULL,
    until_rev INTEGER, until_seq INTEGER, ended_generation INTEGER, ended_record INTEGER,
    PRIMARY KEY (conversation, user, from_rev)
) WITHOUT ROWID;
-- Present members, each with where their open interval begins and their watermarks.
CREATE TABLE members (
    conversation BLOB NOT NULL, user TEXT NOT NULL, role TEXT NOT NULL, since INTEGER NOT NULL,
    from_rev INTEGER NOT NULL, from_seq INTEGER NOT NULL,
    delivered INTEGER NOT NULL, read INTEGER NOT NULL, receipt_at INTEGER,
    generation INTEGER NOT NULL, record INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
) WITHOUT ROWID;
CREATE INDEX members_by_user ON members (user, conversation);
"],
};

/// The file that says which version is live.
pub(super) const LIVE: Schema = Schema {
    name: "history's live version",
    steps: &[
        "CREATE TABLE live (one INTEGER PRIMARY KEY CHECK (one = 1), version INTEGER NOT NULL)",
    ],
};
