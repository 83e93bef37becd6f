//! The verifier as the port that the services know.

use std::sync::Arc;

use async_trait::async_trait;
use verbatim_ports::auth::{Actor, AuthError, Authenticator};
use verbatim_ports::clock::Clock;

use super::refusal::Refusal;
use super::verifier::Verifier;

/// Verifies tokens at the time that a clock tells.
#[derive(Clone)]
pub struct JwtAuthenticator {
    verifier: Arc<Verifier>,
    clock: Arc<dyn Clock>,
}

impl JwtAuthenticator {
    /// Joins the two.
    pub fn new(verifier: Arc<Verifier>, clock: Arc<dyn Clock>) -> Self {
        Self { verifier, clock }
    }
}

#[async_trait]
impl Authenticator for JwtAuthenticator {
    async fn authenticate(&self, token: &str) -> Result<Actor, AuthError> {
        self.verifier.verify(token, self.clock.now()).await.map_err(|refusal| match refusal {
            Refusal::KeysUnavailable => AuthError::Unavailable(refusal.to_string()),
            _ => AuthError::Refused(refusal.to_string()),
        })
    }
}
