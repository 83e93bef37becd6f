//! Time, randomness and tokens.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use verbatim_ports::{
    auth::{Actor, AuthError, Authenticator},
    clock::{Clock, Entropy},
};
use verbatim_schemas::Timestamp;

/// A clock that stands until it is moved.
pub struct FakeClock(AtomicU64);

impl Default for FakeClock {
    fn default() -> Self {
        Self(AtomicU64::new(1_800_000_000_000))
    }
}

impl FakeClock {
    /// Moves it on.
    pub fn advance(&self, millis: u64) {
        self.0.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// Counts, so that ids of one millisecond grow.
#[derive(Default)]
pub struct FakeEntropy(AtomicU64);

impl Entropy for FakeEntropy {
    fn fill(&self, bytes: &mut [u8]) {
        let next = self.0.fetch_add(1, Ordering::SeqCst).to_be_bytes();
        bytes.fill(0);
        let start = bytes.len().saturating_sub(next.len());
        let room = bytes.len() - start;
        bytes[start..].copy_from_slice(&next[next.len() - room..]);
    }
}

/// A token is its user's id; two of them are none.
pub struct FakeAuth;

#[async_trait]
impl Authenticator for FakeAuth {
    async fn authenticate(&self, token: &str) -> Result<Actor, AuthError> {
        match token {
            "forged" => Err(AuthError::Refused("forged".into())),
            "keys-away" => Err(AuthError::Unavailable("no keys".into())),
            user => Ok(super::actor(user)),
        }
    }
}
