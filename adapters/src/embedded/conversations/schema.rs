//! The tables. Every key begins with the partition, so that one can be dropped, and the conversation.

use crate::embedded::sqlite::Schema;

pub(super) const SCHEMA: Schema = Schema {
    name: "conversations",
    steps: &["
        CREATE TABLE checkpoints (
            partition INTEGER PRIMARY KEY,
            generation INTEGER NOT NULL, src_partition INTEGER NOT NULL, record INTEGER NOT NULL,
            hash BLOB NOT NULL, next INTEGER NOT NULL
        );
        CREATE TABLE heads (
            partition INTEGER NOT NULL, conversation BLOB NOT NULL,
            kind TEXT NOT NULL, name TEXT, history TEXT NOT NULL, posting TEXT NOT NULL,
            creator TEXT NOT NULL, salt BLOB NOT NULL, digest BLOB NOT NULL,
            created_at INTEGER NOT NULL, last_at INTEGER NOT NULL,
            rev INTEGER NOT NULL, seq INTEGER NOT NULL, chain BLOB NOT NULL,
            member_count INTEGER NOT NULL, admin_count INTEGER NOT NULL,
            PRIMARY KEY (partition, conversation)
        ) WITHOUT ROWID;
        CREATE TABLE members (
            partition INTEGER NOT NULL, conversation BLOB NOT NULL, user TEXT NOT NULL,
            role TEXT NOT NULL, since INTEGER NOT NULL, since_rev INTEGER NOT NULL,
            delivered INTEGER NOT NULL, read INTEGER NOT NULL, receipt_at INTEGER,
            PRIMARY KEY (partition, conversation, user)
        ) WITHOUT ROWID;
        CREATE INDEX members_standing ON members (partition, conversation, since_rev, user);
        CREATE TABLE memories (
            partition INTEGER NOT NULL, conversation BLOB NOT NULL, user TEXT NOT NULL,
            count INTEGER NOT NULL, floor BLOB,
            PRIMARY KEY (partition, conversation, user)
        ) WITHOUT ROWID;
        CREATE TABLE spent (
            partition INTEGER NOT NULL, conversation BLOB NOT NULL, user TEXT NOT NULL, id BLOB NOT NULL,
            salt BLOB NOT NULL, digest BLOB NOT NULL,
            generation INTEGER NOT NULL, src_partition INTEGER NOT NULL, record INTEGER NOT NULL,
            first TEXT NOT NULL,
            PRIMARY KEY (partition, conversation, user, id)
        ) WITHOUT ROWID;
    "],
};
