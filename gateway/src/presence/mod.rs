//! Presence: users of this node come and go under its lease, and whoever watches a user is told, as
//! long as the two share a conversation.

mod announce;
mod telling;
mod watching;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{Notify, broadcast::error::RecvError};
use verbatim_schemas::{Timestamp, UserId, rest::Presence};

pub(crate) use announce::{keep_lease, release};
pub(crate) use watching::Watched;

use crate::shared::Shared;
use announce::Local;
use watching::{Watch, Watcher};

/// Users that one round asks the store about.
const AT_ONCE: usize = 256;
/// Users in one question to the store.
const QUESTION: usize = 100;

/// Who is here, who watches whom, and what has to be found out. Bounded by the sockets and by what
/// each may watch.
pub(crate) struct PresenceDesk {
    state: Mutex<State>,
    work: Notify,
    /// Users that a socket may watch.
    most: usize,
}

#[derive(Default)]
struct State {
    /// Users of this node.
    users: HashMap<UserId, Local>,
    /// Those of them that the store does not know as they are.
    unannounced: HashSet<UserId>,
    /// By watched user.
    watches: HashMap<UserId, Vec<Watch>>,
    /// By the number of the watching socket.
    watchers: HashMap<u64, Watcher>,
    /// The watching sockets of each viewer.
    viewers: HashMap<UserId, Vec<u64>>,
    /// Users whose presence may have changed.
    changed: HashSet<UserId>,
    /// Watching sockets for which it has to be found out who shares a conversation.
    recheck: HashSet<u64>,
}

impl PresenceDesk {
    pub(crate) fn new(most: usize) -> Self {
        Self { state: Mutex::default(), work: Notify::new(), most }
    }

    /// A user's first socket is here.
    pub(crate) fn arrived(&self, user: &UserId) {
        self.lock().arrived(user);
        self.work.notify_one();
    }

    /// A user's last socket is gone.
    pub(crate) fn gone(&self, user: &UserId, now: u64, at: Timestamp) {
        self.lock().gone(user, now, at);
    }

    /// Called each second: what could not be done, or was not due, is looked at again.
    pub(crate) fn tick(&self) {
        let state = self.lock();
        let idle =
            state.unannounced.is_empty() && state.changed.is_empty() && state.recheck.is_empty();
        drop(state);
        if !idle {
            self.work.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Announces, listens and tells, for ever.
pub(crate) async fn serve(shared: Arc<Shared>) {
    let desk = &shared.presence;
    let mut changes = shared.deps.presence.changes();
    let mut listening = true;
    loop {
        tokio::select! {
            () = desk.work.notified() => {}
            change = changes.recv(), if listening => match change {
                Ok(change) => desk.lock().note_changed(change.users),
                Err(RecvError::Lagged(_)) => desk.lock().note_all_changed(),
                Err(RecvError::Closed) => listening = false,
            },
        }
        announce::announce(&shared).await;
        telling::recheck(&shared).await;
        telling::tell_changes(&shared).await;
    }
}

/// The presence of users, in the given order; none where the store cannot say.
async fn ask(shared: &Shared, users: &[UserId]) -> Option<Vec<Presence>> {
    let mut all = Vec::with_capacity(users.len());
    for users in users.chunks(QUESTION) {
        match shared.deps.presence.presence(users, shared.time.wall()).await {
            Ok(presence) => all.extend(presence),
            Err(error) => {
                tracing::warn!(%error, "presence cannot be read");
                return None;
            }
        }
    }
    Some(all)
}
