//! History on SQLite: one file a version, so that a version is dropped by deleting its file and a
//! rebuild never waits for the live one's writer.
//!
//! | module | what it holds |
//! |---|---|
//! | `schema`, `columns` | the tables, and how values stand in them |
//! | `write` | a batch |
//! | `read` | the reads |
//! | `version` | one version's file |
//! | `versions` | which is live; making, promoting and dropping versions |

mod columns;
mod read;
mod schema;
mod version;
mod versions;
mod write;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use async_trait::async_trait;
use futures_util::{StreamExt, stream};
use rusqlite::{Connection, TransactionBehavior};
use tokio::{
    sync::{mpsc, oneshot},
    task::spawn_blocking,
};
use verbatim_domain::{Grant, Position};
use verbatim_ports::{
    StoreError,
    follow::Checkpoint,
    history::{
        HistoryStore, HistoryWriter, InboxCursor, InboxPage, MembershipAt, MessagePage, Version,
    },
    inbox::InboxRows,
    log::Layout,
    rows::ConversationRows,
};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Entry, Rev, Src, UserId,
    entry::Message,
    rest::{Conversation, Member, Receipt},
};

use self::{version::VersionFile, versions::Versions};
use super::{folder::DataFolder, sqlite::Outcome};

/// History in a data folder: `history.db` says which version is live, `history-<version>.db` holds
/// it. Writes survive the end of the process; the loss of power may take the last of them together
/// with their checkpoint, and they are applied again.
pub struct History {
    layout: Layout,
    versions: Arc<Versions>,
}

/// How many parts of the inbox's rows are read ahead of whoever takes them.
const PARTS: usize = 2;

impl History {
    /// Opens the live version, making an empty one where there is none, and drops what a rebuild or
    /// a promotion that did not end left behind. Blocks.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] and [`StoreError::Unavailable`] as for any database of the folder.
    pub fn open(folder: Arc<DataFolder>, layout: Layout) -> Result<Self, StoreError> {
        Ok(Self { layout, versions: Arc::new(Versions::open(folder, layout)?) })
    }

    /// A read of the live version: short, all of one moment, and ended when it takes too long.
    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Connection) -> Outcome<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        // Held until the answer is there, so that the file is not dropped under the read.
        let version = self.versions.live();
        version.readers.read(job).await
    }

    async fn administer<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Versions) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let versions = self.versions.clone();
        blocking(move || job(&versions)).await
    }
}

/// A read of everything, on a connection of its own and without a time limit: it keeps the WAL from being
/// written back while it lasts. Blocks.
fn scan<T>(
    version: &VersionFile,
    job: impl FnOnce(&Connection) -> Outcome<T>,
) -> Result<T, StoreError> {
    let mut connection = version.database.reader()?;
    let scan = || job(&*connection.transaction()?);
    let result: Outcome<T> = { scan }();
    Ok(result?)
}

async fn blocking<T: Send + 'static>(
    job: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    spawn_blocking(job)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable("the store is shutting down".into())))
}

#[async_trait]
impl HistoryWriter for History {
    async fn live(&self) -> Result<Version, StoreError> {
        Ok(self.versions.live().number)
    }

    async fn checkpoint(
        &self,
        version: Version,
        partition: u32,
    ) -> Result<Option<Checkpoint>, StoreError> {
        let version = self.versions.file(version)?;
        version.readers.read(move |reads| read::checkpoint(reads, partition)).await
    }

    async fn apply(
        &self,
        version: Version,
        partition: u32,
        expected: Option<Src>,
        rows: ConversationRows,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        // Whoever writes a version that was dropped meanwhile has to look again which there are.
        let file = self.versions.file(version).map_err(|_| StoreError::Fenced)?;
        let (live, position) = (self.versions.position(), file.position.clone());
        file.writer
            .call(move |connection| {
                let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                write::apply(&tx, partition, expected, &rows, next)?;
                tx.commit()?;
                // On the writing thread, so that it happens even if nobody waits for the answer.
                live.moved(version, position.include(next.src));
                Ok(())
            })
            .await
    }

    async fn create(&self) -> Result<Version, StoreError> {
        self.administer(Versions::create).await
    }

    async fn digest(&self, version: Version) -> Result<(Position, Digest), StoreError> {
        let (file, layout) = (self.versions.file(version)?, self.layout);
        let digest = move |reads: &Connection| {
            Ok((read::position(reads, layout)?, read::warm::digest(reads, layout)?))
        };
        blocking(move || scan(&file, digest)).await
    }

    async fn promote(&self, version: Version) -> Result<(), StoreError> {
        self.administer(move |versions| versions.promote(version)).await
    }

    async fn discard(&self, version: Version) -> Result<(), StoreError> {
        self.administer(move |versions| versions.discard(version)).await
    }
}

#[async_trait]
impl HistoryStore for History {
    async fn position(&self) -> Result<Position, StoreError> {
        Ok(self.versions.progress().position())
    }

    async fn reach(&self, target: &Position, within: Duration) -> Result<(), StoreError> {
        self.versions.progress().reach(target, within).await
    }

    async fn membership(
        &self,
        conversation: ConversationId,
        user: &UserId,
    ) -> Result<MembershipAt, StoreError> {
        let (layout, user) = (self.layout, user.clone());
        self.read(move |reads| read::membership::membership(reads, layout, conversation, &user))
            .await
    }

    async fn conversation(&self, grant: &Grant) -> Result<Conversation, StoreError> {
        let grant = grant.clone();
        self.read(move |reads| read::members::conversation(reads, &grant)).await
    }

    async fn members(
        &self,
        grant: &Grant,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Member>, StoreError> {
        let (grant, after) = (grant.clone(), after.cloned());
        self.read(move |reads| read::members::members(reads, &grant, after.as_ref(), limit)).await
    }

    async fn messages(
        &self,
        grant: &Grant,
        page: MessagePage,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Message>, StoreError> {
        let grant = grant.clone();
        self.read(move |reads| read::messages::page(reads, &grant, page, limit, max_bytes)).await
    }

    async fn sent_message(
        &self,
        grant: &Grant,
        id: CommandId,
    ) -> Result<Option<Message>, StoreError> {
        let grant = grant.clone();
        self.read(move |reads| read::messages::sent(reads, &grant, id)).await
    }

    async fn entries(
        &self,
        grant: &Grant,
        after: Rev,
        limit: u32,
        max_bytes: usize,
    ) -> Result<Vec<Entry>, StoreError> {
        let grant = grant.clone();
        self.read(move |reads| read::entries::entries(reads, &grant, after, limit, max_bytes)).await
    }

    async fn receipts(
        &self,
        grant: &Grant,
        public_up_to: u32,
        after: Option<&UserId>,
        limit: u32,
    ) -> Result<Vec<Receipt>, StoreError> {
        let (grant, after) = (grant.clone(), after.cloned());
        self.read(move |reads| {
            read::members::receipts(reads, &grant, public_up_to, after.as_ref(), limit)
        })
        .await
    }

    async fn inbox(
        &self,
        user: &UserId,
        after: Option<InboxCursor>,
        limit: u32,
        max_bytes: usize,
    ) -> Result<InboxPage, StoreError> {
        let (layout, user) = (self.layout, user.clone());
        self.read(move |reads| {
            let (items, more) = read::inbox::page(reads, &user, after, limit, max_bytes)?;
            Ok(InboxPage { items, more, position: read::position(reads, layout)? })
        })
        .await
    }

    async fn sharing(
        &self,
        viewer: &UserId,
        users: &[UserId],
    ) -> Result<BTreeSet<UserId>, StoreError> {
        let (viewer, users) = (viewer.clone(), users.to_vec());
        self.read(move |reads| read::members::sharing(reads, &viewer, &users)).await
    }

    async fn inbox_rows(
        &self,
        partition: u32,
    ) -> Result<Option<(Checkpoint, InboxRows)>, StoreError> {
        let (into, parts) = mpsc::channel(PARTS);
        let (begin, begun) = oneshot::channel();
        let version = self.versions.live();
        let read = blocking(move || {
            scan(&version, |reads| {
                let checkpoint = read::checkpoint(reads, partition)?;
                // Else nobody takes it any more, or there is nothing to take.
                if begin.send(checkpoint).is_ok() && checkpoint.is_some() {
                    let give = |rows| into.blocking_send(Ok(Some(rows))).is_ok();
                    let end = read::warm::inbox_rows(reads, partition, give);
                    // Whoever took the rows until here may have gone.
                    let _ = into.blocking_send(end.map(|()| None).map_err(StoreError::from));
                }
                Ok(())
            })
        });
        let read = tokio::spawn(read);
        match begun.await {
            Ok(checkpoint) => {
                let parts = stream::try_unfold(parts, async |mut parts| {
                    // Only what says that it is the end is one: a reader may have died.
                    let gone = || StoreError::Unavailable("the reading of the rows ended".into());
                    let part = parts.recv().await.ok_or_else(gone)??;
                    Ok(part.map(|rows| (rows, parts)))
                });
                Ok(checkpoint.map(|checkpoint| (checkpoint, parts.boxed())))
            }
            // It failed before it began.
            Err(_) => match read.await {
                Ok(Err(error)) => Err(error),
                _ => Err(StoreError::Unavailable("the store is shutting down".into())),
            },
        }
    }
}
