//! Request bodies, bounded in bytes and time.

use std::time::Duration;

use axum::{
    body::Body,
    extract::{FromRequest, Request},
};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body::Body as _;
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;
use verbatim_schemas::{Code, Problem, strict};

use crate::Refusal;

/// The bounds of a body; another value in a request's extensions replaces the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// Most bytes.
    pub bytes: usize,
    /// Longest time to read all of it.
    pub within: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self { bytes: 256 * 1024, within: Duration::from_secs(10) }
    }
}

/// A JSON body, read as strictly as [`strict::parse`] does.
///
/// Refuses another or no `Content-Type` (415), more than the bound (413, and reading stops there),
/// what takes too long (408), and what ends early (400).
#[derive(Debug)]
pub struct StrictJson<T>(pub T);

impl<T, S> FromRequest<S> for StrictJson<T>
where
    T: DeserializeOwned,
    S: Send + Sync,
{
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        if !is_json(request.headers()) {
            return Err(Code::UnsupportedMediaType.into());
        }
        let bytes = read(request).await?;
        Ok(Self(strict::parse_object(&bytes)?))
    }
}

/// Whether a body is declared as plain JSON.
fn is_json(headers: &HeaderMap) -> bool {
    let mut types = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(declared), None) = (types.next(), types.next()) else { return false };
    let essence = declared.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default();
    let plain = headers
        .get(header::CONTENT_ENCODING)
        .is_none_or(|encoding| encoding.as_bytes().eq_ignore_ascii_case(b"identity"));
    plain && essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// Reads a body within its bounds.
async fn read(request: Request) -> Result<Bytes, Problem> {
    let limits = limits(&request);
    within(limits, async {
        let mut body = request.into_body();
        let mut bytes = BytesMut::new();
        while let Some(data) = next(&mut body, bytes.len(), limits).await? {
            bytes.extend_from_slice(&data);
        }
        Ok(bytes.freeze())
    })
    .await
}

/// Reads and forgets a body that nobody asked for, so that the connection can be used again.
pub(crate) async fn discard(body: Body, limits: BodyLimits) -> Result<(), Problem> {
    within(limits, async {
        let mut body = body;
        let mut seen = 0;
        while let Some(data) = next(&mut body, seen, limits).await? {
            seen += data.len();
        }
        Ok(())
    })
    .await
}

/// The bounds that hold for a request.
pub(crate) fn limits(request: &Request) -> BodyLimits {
    request.extensions().get().copied().unwrap_or_default()
}

async fn within<T>(
    limits: BodyLimits,
    reading: impl Future<Output = Result<T, Problem>>,
) -> Result<T, Problem> {
    tokio::time::timeout(limits.within, reading).await.unwrap_or_else(|_| Err(Code::Timeout.into()))
}

/// The next bytes of a body of which `seen` were read already.
async fn next(body: &mut Body, seen: usize, limits: BodyLimits) -> Result<Option<Bytes>, Problem> {
    let too_large =
        || Problem::new(Code::TooLarge).detail(format!("send at most {} bytes", limits.bytes));
    let room = limits.bytes.saturating_sub(seen);
    // Declared by Content-Length: refused before it is sent.
    if body.size_hint().lower() > room as u64 {
        return Err(too_large());
    }
    loop {
        let Some(frame) = body.frame().await else { return Ok(None) };
        let frame =
            frame.map_err(|_| Problem::new(Code::Malformed).detail("the body ended early"))?;
        match frame.into_data() {
            Ok(data) if data.len() > room => return Err(too_large()),
            Ok(data) => return Ok(Some(data)),
            // Trailers say nothing here.
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use futures_util::{StreamExt, stream};
    use serde_json::Value;

    use super::*;

    async fn take(request: Request) -> Result<Value, Code> {
        let taken = StrictJson::<Value>::from_request(request, &()).await;
        taken.map(|StrictJson(value)| value).map_err(|Refusal(problem)| problem.code)
    }

    fn request(content_type: &str, body: impl Into<Body>) -> Request {
        let builder = Request::builder().header(header::CONTENT_TYPE, content_type);
        builder.body(body.into()).unwrap()
    }

    fn bounded(mut request: Request, bytes: usize) -> Request {
        request.extensions_mut().insert(BodyLimits { bytes, ..BodyLimits::default() });
        request
    }

    fn chunks(chunks: Vec<&'static str>) -> Body {
        Body::from_stream(stream::iter(chunks).map(Ok::<_, Infallible>))
    }

    #[tokio::test]
    async fn json_is_taken_with_parameters() {
        for content_type in ["application/json", "Application/JSON; charset=utf-8"] {
            assert_eq!(take(request(content_type, "{\"a\":1}")).await.unwrap()["a"], 1);
        }
    }

    #[tokio::test]
    async fn what_is_not_json_is_refused() {
        let unsupported = Err(Code::UnsupportedMediaType);
        for content_type in ["text/plain", "application/jsonp", "application/problem+json", ""] {
            assert_eq!(take(request(content_type, "{}")).await, unsupported, "{content_type}");
        }
        assert_eq!(take(Request::new("{}".into())).await, unsupported);
        let mut packed = request("application/json", "{}");
        packed.headers_mut().insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert_eq!(take(packed).await, unsupported);
        for body in ["", "{", "{}{}", "{\"a\":1,\"a\":2}"] {
            assert_eq!(take(request("application/json", body)).await, Err(Code::Malformed));
        }
    }

    #[tokio::test]
    async fn the_bound_holds_with_and_without_a_length() {
        let json = "{\"a\":1}";
        let take_bounded =
            |body: Body, bytes| take(bounded(request("application/json", body), bytes));
        assert!(take_bounded(json.into(), 7).await.is_ok());
        assert_eq!(take_bounded(json.into(), 6).await, Err(Code::TooLarge));
        assert!(take_bounded(chunks(vec!["{\"a\"", ":1}"]), 7).await.is_ok());
        assert_eq!(take_bounded(chunks(vec!["{\"a\"", ":1}"]), 6).await, Err(Code::TooLarge));
        // Reading stops at the bound: this body has no end.
        let endless = Body::from_stream(stream::repeat("    ").map(Ok::<_, Infallible>));
        assert_eq!(take_bounded(endless, 100_000).await, Err(Code::TooLarge));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_takes_too_long_is_refused() {
        let silent = Body::from_stream(stream::pending::<Result<&'static str, Infallible>>());
        assert_eq!(take(request("application/json", silent)).await, Err(Code::Timeout));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_malformed() {
        let broken = stream::iter([Ok("{\"a\""), Err(std::io::Error::other("reset"))]);
        let request = request("application/json", Body::from_stream(broken));
        assert_eq!(take(request).await, Err(Code::Malformed));
    }

    #[tokio::test]
    async fn a_body_that_nobody_asked_for_is_bounded_too() {
        let limits = BodyLimits { bytes: 4, ..BodyLimits::default() };
        assert!(discard(Body::from("{{{{"), limits).await.is_ok());
        let refused = discard(chunks(vec!["{{{", "{{"]), limits).await.unwrap_err();
        assert_eq!(refused.code, Code::TooLarge);
    }
}
