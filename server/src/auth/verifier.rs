//! Verifying tokens.

use std::sync::Arc;
use std::time::Duration;

use verbatim_ports::auth::Actor;
use verbatim_schemas::Timestamp;

use super::claims::Claims;
use super::fetch::FetchError;
use super::keystore::KeyStore;
use super::refusal::Refusal;
use super::token::Parts;
use crate::config::{Algorithm, AuthSettings, IssuerSettings};

struct Issuer {
    name: Option<String>,
    audience: Vec<String>,
    algorithms: Vec<Algorithm>,
    keys: Arc<KeyStore>,
}

/// Verifies tokens of the configured issuers.
pub struct Verifier {
    issuers: Vec<Issuer>,
    leeway: Duration,
    token_limit: usize,
    refresh: Duration,
}

impl Verifier {
    /// Builds a verifier; no key is read yet.
    pub fn new(issuers: &[IssuerSettings], auth: &AuthSettings) -> Result<Self, FetchError> {
        let build = |issuer: &IssuerSettings| {
            let (source, algorithms) = (issuer.keys.clone(), issuer.algorithms.clone());
            let keys = Arc::new(KeyStore::new(source, algorithms, auth.jwks_cooldown)?);
            Ok(Issuer {
                name: issuer.issuer.clone(),
                audience: issuer.audience.clone(),
                algorithms: issuer.algorithms.clone(),
                keys,
            })
        };
        Ok(Self {
            issuers: issuers.iter().map(build).collect::<Result<_, FetchError>>()?,
            leeway: auth.leeway,
            token_limit: auth.token_limit,
            refresh: auth.jwks_refresh,
        })
    }

    /// Reads all keys once. A file that cannot be read is an error; a URL may be away for now.
    pub async fn load(&self) -> Result<(), (String, FetchError)> {
        for issuer in &self.issuers {
            let keys = &issuer.keys;
            match keys.load().await {
                Ok(()) => {}
                Err(error) if keys.is_remote() => {
                    let error = anyhow::Error::new(error);
                    tracing::warn!(keys = keys.place(), "no keys yet, trying again: {error:#}");
                }
                Err(error) => return Err((keys.place(), error)),
            }
        }
        Ok(())
    }

    /// Starts one task an issuer that keeps its keys fresh; they end when the set is dropped.
    pub fn keep_fresh(&self) -> tokio::task::JoinSet<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for issuer in self.issuers.iter().filter(|issuer| issuer.keys.can_change()) {
            let (keys, refresh) = (Arc::clone(&issuer.keys), self.refresh);
            tasks.spawn(async move { keys.keep_fresh(refresh).await });
        }
        tasks
    }

    /// Whether every issuer has keys.
    pub fn is_ready(&self) -> bool {
        self.issuers.iter().all(|issuer| issuer.keys.keys().is_some())
    }

    /// Verifies a token at a time: its algorithm and key are the issuer's, the signature is the
    /// key's, and the claims hold. Never panics, whatever the token is.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Actor, Refusal> {
        if token.len() > self.token_limit {
            return Err(Refusal::TooLong);
        }
        let parts = Parts::split(token)?;
        let claims: Claims = parts.claims()?;
        let issuer = self.issuer(claims.issuer()?)?;
        if !issuer.algorithms.contains(&parts.algorithm) {
            return Err(Refusal::Algorithm);
        }
        match check_signature(issuer, &parts) {
            Err(Refusal::UnknownKey) if issuer.keys.read_again(now).await => {
                check_signature(issuer, &parts)?;
            }
            outcome => outcome?,
        }
        claims.check(&issuer.audience, now, self.leeway)
    }

    /// The issuer of this name, else the one that was configured without a name.
    fn issuer(&self, name: Option<&str>) -> Result<&Issuer, Refusal> {
        let named =
            self.issuers.iter().find(|issuer| name.is_some() && issuer.name.as_deref() == name);
        named
            .or_else(|| self.issuers.iter().find(|issuer| issuer.name.is_none()))
            .ok_or(Refusal::Issuer)
    }
}

fn check_signature(issuer: &Issuer, parts: &Parts<'_>) -> Result<(), Refusal> {
    let keys = issuer.keys.keys().ok_or(Refusal::KeysUnavailable)?;
    let key = keys.find(parts.algorithm, parts.key_id.as_deref()).ok_or(Refusal::UnknownKey)?;
    let algorithm = match parts.algorithm {
        Algorithm::Hs256 => jsonwebtoken::Algorithm::HS256,
        Algorithm::Es256 => jsonwebtoken::Algorithm::ES256,
        Algorithm::Rs256 => jsonwebtoken::Algorithm::RS256,
        Algorithm::EdDsa => jsonwebtoken::Algorithm::EdDSA,
    };
    let signed = parts.signed.as_bytes();
    match jsonwebtoken::crypto::verify(parts.signature, signed, key, algorithm) {
        Ok(true) => Ok(()),
        _ => Err(Refusal::Signature),
    }
}

// Issuers hold keys; nothing of them is shown.
impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Verifier({} issuers)", self.issuers.len())
    }
}

#[cfg(test)]
#[path = "verifier_tests.rs"]
mod tests;
