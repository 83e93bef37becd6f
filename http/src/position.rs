//! Read-your-writes: the headers `Verbatim-Position`, `Verbatim-After` and `Verbatim-Wait`.

use std::time::Duration;

use axum::extract::{FromRef, FromRequestParts};
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, request::Parts};
use verbatim_domain::Position;
use verbatim_ports::log::Layout;
use verbatim_schemas::{Code, Problem, bounds};

use crate::Refusal;

/// What an answer includes.
pub const VERBATIM_POSITION: HeaderName = HeaderName::from_static("verbatim-position");
/// What the answer has to include.
pub const VERBATIM_AFTER: HeaderName = HeaderName::from_static("verbatim-after");
/// How long to wait for that, in milliseconds.
pub const VERBATIM_WAIT: HeaderName = HeaderName::from_static("verbatim-wait");

/// Longest header `Verbatim-After`, all lines together, in bytes.
const AFTER_BYTES: usize = 4 * 1024;
/// How long a read waits when the client does not say.
const WAIT_DEFAULT: Duration = Duration::from_millis(2_000);
/// How long a read waits at most, in milliseconds.
const WAIT_MAX_MS: u64 = 10_000;

/// What the answer has to include: all tokens of `Verbatim-After` merged; none when there are none.
/// A token that is none, of another layout of the log, or too many of them are `bad_position`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After(pub Option<Position>);

impl<S> FromRequestParts<S> for After
where
    S: Send + Sync,
    Layout: FromRef<S>,
{
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        Ok(Self::read(&parts.headers, Layout::from_ref(state))?)
    }
}

impl After {
    /// Reads the headers of a request to a log of this layout.
    pub fn read(headers: &HeaderMap, layout: Layout) -> Result<Self, Problem> {
        let bad = || Problem::new(Code::BadPosition);
        let (mut merged, mut tokens, mut bytes) = (None::<Position>, 0, 0);
        for line in headers.get_all(VERBATIM_AFTER) {
            bytes += line.len();
            if bytes > AFTER_BYTES {
                return Err(bad());
            }
            // RFC 9110, section 5.6.1: empty elements of a list do not count.
            let line = line.to_str().map_err(|_| bad())?;
            for token in line.split(',').map(str::trim).filter(|token| !token.is_empty()) {
                tokens += 1;
                if tokens > bounds::POSITION_TOKENS {
                    return Err(bad());
                }
                let position = known(token, layout).ok_or_else(bad)?;
                merged.get_or_insert_default().merge(&position);
            }
        }
        Ok(Self(merged))
    }
}

/// Reads a token, if it is one of this layout. One that names no partition is of every layout: it
/// comes from a log that was still empty.
pub fn known(token: &str, layout: Layout) -> Option<Position> {
    let position = Position::parse(token).ok()?;
    let fits = position.generation == layout.generation
        && position.offsets.keys().all(|partition| *partition < layout.partitions);
    (fits || position.offsets.is_empty()).then_some(position)
}

/// How long to wait for [`After`]: `Verbatim-Wait`, at most 10 s, 2 s when absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wait(pub Duration);

impl<S: Send + Sync> FromRequestParts<S> for Wait {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        Ok(Self::read(&parts.headers)?)
    }
}

impl Wait {
    /// Reads the headers of a request.
    pub fn read(headers: &HeaderMap) -> Result<Self, Problem> {
        let mut lines = headers.get_all(VERBATIM_WAIT).iter();
        let millis = match (lines.next(), lines.next()) {
            (None, _) => return Ok(Self(WAIT_DEFAULT)),
            (Some(line), None) => line.to_str().ok().and_then(decimal),
            _ => None,
        };
        let millis = millis.filter(|millis| *millis <= WAIT_MAX_MS).ok_or_else(|| {
            Problem::invalid("Verbatim-Wait", "must be milliseconds, an integer from 0 to 10000")
        })?;
        Ok(Self(Duration::from_millis(millis)))
    }
}

fn decimal(text: &str) -> Option<u64> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

/// Says in an answer what it includes.
pub fn with_position(mut response: Response, position: &Position) -> Response {
    if let Ok(token) = HeaderValue::from_str(&position.token()) {
        response.headers_mut().insert(VERBATIM_POSITION, token);
    }
    response
}

#[cfg(test)]
mod tests {
    use verbatim_schemas::Src;

    use super::*;

    const LAYOUT: Layout = Layout { generation: 1, partitions: 8 };

    fn at(generation: u32, partition: u32, offset: u64) -> Position {
        Position::at(Src { generation, partition, offset })
    }

    fn after(lines: &[&str]) -> Result<After, Code> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(VERBATIM_AFTER, HeaderValue::from_str(line).unwrap());
        }
        After::read(&headers, LAYOUT).map_err(|problem| problem.code)
    }

    #[test]
    fn tokens_of_all_lines_are_merged() {
        assert_eq!(after(&[]), Ok(After(None)));
        assert_eq!(after(&["", " , "]), Ok(After(None)));
        let (one, two, three) = (at(1, 0, 5), at(1, 0, 9), at(1, 7, 2));
        let mut all = two.clone();
        all.merge(&three);
        let lines = [format!("{}, {},", one.token(), three.token()), two.token()];
        assert_eq!(after(&[&lines[0], &lines[1]]), Ok(After(Some(all))));
    }

    #[test]
    fn forged_foreign_and_too_many_tokens_are_refused() {
        let bad = Err(Code::BadPosition);
        for token in ["x", "AAAA", &at(2, 0, 1).token(), &at(1, 8, 1).token()] {
            assert_eq!(after(&[token]), bad, "{token}");
        }
        let token = at(1, 0, 1).token();
        assert!(after(&vec![token.as_str(); 16]).is_ok());
        assert_eq!(after(&vec![token.as_str(); 17]), bad);
        assert_eq!(after(&[&vec![token.as_str(); 17].join(",")]), bad);
        assert_eq!(after(&[&",".repeat(4_097)]), bad);
    }

    #[test]
    fn the_position_of_an_empty_log_is_never_foreign() {
        let empty = Position::default();
        assert_eq!(after(&[&empty.token()]), Ok(After(Some(empty))));
    }

    #[test]
    fn waits_are_bounded() {
        let wait = |line: &str| {
            let mut headers = HeaderMap::new();
            headers.append(VERBATIM_WAIT, HeaderValue::from_str(line).unwrap());
            Wait::read(&headers).map_err(|problem| problem.field)
        };
        assert_eq!(Wait::read(&HeaderMap::new()), Ok(Wait(Duration::from_secs(2))));
        assert_eq!(wait("0"), Ok(Wait(Duration::ZERO)));
        assert_eq!(wait("10000"), Ok(Wait(Duration::from_secs(10))));
        for bad in ["", "10001", "-1", "+1", "1s", "99999999999999999999999"] {
            assert_eq!(wait(bad), Err(Some("Verbatim-Wait".into())), "{bad}");
        }
    }
}
