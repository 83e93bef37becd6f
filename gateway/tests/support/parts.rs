//! Clock, randomness, tokens, tickets and presence.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::sync::broadcast;
use verbatim_ports::{
    StoreError,
    auth::{Actor, AuthError, Authenticator, Roles, Tickets},
    clock::{Clock, Entropy},
    presence::{Incarnation, PresenceChanged, PresenceStore},
};
use verbatim_schemas::{Timestamp, UserId, rest::Presence};

pub struct Parts {
    now: AtomicU64,
    random: AtomicU64,
    tickets: Mutex<HashMap<String, Actor>>,
    presence: Mutex<Online>,
    changes: broadcast::Sender<PresenceChanged>,
}

#[derive(Default)]
struct Online {
    leases: BTreeMap<uuid::Uuid, Timestamp>,
    users: BTreeSet<(uuid::Uuid, UserId)>,
    last_seen: BTreeMap<UserId, Timestamp>,
    /// Every call that announced something.
    calls: Vec<(UserId, bool)>,
}

impl Parts {
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            now: AtomicU64::new(1_800_000_000_000),
            random: AtomicU64::new(1),
            tickets: Mutex::default(),
            presence: Mutex::default(),
            changes: broadcast::channel(64).0,
        })
    }

    pub fn advance(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    /// Who came (true) and went, in order.
    pub fn announced(&self) -> Vec<(UserId, bool)> {
        self.presence.lock().unwrap().calls.clone()
    }

    pub fn has_lease(&self) -> bool {
        !self.presence.lock().unwrap().leases.is_empty()
    }

    fn change(&self, user: &UserId) {
        drop(self.changes.send(PresenceChanged { users: vec![user.clone()] }));
    }
}

impl Clock for Parts {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.now.load(Ordering::SeqCst))
    }
}

impl Entropy for Parts {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let seed = self.random.fetch_add(1, Ordering::SeqCst);
            let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ mixed >> 31).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            chunk.copy_from_slice(&mixed.to_le_bytes()[..chunk.len()]);
        }
    }
}

/// A token is `user`, `user@device` or `user@device@seconds` until it ends; `bad` is refused.
#[async_trait]
impl Authenticator for Parts {
    async fn authenticate(&self, token: &str) -> Result<Actor, AuthError> {
        let mut parts = token.split('@');
        let name = parts.next().unwrap_or_default();
        if name == "bad" {
            return Err(AuthError::Refused("bad".into()));
        }
        if name == "down" {
            return Err(AuthError::Unavailable("down".into()));
        }
        let device = parts.next().unwrap_or("phone");
        let seconds: u64 = parts.next().unwrap_or("3600").parse().unwrap();
        Ok(Actor {
            user: name.parse().map_err(|_| AuthError::Refused("name".into()))?,
            device: device.parse().map_err(|_| AuthError::Refused("device".into()))?,
            roles: Roles::default(),
            expires_at: self.now().plus_millis(seconds * 1_000),
        })
    }
}

#[async_trait]
impl Tickets for Parts {
    async fn issue(&self, actor: Actor) -> Result<String, StoreError> {
        let ticket = format!("ticket-{}", self.random.fetch_add(1, Ordering::SeqCst));
        self.tickets.lock().unwrap().insert(ticket.clone(), actor);
        Ok(ticket)
    }

    async fn redeem(&self, ticket: &str) -> Result<Option<Actor>, StoreError> {
        Ok(self.tickets.lock().unwrap().remove(ticket))
    }
}

#[async_trait]
impl PresenceStore for Parts {
    async fn lease(&self, gateway: Incarnation, until: Timestamp) -> Result<(), StoreError> {
        self.presence.lock().unwrap().leases.insert(gateway.0, until);
        Ok(())
    }

    async fn release(&self, gateway: Incarnation, now: Timestamp) -> Result<(), StoreError> {
        let mut online = self.presence.lock().unwrap();
        online.leases.remove(&gateway.0);
        let gone: Vec<_> =
            online.users.iter().filter(|(at, _)| *at == gateway.0).cloned().collect();
        for (at, user) in gone {
            online.last_seen.insert(user.clone(), now);
            online.users.remove(&(at, user));
        }
        Ok(())
    }

    async fn arrive(
        &self,
        gateway: Incarnation,
        user: &UserId,
        _: Timestamp,
    ) -> Result<(), StoreError> {
        let mut online = self.presence.lock().unwrap();
        online.users.insert((gateway.0, user.clone()));
        online.calls.push((user.clone(), true));
        drop(online);
        self.change(user);
        Ok(())
    }

    async fn depart(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut online = self.presence.lock().unwrap();
        online.users.remove(&(gateway.0, user.clone()));
        online.last_seen.insert(user.clone(), now);
        online.calls.push((user.clone(), false));
        drop(online);
        self.change(user);
        Ok(())
    }

    async fn presence(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> Result<Vec<Presence>, StoreError> {
        let online = self.presence.lock().unwrap();
        let leased = |at: &uuid::Uuid| online.leases.get(at).is_some_and(|until| *until >= now);
        let present =
            |user: &UserId| online.users.iter().any(|(at, other)| other == user && leased(at));
        let presence = users.iter().map(|user| Presence {
            user_id: user.clone(),
            online: present(user),
            last_seen: online.last_seen.get(user).copied().filter(|_| !present(user)),
        });
        Ok(presence.collect())
    }

    fn changes(&self) -> broadcast::Receiver<PresenceChanged> {
        self.changes.subscribe()
    }
}
