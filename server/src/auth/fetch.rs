//! Reading a JWK set from a file or a configured URL, bounded in size and time.

use std::path::Path;
use std::time::Duration;

use super::keys::{KeyError, KeySet};
use crate::config::{Algorithm, KeySource};

/// The largest JWK set.
pub const JWKS_MAX_BYTES: usize = 1024 * 1024;

/// The longest time to fetch one.
pub const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a JWK set could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The file cannot be read.
    #[error("the file cannot be read")]
    File(#[source] std::io::Error),
    /// The URL cannot be reached in time.
    #[error("the URL cannot be fetched")]
    Url(#[source] reqwest::Error),
    /// Another status than 200; redirects are not followed.
    #[error("the URL answered {0}, not 200")]
    Status(u16),
    /// Larger than the bound, 1 MiB.
    #[error("the JWK set is larger than {JWKS_MAX_BYTES} bytes")]
    TooLarge,
    /// Not a usable set.
    #[error("the JWK set is of no use")]
    Keys(#[source] KeyError),
}

/// A client that follows no redirect and keeps to [`FETCH_TIMEOUT`].
pub fn client(url: &reqwest::Url) -> Result<reqwest::Client, FetchError> {
    let builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(FETCH_TIMEOUT)
        .pool_max_idle_per_host(0)
        .user_agent(concat!("verbatim/", env!("CARGO_PKG_VERSION")));
    // A plain URL is on this machine: no proxy can reach it.
    let builder = if url.scheme() == "http" { builder.no_proxy() } else { builder };
    builder.build().map_err(FetchError::Url)
}

/// Reads the keys of a source.
pub async fn read(
    source: &KeySource,
    client: Option<&reqwest::Client>,
    allowed: &[Algorithm],
) -> Result<KeySet, FetchError> {
    let json = match (source, client) {
        (KeySource::Secret(secret), _) => return Ok(KeySet::from_secret(secret)),
        (KeySource::File(path), _) => read_file(path).await?,
        (KeySource::Url(url), Some(client)) => read_url(url, client).await?,
        (KeySource::Url(url), None) => read_url(url, &self::client(url)?).await?,
    };
    KeySet::from_jwks(&json, allowed).map_err(FetchError::Keys)
}

async fn read_file(path: &Path) -> Result<Vec<u8>, FetchError> {
    use tokio::io::AsyncReadExt;
    let file = tokio::fs::File::open(path).await.map_err(FetchError::File)?;
    let mut bytes = Vec::new();
    let limit = JWKS_MAX_BYTES as u64 + 1;
    file.take(limit).read_to_end(&mut bytes).await.map_err(FetchError::File)?;
    if bytes.len() > JWKS_MAX_BYTES { Err(FetchError::TooLarge) } else { Ok(bytes) }
}

async fn read_url(url: &reqwest::Url, client: &reqwest::Client) -> Result<Vec<u8>, FetchError> {
    let mut answer = client.get(url.clone()).send().await.map_err(FetchError::Url)?;
    if answer.status() != reqwest::StatusCode::OK {
        return Err(FetchError::Status(answer.status().as_u16()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(FetchError::Url)? {
        if bytes.len() + chunk.len() > JWKS_MAX_BYTES {
            return Err(FetchError::TooLarge);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
