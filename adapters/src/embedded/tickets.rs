//! Tickets in memory. A process that ends takes its tickets along; clients fetch new ones.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use verbatim_ports::{
    StoreError,
    auth::{Actor, Tickets},
    clock::{Clock, Entropy},
};
use verbatim_schemas::{Timestamp, UserId};

/// How long a ticket is good for, in milliseconds.
pub const LIFE_MS: u64 = 30_000;
/// How many tickets may be out; beyond that none is issued until one is used or ends.
pub const MOST: usize = 100_000;
/// How many tickets one user may have out; beyond that the user's oldest ends.
pub const MOST_A_USER: usize = 32;

/// Tickets of this process.
pub struct MemoryTickets {
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    most: usize,
    issued: Mutex<Issued>,
}

/// Kept by the ticket's hash, so that how long a look-up takes says nothing of tickets that exist.
type Key = [u8; 32];

#[derive(Default)]
struct Issued {
    tickets: HashMap<Key, Ticket>,
    /// Each user's, oldest first; some may have been used.
    by_user: HashMap<UserId, VecDeque<Key>>,
    /// All, oldest first; some may have been used.
    by_age: VecDeque<(Timestamp, Key)>,
}

struct Ticket {
    actor: Actor,
    issued_at: Timestamp,
}

impl MemoryTickets {
    /// No tickets yet; at most [`MOST`].
    pub fn new(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Self {
        Self::bounded(clock, entropy, MOST)
    }

    /// No tickets yet; at most `most`.
    pub fn bounded(clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, most: usize) -> Self {
        Self { clock, entropy, most, issued: Mutex::default() }
    }

    fn issued(&self) -> MutexGuard<'_, Issued> {
        self.issued.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tickets for MemoryTickets {
    async fn issue(&self, actor: Actor) -> Result<String, StoreError> {
        let mut secret = [0; 32];
        self.entropy.fill(&mut secret);
        let ticket = verbatim_schemas::Digest(secret).to_string();
        let now = self.clock.now();
        let mut issued = self.issued();
        issued.forget_old(now);
        issued.make_room_for(&actor.user);
        if issued.tickets.len() >= self.most {
            return Err(StoreError::Unavailable("too many tickets are out".into()));
        }
        issued.add(key(&ticket), actor, now);
        Ok(ticket)
    }

    async fn redeem(&self, ticket: &str) -> Result<Option<Actor>, StoreError> {
        let now = self.clock.now();
        let taken = self.issued().take(&key(ticket));
        Ok(taken.filter(|ticket| !ticket.is_old(now)).map(|ticket| ticket.actor))
    }
}

fn key(ticket: &str) -> Key {
    *blake3::hash(ticket.as_bytes()).as_bytes()
}

impl Ticket {
    fn is_old(&self, now: Timestamp) -> bool {
        is_old(self.issued_at, now)
    }
}

/// Either way: a clock that jumped back gives no ticket a longer life.
fn is_old(issued_at: Timestamp, now: Timestamp) -> bool {
    now.millis_since(issued_at).max(issued_at.millis_since(now)) >= LIFE_MS
}

impl Issued {
    fn add(&mut self, key: Key, actor: Actor, now: Timestamp) {
        // So that it stays about as long as there are tickets, however fast they are used.
        if self.by_age.len() >= 2 * self.tickets.len() + 64 {
            self.by_age.retain(|(_, key)| self.tickets.contains_key(key));
        }
        self.by_age.push_back((now, key));
        self.by_user.entry(actor.user.clone()).or_default().push_back(key);
        self.tickets.insert(key, Ticket { actor, issued_at: now });
    }

    fn take(&mut self, key: &Key) -> Option<Ticket> {
        let ticket = self.tickets.remove(key)?;
        if let Some(keys) = self.by_user.get_mut(&ticket.actor.user) {
            keys.retain(|other| other != key);
            if keys.is_empty() {
                self.by_user.remove(&ticket.actor.user);
            }
        }
        Some(ticket)
    }

    fn forget_old(&mut self, now: Timestamp) {
        while let Some((issued_at, key)) = self.by_age.front().copied() {
            if !is_old(issued_at, now) {
                return;
            }
            self.by_age.pop_front();
            self.take(&key);
        }
    }

    fn make_room_for(&mut self, user: &UserId) {
        let Some(keys) = self.by_user.get(user) else { return };
        if keys.len() >= MOST_A_USER
            && let Some(oldest) = keys.front().copied()
        {
            self.take(&oldest);
        }
    }
}
