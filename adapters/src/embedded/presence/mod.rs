//! Presence: leases in memory, last seen in SQLite.
//!
//! | module | what it holds |
//! |---|---|
//! | `leases` | who is online, and at which gateways |
//! | `last_seen` | what has to be written, at most once a minute a user |
//!
//! Rows also say who was online and when a gateway last renewed its lease, so that even after the
//! process was killed those who were online were last seen then, and not when they came.

mod last_seen;
mod leases;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use futures_util::FutureExt;
use rusqlite::{Connection, TransactionBehavior, params};
use tokio::sync::broadcast;
use verbatim_ports::{
    StoreError,
    clock::Clock,
    presence::{Incarnation, PresenceChanged, PresenceStore},
};
use verbatim_schemas::{Timestamp, UserId, rest::Presence};

use self::{last_seen::LastSeen, leases::Leases};
use super::{
    folder::DataFolder,
    sqlite::{Outcome, Readers, Schema, Synchronous, Writer},
};

const SCHEMA: Schema = Schema {
    name: "presence",
    steps: &["
CREATE TABLE last_seen (
    user TEXT PRIMARY KEY, at INTEGER NOT NULL, online INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX last_seen_online ON last_seen (online) WHERE online;
CREATE TABLE alive (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL);
"],
};
/// How many announcements a listener may lag behind.
const CHANGES: usize = 1_024;
const READERS: usize = 2;

/// Presence of one process, in `presence.db` of its data folder.
pub struct EmbeddedPresence {
    shared: Arc<Shared>,
    /// Before the writer: the last connection to close clears the WAL away, which one that reads can't.
    readers: Readers,
    writer: Writer,
    /// The last field: the folder is free again when the database is closed.
    _folder: Arc<DataFolder>,
}

/// What a queued write needs: not the writer, so that dropping the store ends what is queued.
struct Shared {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    changes: broadcast::Sender<PresenceChanged>,
    /// Whether a write is queued: one takes all that is due.
    queued: AtomicBool,
}

#[derive(Default)]
struct State {
    leases: Leases,
    last_seen: LastSeen,
    /// When a lease was last opened or renewed.
    renewed: Timestamp,
}

impl EmbeddedPresence {
    /// Nobody is online; who was when the process before ended was last seen then. Blocks.
    ///
    /// # Errors
    /// As for any database of the folder.
    pub fn open(folder: &Arc<DataFolder>, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let database = folder.database("presence", Synchronous::Normal, SCHEMA);
        settle(&database.writer()?)?;
        let writer = Writer::open(&database)?;
        let readers = Readers::open(&database, READERS)?;
        let shared = Shared {
            clock,
            state: Mutex::default(),
            changes: broadcast::Sender::new(CHANGES),
            queued: AtomicBool::new(false),
        };
        Ok(Self { shared: Arc::new(shared), writer, readers, _folder: folder.clone() })
    }

    /// Has what is due written in the background. What is not due yet is written with a later call:
    /// gateways renew their leases often.
    fn write_soon(&self) {
        if self.shared.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let shared = self.shared.clone();
        let written = self.writer.call(move |connection| shared.write(connection, false));
        // Queued by now; only a full queue answers at once.
        if let Some(Err(error)) = written.now_or_never() {
            self.shared.queued.store(false, Ordering::Release);
            tracing::warn!(%error, "last seen is not written yet");
        }
    }

    async fn write_now(&self) -> Result<(), StoreError> {
        let shared = self.shared.clone();
        self.writer.call(move |connection| shared.write(connection, true)).await
    }
}

/// Whoever was online when the process ended was so until about when a lease was last renewed.
fn settle(connection: &Connection) -> Result<(), StoreError> {
    let settle = || -> Outcome<()> {
        connection.execute(
            "UPDATE last_seen
             SET online = 0, at = max(at, coalesce((SELECT alive.at FROM alive), 0)) WHERE online",
            [],
        )?;
        Ok(())
    };
    Ok(settle()?)
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Nobody may be listening.
    fn announce(&self, users: Vec<UserId>) {
        if !users.is_empty() {
            let _ = self.changes.send(PresenceChanged { users });
        }
    }

    /// Writes what is due (or everything) in one transaction; what can't be written stays due.
    fn write(&self, connection: &mut Connection, all: bool) -> Outcome<()> {
        self.queued.store(false, Ordering::Release);
        let now = self.clock.now();
        let (due, renewed) = {
            let mut state = self.state();
            (state.last_seen.due(now, all), state.renewed)
        };
        let tx = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut upsert = tx.prepare_cached(
            "INSERT INTO last_seen VALUES (?1, ?2, ?3) ON CONFLICT (user)
             DO UPDATE SET at = max(at, excluded.at), online = excluded.online",
        )?;
        for (user, seen) in &due {
            upsert.execute(params![user.as_str(), millis(seen.at), seen.online])?;
        }
        drop(upsert);
        tx.prepare_cached("INSERT OR REPLACE INTO alive VALUES (1, ?1)")?
            .execute([millis(renewed)])?;
        tx.commit()?;
        self.state().last_seen.written(&due, now);
        Ok(())
    }
}

fn millis(time: Timestamp) -> i64 {
    time.as_millis().cast_signed()
}

#[async_trait]
impl PresenceStore for EmbeddedPresence {
    async fn lease(&self, gateway: Incarnation, until: Timestamp) -> Result<(), StoreError> {
        let now = self.shared.clock.now();
        {
            let mut state = self.shared.state();
            state.renewed = state.renewed.max(now);
            let mut changed = state.leases.renew(gateway, until, now);
            changed.iter().for_each(|user| state.last_seen.came(user, now));
            for (user, ended) in state.leases.sweep(now) {
                state.last_seen.left(&user, ended);
                changed.push(user);
            }
            self.shared.announce(changed);
        }
        self.write_soon();
        Ok(())
    }

    async fn release(&self, gateway: Incarnation, now: Timestamp) -> Result<(), StoreError> {
        {
            let mut state = self.shared.state();
            let left = state.leases.release(gateway);
            left.iter().for_each(|user| state.last_seen.left(user, now));
            self.shared.announce(left);
        }
        // Not at most once a minute: it comes once in the life of a gateway.
        self.write_now().await
    }

    async fn arrive(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        {
            let mut state = self.shared.state();
            if !state.leases.arrive(gateway, user, now) {
                return Ok(());
            }
            state.last_seen.came(user, now);
            self.shared.announce(vec![user.clone()]);
        }
        self.write_soon();
        Ok(())
    }

    async fn depart(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        {
            let mut state = self.shared.state();
            match state.leases.depart(gateway, user) {
                None => return Ok(()),
                // Still online, but seen now: the other lease may turn out to be over.
                Some(false) => state.last_seen.came(user, now),
                Some(true) => {
                    state.last_seen.left(user, now);
                    self.shared.announce(vec![user.clone()]);
                }
            }
        }
        self.write_soon();
        Ok(())
    }

    async fn presence(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> Result<Vec<Presence>, StoreError> {
        let mut presence = Vec::with_capacity(users.len());
        let mut unknown = Vec::new();
        {
            let state = self.shared.state();
            for user in users {
                let online = state.leases.is_online(user, now);
                let lapsed = state.leases.lapsed(user);
                let last_seen = state.last_seen.at(user).max(lapsed).filter(|_| !online);
                if !online && last_seen.is_none() {
                    unknown.push(user.clone());
                }
                presence.push(Presence { user_id: user.clone(), online, last_seen });
            }
        }
        if !unknown.is_empty() {
            // What left the memory was written before, so it is found here.
            let stored = self.readers.read(move |reads| stored(reads, &unknown)).await?;
            for line in presence.iter_mut().filter(|line| !line.online && line.last_seen.is_none())
            {
                line.last_seen = stored.get(&line.user_id).copied();
            }
        }
        Ok(presence)
    }

    fn changes(&self) -> broadcast::Receiver<PresenceChanged> {
        self.shared.changes.subscribe()
    }
}

fn stored(reads: &Connection, users: &[UserId]) -> Outcome<HashMap<UserId, Timestamp>> {
    let mut statement = reads.prepare_cached("SELECT at FROM last_seen WHERE user = ?1")?;
    let mut stored = HashMap::new();
    for user in users {
        let mut rows = statement.query([user.as_str()])?;
        if let Some(row) = rows.next()? {
            let at: i64 = row.get(0)?;
            stored.insert(user.clone(), Timestamp::from_millis(at.unsigned_abs()));
        }
    }
    Ok(stored)
}
