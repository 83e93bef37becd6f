//! [`ConversationStore`] on SQLite: the timeline projector's state as rows of a file of its own.
//!
//! The file is a cache of `chat.timeline`, so it is not synced with each batch; what the loss of
//! power takes is folded again from the checkpoint that is left.

mod columns;
mod read;
mod schema;
#[cfg(test)]
mod tests;
mod write;

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;
use verbatim_domain::state::{BatchNeeds, Change, ConversationState};
use verbatim_ports::{StoreError, conversations::ConversationStore, follow::Checkpoint};
use verbatim_schemas::{ConversationId, Src};

use self::{
    schema::SCHEMA,
    write::{Rows, move_checkpoint},
};
use super::{
    folder::DataFolder,
    sqlite::{Readers, Synchronous, Writer},
};

/// The states of all partitions in one file. Dropping it writes what is queued and waits for the
/// threads.
pub struct EmbeddedConversations {
    // Dropped in this order: a connection that only reads can't clear the WAL away.
    readers: Readers,
    writer: Writer,
    /// Freed last: until then something may still be written.
    _folder: Arc<DataFolder>,
}

/// Partitions that load at the same time.
const READERS: usize = 2;

impl EmbeddedConversations {
    /// Opens the store of a folder, or makes it. Blocks on the disk.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] when the file is damaged or of a newer program: it may be deleted,
    /// and is then folded again. [`StoreError::Unavailable`] when it can't be opened.
    pub fn open(folder: &Arc<DataFolder>) -> Result<Self, StoreError> {
        let database = folder.database("conversations", Synchronous::Normal, SCHEMA);
        let writer = Writer::open(&database)?;
        let readers = Readers::open(&database, READERS)?;
        Ok(Self { readers, writer, _folder: folder.clone() })
    }
}

#[async_trait]
impl ConversationStore for EmbeddedConversations {
    async fn checkpoint(&self, partition: u32) -> Result<Option<Checkpoint>, StoreError> {
        self.readers.read(move |connection| read::checkpoint(connection, partition)).await
    }

    async fn load(
        &self,
        partition: u32,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        self.readers.read(move |connection| read::parts(connection, partition, &needs)).await
    }

    async fn load_at(
        &self,
        partition: u32,
        expected: Option<Src>,
        needs: BatchNeeds,
    ) -> Result<BTreeMap<ConversationId, ConversationState>, StoreError> {
        // One read is one moment, so one way to the reading thread and back is enough.
        let load = move |connection: &_| {
            let now = read::checkpoint(connection, partition)?.map(|checkpoint| checkpoint.src);
            if now != expected {
                return Err(StoreError::Fenced.into());
            }
            read::parts(connection, partition, &needs)
        };
        self.readers.read(load).await
    }

    async fn save(
        &self,
        partition: u32,
        expected: Option<Src>,
        changes: Vec<(ConversationId, Change)>,
        next: Checkpoint,
    ) -> Result<(), StoreError> {
        let save = move |transaction: &rusqlite::Transaction<'_>| {
            // First, so that whoever is fenced writes nothing.
            move_checkpoint(transaction, partition, expected, &next)?;
            Rows::last_of_each(changes).write(transaction, partition)
        };
        self.writer.transact(save).await
    }

    async fn clear(&self, partition: u32) -> Result<(), StoreError> {
        self.writer.transact(move |transaction| write::clear(transaction, partition)).await
    }
}
