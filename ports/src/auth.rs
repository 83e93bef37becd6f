//! Who is asking.

use async_trait::async_trait;
use verbatim_schemas::{DeviceId, Timestamp, UserId};

/// A signed-in user on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// Who.
    pub user: UserId,
    /// On which device.
    pub device: DeviceId,
    /// What they may do beyond being a user.
    pub roles: Roles,
    /// When the token ends.
    pub expires_at: Timestamp,
}

/// Roles beyond being a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Roles {
    /// Handles reports.
    pub moderator: bool,
    /// Reads statistics.
    pub analyst: bool,
    /// Replays and verifies the log.
    pub auditor: bool,
    /// Is the app's own server.
    pub service: bool,
}

/// Why a token was refused. The reason is for the operator's log; a client only learns that it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The token is not valid.
    #[error("token refused: {0}")]
    Refused(String),
    /// The keys cannot be had at the moment.
    #[error("keys not available: {0}")]
    Unavailable(String),
}

/// Verifies tokens.
#[async_trait]
pub trait Authenticator: Send + Sync {
    /// Who a bearer token speaks for. Refuses expired, not yet valid, unsigned and foreign tokens.
    async fn authenticate(&self, token: &str) -> Result<Actor, AuthError>;
}

/// Tickets that open a socket, for browsers, which cannot set headers on one.
#[async_trait]
pub trait Tickets: Send + Sync {
    /// A ticket for `actor`: unguessable, for one use, for 30 s.
    async fn issue(&self, actor: Actor) -> Result<String, crate::StoreError>;
    /// Whom a ticket speaks for; none when it is unknown, was used, or is too old. Of two uses at
    /// once one gets the actor.
    async fn redeem(&self, ticket: &str) -> Result<Option<Actor>, crate::StoreError>;
}
