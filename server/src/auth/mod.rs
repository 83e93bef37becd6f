//! Authentication: who a bearer token speaks for.
//!
//! Tokens are JWTs (RFC 7519) signed by a configured issuer. What is deliberately absent: nothing
//! in a token is ever used to find a key but its `kid` among the issuer's configured keys; `jku`,
//! `x5u`, `x5c` and `jwk` headers are not read, and no URL is taken from a claim.

mod authenticator;
mod claims;
mod dev;
mod dev_route;
mod fetch;
mod keys;
mod keystore;
mod refusal;
mod token;
mod verifier;

pub use authenticator::JwtAuthenticator;
pub use dev::{DEV_ISSUER, DevTokens};
pub use dev_route::router as dev_router;
pub use fetch::FetchError;
pub use keys::KeyError;
pub use keystore::KeyStore;
pub use refusal::Refusal;
pub use verifier::Verifier;

#[cfg(test)]
mod testing;
