//! A presence store under test.

use std::{sync::Arc, time::Duration};

use uuid::Uuid;
use verbatim_schemas::{Timestamp, UserId, rest::Presence};

use crate::{
    StoreError,
    clock::Clock,
    contract::{
        breach::{Check, ensure},
        clock::ManualClock,
        driver::user,
    },
    presence::{Incarnation, PresenceStore},
};

/// How long a lease holds, in milliseconds.
pub(super) const LEASE_MS: u64 = 15_000;

pub(super) struct Scene {
    pub(super) store: Arc<dyn PresenceStore>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) patience: Duration,
    gateways: u128,
}

impl Scene {
    pub(super) fn new(
        store: Arc<dyn PresenceStore>,
        clock: Arc<ManualClock>,
        patience: Duration,
    ) -> Self {
        Self { store, clock, patience, gateways: 0 }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A gateway that has no lease yet.
    pub(super) fn started(&mut self) -> Incarnation {
        self.gateways += 1;
        Incarnation(Uuid::from_u128(self.gateways))
    }

    /// A gateway with a lease.
    pub(super) async fn gateway(&mut self) -> Result<Incarnation, String> {
        let gateway = self.started();
        self.lease(gateway).await?;
        Ok(gateway)
    }

    pub(super) async fn lease(&self, gateway: Incarnation) -> Check {
        let until = self.now().plus_millis(LEASE_MS);
        said("lease", self.store.lease(gateway, until).await)
    }

    pub(super) async fn release(&self, gateway: Incarnation) -> Check {
        said("release", self.store.release(gateway, self.now()).await)
    }

    pub(super) async fn arrive(&self, gateway: Incarnation, name: &str) -> Check {
        said("arrive", self.store.arrive(gateway, &user(name), self.now()).await)
    }

    pub(super) async fn depart(&self, gateway: Incarnation, name: &str) -> Check {
        said("depart", self.store.depart(gateway, &user(name), self.now()).await)
    }

    pub(super) async fn presence(&self, name: &str) -> Result<Presence, String> {
        let users = [user(name)];
        let found = said("presence", self.store.presence(&users, self.now()).await)?;
        let [found] = found.try_into().map_err(|found| format!("one asked for: {found:?}"))?;
        Ok(found)
    }

    pub(super) async fn is_online(&self, name: &str) -> Check {
        let found = self.presence(name).await?;
        ensure!(found == line(name, true, None), "{name} is {found:?}");
        Ok(())
    }

    pub(super) async fn is_offline_since(&self, name: &str, since: Timestamp) -> Check {
        let found = self.presence(name).await?;
        let expected = line(name, false, Some(since));
        ensure!(found == expected, "{name} is {found:?}, not {expected:?}");
        Ok(())
    }

    /// Offline, and seen last between two times.
    pub(super) async fn is_offline(&self, name: &str, from: Timestamp, to: Timestamp) -> Check {
        let found = self.presence(name).await?;
        let seen = found.last_seen.is_some_and(|seen| from <= seen && seen <= to);
        ensure!(!found.online && seen, "{name} is {found:?}, not last seen in {from} to {to}");
        Ok(())
    }
}

pub(super) fn line(name: &str, online: bool, last_seen: Option<Timestamp>) -> Presence {
    let user_id: UserId = user(name);
    Presence { user_id, online, last_seen }
}

pub(super) fn said<T>(call: &str, answer: Result<T, StoreError>) -> Result<T, String> {
    answer.map_err(|error| format!("{call} failed: {error}"))
}
