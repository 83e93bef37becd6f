//! Presence: who has a socket open. Ephemeral, never on a log.
//!
//! A gateway holds one lease and its users under it, so heartbeats cost O(gateways). When a lease
//! ends, its users are offline.

use async_trait::async_trait;
use tokio::sync::broadcast;
use uuid::Uuid;
use verbatim_schemas::{Timestamp, UserId, rest::Presence};

use crate::StoreError;

/// One run of one gateway: a new one with each start, so that a gateway that died never comes back
/// under its old users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Incarnation(pub Uuid);

/// Says that the presence of some users may have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresenceChanged {
    /// Whose.
    pub users: Vec<UserId>,
}

/// Who is online, and when somebody last was.
#[async_trait]
pub trait PresenceStore: Send + Sync {
    /// Opens a gateway's lease or renews it, until `until` (exclusive). A gateway whose lease ended
    /// before it was renewed names its users again: they may have been cleared away.
    async fn lease(&self, gateway: Incarnation, until: Timestamp) -> Result<(), StoreError>;

    /// Ends a gateway's lease at once; its users are offline there.
    async fn release(&self, gateway: Incarnation, now: Timestamp) -> Result<(), StoreError>;

    /// A user has their first socket at this gateway. Idempotent.
    async fn arrive(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// A user has no socket at this gateway any more. Idempotent. Their last seen is `now`.
    async fn depart(
        &self,
        gateway: Incarnation,
        user: &UserId,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// The presence of users, in the given order. Online: under a lease that holds at `now`. Last
    /// seen survives restarts, to the minute: it is written at most once a minute a user.
    async fn presence(&self, users: &[UserId], now: Timestamp)
    -> Result<Vec<Presence>, StoreError>;

    /// Hears of changes at any gateway, leases that ended included (by the next [`lease`] call of
    /// any gateway). A listener that lags has to ask for all that it watches.
    ///
    /// [`lease`]: PresenceStore::lease
    fn changes(&self) -> broadcast::Receiver<PresenceChanged>;
}
