//! Who watches whom.

use std::{collections::HashSet, sync::Arc};

use verbatim_schemas::{Problem, UserId};

use super::{PresenceDesk, State};
use crate::session::Session;

/// A socket that watches users.
pub(super) struct Watcher {
    pub(super) session: Arc<Session>,
    pub(super) viewer: UserId,
    pub(super) users: HashSet<UserId>,
}

/// One user that a socket watches.
pub(super) struct Watch {
    pub(super) number: u64,
    pub(super) sees: Sees,
    /// Whether the viewer was told that the user is online.
    pub(super) told: Option<bool>,
    /// Counts how often it had to be found out anew; what was asked before that does not count.
    pub(super) epoch: u32,
    /// Whether the user's presence changed before it was known what the viewer sees.
    pub(super) missed: bool,
}

/// Whether viewer and user share a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sees {
    /// It has to be found out; until then nothing is told.
    Unknown,
    Yes,
    No,
}

/// Users that a socket just began to watch, to be answered.
pub(crate) struct Watched {
    pub(super) number: u64,
    pub(super) viewer: UserId,
    pub(super) users: Vec<(UserId, u32)>,
}

impl PresenceDesk {
    /// A socket watches these users from now on.
    pub(crate) fn watch(
        &self,
        session: &Arc<Session>,
        viewer: &UserId,
        mut users: Vec<UserId>,
    ) -> Result<Watched, Problem> {
        let mut seen = HashSet::new();
        users.retain(|user| seen.insert(user.clone()));
        let mut state = self.lock();
        let number = session.number;
        let watched = state.watchers.get(&number).map(|watcher| &watcher.users);
        let new = users.iter().filter(|user| watched.is_none_or(|all| !all.contains(*user)));
        if watched.map_or(0, HashSet::len) + new.count() > self.most {
            let detail = format!("watch at most {} users, and `unwatch` others", self.most);
            return Err(Problem::invalid("users", detail));
        }
        Ok(state.watch(session, viewer, users))
    }

    pub(crate) fn unwatch(&self, number: u64, users: &[UserId]) {
        self.lock().unwatch(number, users);
    }

    /// A socket ended.
    pub(crate) fn forget(&self, number: u64) {
        let mut state = self.lock();
        if let Some(watcher) = state.watchers.get(&number) {
            let users: Vec<UserId> = watcher.users.iter().cloned().collect();
            state.unwatch(number, &users);
        }
    }

    /// Memberships of these users began or ended: who shares a conversation with them has to be
    /// found out anew, and until then nothing is told.
    pub(crate) fn moved(&self, users: &[UserId]) {
        if users.is_empty() {
            return;
        }
        let mut state = self.lock();
        users.iter().for_each(|user| state.moved(user));
        let recheck = !state.recheck.is_empty();
        drop(state);
        if recheck {
            self.work.notify_one();
        }
    }
}

impl State {
    fn watch(&mut self, session: &Arc<Session>, viewer: &UserId, users: Vec<UserId>) -> Watched {
        let number = session.number;
        let watcher = self.watchers.entry(number).or_insert_with(|| Watcher {
            session: session.clone(),
            viewer: viewer.clone(),
            users: HashSet::new(),
        });
        let sockets = self.viewers.entry(viewer.clone()).or_default();
        if !sockets.contains(&number) {
            sockets.push(number);
        }
        let mut answers = Vec::with_capacity(users.len());
        for user in users {
            let watches = self.watches.entry(user.clone()).or_default();
            if watcher.users.insert(user.clone()) {
                let (sees, told) = (Sees::Unknown, None);
                watches.push(Watch { number, sees, told, epoch: 0, missed: false });
            }
            let watch = watches.iter().find(|watch| watch.number == number);
            answers.push((user, watch.map_or(0, |watch| watch.epoch)));
        }
        Watched { number, viewer: viewer.clone(), users: answers }
    }

    fn unwatch(&mut self, number: u64, users: &[UserId]) {
        let Some(watcher) = self.watchers.get_mut(&number) else { return };
        for user in users {
            if watcher.users.remove(user)
                && let Some(watches) = self.watches.get_mut(user)
            {
                watches.retain(|watch| watch.number != number);
                if watches.is_empty() {
                    self.watches.remove(user);
                }
            }
        }
        if watcher.users.is_empty() {
            if let Some(sockets) = self.viewers.get_mut(&watcher.viewer) {
                sockets.retain(|other| *other != number);
                if sockets.is_empty() {
                    self.viewers.remove(&watcher.viewer);
                }
            }
            self.watchers.remove(&number);
            self.recheck.remove(&number);
        }
    }

    fn moved(&mut self, user: &UserId) {
        for watch in self.watches.get_mut(user).into_iter().flatten() {
            watch.forget();
            self.recheck.insert(watch.number);
        }
        for number in self.viewers.get(user).into_iter().flatten() {
            self.recheck.insert(*number);
            let watcher = self.watchers.get(number);
            for watched in watcher.map(|watcher| &watcher.users).into_iter().flatten() {
                let watches = self.watches.get_mut(watched).into_iter().flatten();
                watches.filter(|watch| watch.number == *number).for_each(Watch::forget);
            }
        }
    }

    pub(super) fn note_changed(&mut self, users: Vec<UserId>) {
        let watched = users.into_iter().filter(|user| self.watches.contains_key(user));
        self.changed.extend(watched);
    }

    pub(super) fn note_all_changed(&mut self) {
        self.changed.extend(self.watches.keys().cloned());
    }
}

impl Watch {
    fn forget(&mut self) {
        self.sees = Sees::Unknown;
        self.epoch = self.epoch.wrapping_add(1);
    }
}
