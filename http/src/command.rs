//! What commands take beside their body.

use std::{convert::Infallible, sync::Arc};

use axum::extract::{FromRef, FromRequestParts};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use verbatim_ports::clock::{Clock, Entropy, new_command_id};
use verbatim_schemas::{CommandId, Problem};

use crate::Refusal;

/// Names a command so that it can be repeated safely.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer repeats an earlier one.
pub const VERBATIM_DUPLICATE: HeaderName = HeaderName::from_static("verbatim-duplicate");
const PREFER: HeaderName = HeaderName::from_static("prefer");

/// The command's id: the header `Idempotency-Key`, or a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdempotencyKey(pub CommandId);

impl<S> FromRequestParts<S> for IdempotencyKey
where
    S: Send + Sync,
    Arc<dyn Clock>: FromRef<S>,
    Arc<dyn Entropy>: FromRef<S>,
{
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let make = || {
            let (clock, entropy) =
                (Arc::<dyn Clock>::from_ref(state), Arc::<dyn Entropy>::from_ref(state));
            new_command_id(&*entropy, clock.now())
        };
        Ok(Self(sent_key(&parts.headers)?.unwrap_or_else(make)))
    }
}

/// The key that the client sent, if any.
fn sent_key(headers: &HeaderMap) -> Result<Option<CommandId>, Problem> {
    let mut lines = headers.get_all(IDEMPOTENCY_KEY).iter();
    let id = match (lines.next(), lines.next()) {
        (None, _) => return Ok(None),
        (Some(line), None) => line.to_str().ok().and_then(|text| text.parse().ok()),
        _ => None,
    };
    let says = "must be one lower-case hyphenated UUID of version 7";
    id.map(Some).ok_or_else(|| Problem::invalid("Idempotency-Key", says))
}

/// Whether the client does not want to wait for the ruling: `Prefer: respond-async` (RFC 7240,
/// section 4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RespondAsync(pub bool);

impl<S: Send + Sync> FromRequestParts<S> for RespondAsync {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let lines = parts.headers.get_all(PREFER).iter().filter_map(|line| line.to_str().ok());
        let mut preferences = lines.flat_map(|line| line.split(','));
        Ok(Self(preferences.any(|preference| {
            let name = preference.split(';').next().unwrap_or_default();
            name.trim().eq_ignore_ascii_case("respond-async")
        })))
    }
}

/// Says in an answer that it repeats an earlier one.
pub fn mark_duplicate(mut response: Response) -> Response {
    response.headers_mut().insert(VERBATIM_DUPLICATE, HeaderValue::from_static("true"));
    response
}

#[cfg(test)]
mod tests {
    use verbatim_schemas::Timestamp;

    use super::*;

    struct Fixed;
    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_700_000_000_000)
        }
    }
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    #[derive(Clone)]
    struct State;
    impl FromRef<State> for Arc<dyn Clock> {
        fn from_ref(_: &State) -> Self {
            Arc::new(Fixed)
        }
    }
    impl FromRef<State> for Arc<dyn Entropy> {
        fn from_ref(_: &State) -> Self {
            Arc::new(Fixed)
        }
    }

    fn parts(lines: &[(HeaderName, &str)]) -> Parts {
        let (mut parts, ()) = http::Request::new(()).into_parts();
        for (name, line) in lines {
            parts.headers.append(name, line.parse().unwrap());
        }
        parts
    }

    async fn key(lines: &[&str]) -> Result<IdempotencyKey, Refusal> {
        let lines: Vec<_> = lines.iter().map(|line| (IDEMPOTENCY_KEY, *line)).collect();
        IdempotencyKey::from_request_parts(&mut parts(&lines), &State).await
    }

    #[tokio::test]
    async fn a_key_is_taken_or_made() {
        let sent = "0190a5a0-0000-7000-8000-000000000001";
        assert_eq!(key(&[sent]).await, Ok(IdempotencyKey(sent.parse().unwrap())));
        let IdempotencyKey(made) = key(&[]).await.unwrap();
        assert_eq!(made.time(), Fixed.now());
    }

    #[tokio::test]
    async fn what_is_no_key_is_refused() {
        let sent = "0190a5a0-0000-7000-8000-000000000001";
        let v4 = "0190a5a0-0000-4000-8000-000000000001";
        for lines in
            [&[""][..], &["x"], &[v4], &[sent, sent], &["0190A5A0-0000-7000-8000-000000000001"]]
        {
            let Refusal(problem) = key(lines).await.unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("Idempotency-Key"), "{lines:?}");
        }
    }

    #[tokio::test]
    async fn preferences_are_a_list() {
        for (lines, expected) in [
            (&[][..], false),
            (&["respond-async"], true),
            (&["wait=10, Respond-Async; x=1"], true),
            (&["wait=10", "respond-async"], true),
            (&["respond-asynchronously"], false),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| (PREFER, *line)).collect();
            let Ok(read) = RespondAsync::from_request_parts(&mut parts(&lines), &()).await;
            assert_eq!(read, RespondAsync(expected), "{lines:?}");
        }
    }
}
