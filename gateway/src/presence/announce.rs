use std::sync::Arc;

use futures_util::{StreamExt, stream};
use tokio::time::MissedTickBehavior;
use verbatim_schemas::{Timestamp, UserId};

use super::{AT_ONCE, State};
use crate::{config::millis, shared::Shared};

/// Calls to the store at once.
const CALLS: usize = 16;

/// A user of this node.
#[derive(Debug, Default)]
pub(super) struct Local {
    here: bool,
    /// Whether the store was told that the user is here.
    announced: bool,
    /// When the last socket went: in the gateway's life, and by the clock.
    gone: Option<(u64, Timestamp)>,
}

/// What the store has to be told of a user.
enum Step {
    Arrive(UserId),
    Depart(UserId, Timestamp),
}

impl State {
    pub(super) fn arrived(&mut self, user: &UserId) {
        let local = self.users.entry(user.clone()).or_default();
        (local.here, local.gone) = (true, None);
        if !local.announced {
            self.unannounced.insert(user.clone());
        }
    }

    pub(super) fn gone(&mut self, user: &UserId, now: u64, at: Timestamp) {
        if let Some(local) = self.users.get_mut(user) {
            (local.here, local.gone) = (false, Some((now, at)));
            self.unannounced.insert(user.clone());
        }
    }

    /// What is due. A user who is away for a moment is not announced at all.
    fn steps(&mut self, now: u64, delay: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        let users = &mut self.users;
        self.unannounced.retain(|user| {
            let Some(local) = users.get(user) else { return false };
            match (local.here, local.announced, local.gone) {
                (true, true, _) => return false,
                (true, false, _) => steps.push(Step::Arrive(user.clone())),
                (false, true, Some((since, at))) if now >= since + delay => {
                    steps.push(Step::Depart(user.clone(), at));
                }
                (false, true, _) => {}
                (false, false, _) => {
                    users.remove(user);
                    return false;
                }
            }
            true
        });
        steps.truncate(AT_ONCE);
        steps
    }

    /// The store was told.
    fn told(&mut self, user: &UserId, announced: bool) {
        if let Some(local) = self.users.get_mut(user) {
            local.announced = announced;
            self.unannounced.insert(user.clone());
        }
    }

    /// The store has forgotten who is here.
    fn forgotten(&mut self) {
        for (user, local) in &mut self.users {
            local.announced = false;
            self.unannounced.insert(user.clone());
        }
    }
}

/// Tells the store who came and went.
pub(super) async fn announce(shared: &Shared) {
    let delay = millis(shared.config.offline_delay);
    // Bounded: a round that tells nothing new ends it, and what fails waits for the next second.
    loop {
        let steps = shared.presence.lock().steps(shared.time.elapsed(), delay);
        let full = steps.len() == AT_ONCE;
        let told = stream::iter(steps)
            .map(|step| tell(shared, step))
            .buffer_unordered(CALLS)
            .collect::<Vec<bool>>()
            .await;
        if !full || !told.contains(&true) {
            // Those that were told are looked at once more, in case they changed meanwhile.
            shared.presence.lock().steps(shared.time.elapsed(), delay);
            return;
        }
    }
}

async fn tell(shared: &Shared, step: Step) -> bool {
    let (store, gateway) = (&shared.deps.presence, shared.incarnation);
    let (user, announced, told) = match step {
        Step::Arrive(user) => {
            let told = store.arrive(gateway, &user, shared.time.wall()).await;
            (user, true, told)
        }
        Step::Depart(user, at) => {
            let told = store.depart(gateway, &user, at).await;
            (user, false, told)
        }
    };
    match told {
        Ok(()) => shared.presence.lock().told(&user, announced),
        Err(error) => {
            tracing::warn!(%error, "presence cannot be written");
            return false;
        }
    }
    true
}

/// Renews the lease, for ever. Where it ended in between the users are announced again.
pub(crate) async fn keep_lease(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.config.lease_interval);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut held = None;
    loop {
        ticks.tick().await;
        if shared.is_draining() {
            // The lease is given up, and stays so.
            return;
        }
        let now = shared.time.wall();
        let until = now.plus_millis(millis(shared.config.lease));
        match shared.deps.presence.lease(shared.incarnation, until).await {
            Ok(()) => {
                if held.is_some_and(|held| held < now) {
                    shared.presence.lock().forgotten();
                    shared.presence.work.notify_one();
                }
                held = Some(until);
            }
            Err(error) => tracing::warn!(%error, "the presence lease cannot be renewed"),
        }
    }
}

/// Gives the lease up: all users of this node are offline here.
pub(crate) async fn release(shared: &Shared) {
    let (gateway, now) = (shared.incarnation, shared.time.wall());
    if let Err(error) = shared.deps.presence.release(gateway, now).await {
        tracing::warn!(%error, "the presence lease ends by itself, since it cannot be given up");
    }
}
