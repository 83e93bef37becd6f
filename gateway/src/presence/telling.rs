//! What watchers are told: who shares a conversation with them is found out, and what is new is sent.

use std::collections::{BTreeSet, HashMap};

use bytes::Bytes;
use verbatim_schemas::{UserId, frames::ServerFrame, rest::Presence};

use super::{
    AT_ONCE, PresenceDesk, State, ask,
    watching::{Sees, Watched},
};
use crate::{
    encode::encode,
    session::{Class, Pushed},
    shared::Shared,
};

impl PresenceDesk {
    /// Puts one `presence` frame for each user into the socket's backlog.
    pub(crate) async fn first_answers(&self, shared: &Shared, watched: Watched) {
        let Watched { number, viewer, users } = watched;
        let names: Vec<UserId> = users.iter().map(|(user, _)| user.clone()).collect();
        let found = find_out(shared, &viewer, &names).await;
        let mut state = self.lock();
        let now = shared.time.elapsed();
        for (user, epoch) in &users {
            let presence = found.as_ref().and_then(|found| found.get(user));
            let known = found.is_some();
            state.answer(number, user, *epoch, known, presence, true, now);
        }
        if found.is_none() {
            state.recheck.insert(number);
        }
    }
}

/// Whoever shares no conversation with the viewer looks like a user who never was.
fn frame(user: &UserId, presence: Option<&Presence>) -> Bytes {
    let hidden = || Presence { user_id: user.clone(), online: false, last_seen: None };
    encode(&ServerFrame::Presence(presence.cloned().unwrap_or_else(hidden)))
}

/// The presence of those users who share a conversation with the viewer, as far as the hub has come;
/// none where that cannot be found out now.
async fn find_out(
    shared: &Shared,
    viewer: &UserId,
    users: &[UserId],
) -> Option<HashMap<UserId, Presence>> {
    let target = shared.hub().position();
    let history = &shared.deps.history;
    history.reach(&target, shared.config.history_wait).await.ok()?;
    let sharing: BTreeSet<UserId> = match history.sharing(viewer, users).await {
        Ok(sharing) => sharing,
        Err(error) => {
            tracing::warn!(%error, "who shares a conversation cannot be read");
            return None;
        }
    };
    let sharing: Vec<UserId> = sharing.into_iter().collect();
    let presence = ask(shared, &sharing).await?;
    Some(sharing.into_iter().zip(presence).collect())
}

/// Finds out anew who shares a conversation, for sockets where that may have changed.
pub(super) async fn recheck(shared: &Shared) {
    let numbers: Vec<u64> = {
        let mut state = shared.presence.lock();
        let numbers: Vec<u64> = state.recheck.iter().copied().take(AT_ONCE).collect();
        numbers.iter().for_each(|number| {
            state.recheck.remove(number);
        });
        numbers
    };
    for (at, number) in numbers.iter().enumerate() {
        let Some((viewer, users)) = shared.presence.lock().of_watcher(*number) else { continue };
        let names: Vec<UserId> = users.iter().map(|(user, _)| user.clone()).collect();
        let Some(found) = find_out(shared, &viewer, &names).await else {
            // History lags: all that is left waits for the next second.
            let left = numbers.get(at..).unwrap_or_default();
            shared.presence.lock().recheck.extend(left);
            return;
        };
        let mut state = shared.presence.lock();
        let now = shared.time.elapsed();
        for (user, epoch) in &users {
            state.answer(*number, user, *epoch, true, found.get(user), false, now);
        }
    }
}

impl State {
    fn of_watcher(&self, number: u64) -> Option<(UserId, Vec<(UserId, u32)>)> {
        let watcher = self.watchers.get(&number)?;
        let epoch = |user: &UserId| {
            let mut watches = self.watches.get(user).into_iter().flatten();
            watches.find(|watch| watch.number == number).map_or(0, |watch| watch.epoch)
        };
        let users = watcher.users.iter().map(|user| (user.clone(), epoch(user))).collect();
        Some((watcher.viewer.clone(), users))
    }
}

/// Tells those who watch users whose presence changed, and may see it.
pub(super) async fn tell_changes(shared: &Shared) {
    let users: Vec<UserId> = {
        let mut state = shared.presence.lock();
        let users: Vec<UserId> = state.changed.iter().take(AT_ONCE).cloned().collect();
        users.iter().for_each(|user| {
            state.changed.remove(user);
        });
        users
    };
    if users.is_empty() {
        return;
    }
    let Some(presence) = ask(shared, &users).await else {
        shared.presence.lock().changed.extend(users);
        return;
    };
    let mut state = shared.presence.lock();
    let now = shared.time.elapsed();
    for presence in &presence {
        state.tell(presence, now);
    }
    if !state.changed.is_empty() {
        shared.presence.work.notify_one();
    }
}

impl State {
    /// Notes what a viewer sees of a user (`known`: whether that was found out; `presence`: none
    /// where they share nothing) and tells the socket what is new; with `first` in any case.
    #[expect(clippy::too_many_arguments, reason = "one fact each")]
    fn answer(
        &mut self,
        number: u64,
        user: &UserId,
        epoch: u32,
        known: bool,
        presence: Option<&Presence>,
        first: bool,
        now: u64,
    ) {
        let Some(session) = self.watchers.get(&number).map(|watcher| &watcher.session) else {
            return;
        };
        let watches = self.watches.get_mut(user).into_iter().flatten();
        let Some(watch) = watches.into_iter().find(|watch| watch.number == number) else { return };
        let counts = known && watch.epoch == epoch;
        let shown = presence.filter(|_| counts);
        if counts {
            watch.sees = if shown.is_some() { Sees::Yes } else { Sees::No };
            if std::mem::take(&mut watch.missed) {
                self.changed.insert(user.clone());
            }
        }
        let online = shown.map(|presence| presence.online);
        // Nothing is news, too: they do not share a conversation any more.
        let news = first || (counts && online != watch.told);
        if news && session.send(frame(user, shown), Class::Ephemeral, now) == Pushed::Dropped {
            // The backlog is full: told in a while.
            self.recheck.insert(number);
        } else if counts || first {
            watch.told = online;
        }
    }

    fn tell(&mut self, presence: &Presence, now: u64) {
        let mut frame_once: Option<Bytes> = None;
        for watch in self.watches.get_mut(&presence.user_id).into_iter().flatten() {
            match watch.sees {
                Sees::Unknown => watch.missed = true,
                Sees::No => {}
                Sees::Yes if watch.told == Some(presence.online) => {}
                Sees::Yes => {
                    let frame = frame_once
                        .get_or_insert_with(|| frame(&presence.user_id, Some(presence)))
                        .clone();
                    let Some(watcher) = self.watchers.get(&watch.number) else { continue };
                    if watcher.session.send(frame, Class::Ephemeral, now) == Pushed::Dropped {
                        self.recheck.insert(watch.number);
                    } else {
                        watch.told = Some(presence.online);
                    }
                }
            }
        }
    }
}
