//! Who is asking.

use std::{net::IpAddr, sync::Arc};

use axum::extract::{FromRef, FromRequestParts};
use http::{HeaderMap, header, request::Parts};
use tokio::sync::OwnedSemaphorePermit;
use verbatim_ports::auth::{Actor, AuthError, Authenticator};
use verbatim_schemas::{Code, Problem};

use crate::Refusal;

/// The address that a request comes from, in its extensions. Set by whoever accepts connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr(pub IpAddr);

/// A connection's share of the bound on all connections, in the extensions of each request. Whoever
/// upgrades the connection keeps it for as long as the socket lives.
#[derive(Debug, Clone)]
pub struct ConnectionPermit(
    #[expect(dead_code, reason = "held, not read")] Arc<OwnedSemaphorePermit>,
);

impl ConnectionPermit {
    /// Holds a share until the last clone is dropped.
    pub fn new(share: OwnedSemaphorePermit) -> Self {
        Self(Arc::new(share))
    }
}

/// The token of `Authorization: Bearer <token>` (RFC 6750, section 2.1); none when the header is
/// missing, is there twice, or is of another scheme.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut lines = headers.get_all(header::AUTHORIZATION).iter();
    let (line, None) = (lines.next()?, lines.next()) else { return None };
    let (scheme, token) = line.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

/// The signed-in caller. 401 `unauthenticated` without a valid token; 503 `unavailable` while the
/// keys to check one cannot be had.
#[derive(Debug, Clone)]
pub struct Caller(pub Actor);

impl<S> FromRequestParts<S> for Caller
where
    S: Send + Sync,
    Arc<dyn Authenticator>: FromRef<S>,
{
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let token = bearer(&parts.headers).ok_or(Code::Unauthenticated)?;
        let authenticator = Arc::<dyn Authenticator>::from_ref(state);
        authenticator.authenticate(token).await.map(Self).map_err(|error| refused(&error))
    }
}

/// What a client learns of a refused token: that it was refused. Why is for the operator.
pub fn refused(error: &AuthError) -> Refusal {
    match error {
        AuthError::Refused(reason) => {
            tracing::debug!(reason, "a token was refused");
            Code::Unauthenticated.into()
        }
        AuthError::Unavailable(reason) => {
            tracing::warn!(reason, "tokens cannot be checked");
            Problem::new(Code::Unavailable).retry_after_ms(1_000).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(lines: &[&'static str]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(header::AUTHORIZATION, HeaderValue::from_static(line));
        }
        headers
    }

    #[test]
    fn a_token_is_read_from_one_bearer_header() {
        assert_eq!(bearer(&headers(&["Bearer a.b.c"])), Some("a.b.c"));
        assert_eq!(bearer(&headers(&["bearer  a.b.c "])), Some("a.b.c"));
        for none in [&[][..], &["Bearer"], &["Bearer "], &["Basic YTpi"], &["Bearer a", "Bearer b"]]
        {
            assert_eq!(bearer(&headers(none)), None, "{none:?}");
        }
    }

    #[test]
    fn the_reason_of_a_refusal_stays_here() {
        let Refusal(problem) = refused(&AuthError::Refused("expired at noon".into()));
        assert_eq!(problem, Problem::new(Code::Unauthenticated));
        let Refusal(problem) = refused(&AuthError::Unavailable("keys.internal".into()));
        assert_eq!(problem.code, Code::Unavailable);
        assert!(!problem.detail.contains("keys.internal"));
    }
}
