//! Presence.

use std::{
    collections::BTreeSet,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tempfile::TempDir;
use tokio::sync::broadcast;
use uuid::Uuid;
use verbatim_adapters::embedded::{folder::DataFolder, presence::EmbeddedPresence};
use verbatim_ports::{
    StoreError,
    clock::Clock,
    contract::{clock::ManualClock, driver::user, presence::presence_contract},
    presence::{Incarnation, PresenceChanged, PresenceStore},
};
use verbatim_schemas::{Timestamp, UserId, rest::Presence};

const PATIENCE: Duration = Duration::from_secs(60);

fn open(path: &Path, clock: Arc<dyn Clock>) -> EmbeddedPresence {
    let folder = Arc::new(DataFolder::lock(path).unwrap());
    EmbeddedPresence::open(&folder, clock).unwrap()
}

#[tokio::test]
async fn keeps_the_contract() {
    let folder = TempDir::new().unwrap();
    let open = async |clock| {
        let presence: Arc<dyn PresenceStore> = Arc::new(open(folder.path(), clock));
        presence
    };
    presence_contract(open, PATIENCE).await.unwrap();
}

#[tokio::test]
async fn who_was_online_when_the_process_ended_was_seen_then() {
    let folder = TempDir::new().unwrap();
    let clock = Arc::new(ManualClock::default());
    let gateway = Incarnation(Uuid::from_u128(1));
    let presence = open(folder.path(), clock.clone());
    let renew = async || {
        let until = clock.now().plus_millis(15_000);
        presence.lease(gateway, until).await.unwrap();
    };
    renew().await;
    presence.arrive(gateway, &user("ann"), clock.now()).await.unwrap();
    for _ in 0..60 {
        clock.advance(10_000);
        renew().await;
    }
    let end = clock.now();
    // Neither departed nor released.
    drop(presence);
    clock.advance(3_600_000);
    let presence = open(folder.path(), clock.clone());
    let found = presence.presence(&[user("ann")], clock.now()).await.unwrap();
    assert!(!found[0].online);
    let seen = found[0].last_seen.unwrap();
    assert!(seen <= end && end.millis_since(seen) <= 60_000, "{seen} and not {end}");
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    CountsArrivals,
    MovesLastSeenOnARepeat,
    IgnoresTheEndOfLeases,
    ForgetsOtherGateways,
    KeepsWhoWasReleased,
    SaysNothing,
    SaysNothingOfLeasesThatEnded,
    SortsItsAnswers,
    ForgetsOnRestart,
    ShowsLastSeenWhileOnline,
    HasEverybodyOnlineWithoutALease,
}
use Fault::*;

struct Broken {
    inner: EmbeddedPresence,
    fault: Fault,
    arrived: Mutex<BTreeSet<(Incarnation, UserId)>>,
    again: Mutex<BTreeSet<(Incarnation, UserId)>>,
    nothing: broadcast::Sender<PresenceChanged>,
    heard: broadcast::Sender<PresenceChanged>,
}

impl Broken {
    fn gateways(&self) -> BTreeSet<Incarnation> {
        self.arrived.lock().unwrap().iter().map(|(gateway, _)| *gateway).collect()
    }
}

#[async_trait]
impl PresenceStore for Broken {
    async fn lease(&self, gateway: Incarnation, until: Timestamp) -> Result<(), StoreError> {
        self.inner.lease(gateway, until).await
    }

    async fn release(&self, gateway: Incarnation, now: Timestamp) -> Result<(), StoreError> {
        match self.fault {
            KeepsWhoWasReleased => Ok(()),
            _ => self.inner.release(gateway, now).await,
        }
    }

    async fn arrive(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (gateway, user.clone());
        if !self.arrived.lock().unwrap().insert(key.clone()) {
            self.again.lock().unwrap().insert(key);
        }
        let changed = PresenceChanged { users: vec![user.clone()] };
        let _ = self.heard.send(changed);
        if self.fault == HasEverybodyOnlineWithoutALease {
            self.inner.lease(gateway, now.plus_millis(15_000)).await?;
        }
        self.inner.arrive(gateway, user, now).await
    }

    async fn depart(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let key = (gateway, user.clone());
        let _ = self.heard.send(PresenceChanged { users: vec![user.clone()] });
        if self.fault == CountsArrivals && self.again.lock().unwrap().remove(&key) {
            return Ok(());
        }
        if self.fault == ForgetsOtherGateways {
            for other in self.gateways() {
                self.inner.depart(other, user, now).await?;
            }
        }
        let there = self.arrived.lock().unwrap().remove(&key);
        if self.fault == MovesLastSeenOnARepeat && !there {
            self.inner.arrive(gateway, user, now).await?;
        }
        self.inner.depart(gateway, user, now).await
    }

    async fn presence(
        &self,
        users: &[UserId],
        mut now: Timestamp,
    ) -> Result<Vec<Presence>, StoreError> {
        if self.fault == IgnoresTheEndOfLeases {
            now = Timestamp::from_millis(1);
        }
        let mut found = self.inner.presence(users, now).await?;
        if self.fault == SortsItsAnswers {
            found.sort_by(|one, other| one.user_id.cmp(&other.user_id));
        }
        for line in &mut found {
            if self.fault == ShowsLastSeenWhileOnline && line.online {
                line.last_seen = Some(now);
            }
        }
        Ok(found)
    }

    fn changes(&self) -> broadcast::Receiver<PresenceChanged> {
        match self.fault {
            SaysNothing => self.nothing.subscribe(),
            // It tells of what it is told, and of nothing else.
            SaysNothingOfLeasesThatEnded => self.heard.subscribe(),
            _ => self.inner.changes(),
        }
    }
}

#[tokio::test]
async fn the_contract_refuses_broken_stores() {
    for (fault, promise) in [
        (CountsArrivals, "repeats change nothing"),
        (MovesLastSeenOnARepeat, "repeats change nothing"),
        (IgnoresTheEndOfLeases, "a lease that ends"),
        (ForgetsOtherGateways, "two gateways"),
        (KeepsWhoWasReleased, "two gateways"),
        (SaysNothing, "a network that flaps"),
        (SaysNothingOfLeasesThatEnded, "announcements"),
        (SortsItsAnswers, "who never was"),
        (ForgetsOnRestart, "last seen survives"),
        (ShowsLastSeenWhileOnline, "arriving and departing"),
        (HasEverybodyOnlineWithoutALease, "without a lease nobody is online"),
    ] {
        let folder = Mutex::new(TempDir::new().unwrap());
        let open = async |clock| {
            let mut folder = folder.lock().unwrap();
            if fault == ForgetsOnRestart {
                *folder = TempDir::new().unwrap();
            }
            let broken: Arc<dyn PresenceStore> = Arc::new(Broken {
                inner: open(folder.path(), clock),
                fault,
                arrived: Mutex::default(),
                again: Mutex::default(),
                nothing: broadcast::Sender::new(1),
                heard: broadcast::Sender::new(8),
            });
            broken
        };
        // What never comes is waited for as long.
        let patience = match fault {
            SaysNothing | SaysNothingOfLeasesThatEnded => Duration::from_millis(500),
            _ => PATIENCE,
        };
        let breach = presence_contract(open, patience).await.expect_err("the suite passed");
        assert_eq!(breach.promise, promise, "{fault:?}: {}", breach.what);
    }
}
