//! Who signs in, who is online, and what time it is.

use async_trait::async_trait;
use tokio::sync::broadcast;
use verbatim_ports::{
    StoreError,
    auth::{Actor, AuthError, Authenticator, Roles},
    clock::Clock,
    presence::{Incarnation, PresenceChanged, PresenceStore},
};
use verbatim_schemas::{DeviceId, Timestamp, UserId, rest::Presence};

pub(super) struct People;

#[async_trait]
impl Authenticator for People {
    /// A token is its user's name.
    async fn authenticate(&self, token: &str) -> Result<Actor, AuthError> {
        if token == "unavailable" {
            return Err(AuthError::Unavailable("no keys".into()));
        }
        let user = token.parse().map_err(|_| AuthError::Refused("no user".into()))?;
        let (device, roles) = (DeviceId::default(), Roles::default());
        Ok(Actor { user, device, roles, expires_at: Timestamp::MAX })
    }
}

impl Clock for People {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_000_000)
    }
}

#[async_trait]
impl PresenceStore for People {
    async fn lease(&self, _: Incarnation, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
    async fn release(&self, _: Incarnation, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
    async fn arrive(&self, _: Incarnation, _: &UserId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
    async fn depart(&self, _: Incarnation, _: &UserId, _: Timestamp) -> Result<(), StoreError> {
        Ok(())
    }
    /// Bob is online; everybody else was, once.
    async fn presence(
        &self,
        users: &[UserId],
        now: Timestamp,
    ) -> Result<Vec<Presence>, StoreError> {
        Ok(users
            .iter()
            .map(|user| {
                let online = user.as_str() == "bob";
                Presence { user_id: user.clone(), online, last_seen: (!online).then_some(now) }
            })
            .collect())
    }
    fn changes(&self) -> broadcast::Receiver<PresenceChanged> {
        broadcast::channel(1).1
    }
}
