//! Pages: by seq, by rev, or by an opaque cursor.

use axum::extract::FromRequestParts;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use http::request::Parts;
use verbatim_ports::history::MessagePage;
use verbatim_schemas::{Problem, Rev, Seq, bounds, number::MAX_SAFE_INTEGER};

use crate::{Query, Refusal};

/// Longest cursor, in bytes.
const CURSOR_BYTES: usize = 512;

/// A page of messages: `before` or `after`, and `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SeqPaging {
    /// Which way from where.
    pub page: MessagePage,
    /// Most items.
    pub limit: u32,
}

/// A page of entries: `after` and `limit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RevPaging {
    /// Above this.
    pub after: Rev,
    /// Most items.
    pub limit: u32,
}

/// A page of anything else: `cursor` and `limit`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CursorPaging {
    /// What the cursor stands for, as [`cursor`] was given it.
    pub cursor: Option<Vec<u8>>,
    /// Most items.
    pub limit: u32,
}

impl CursorPaging {
    /// What the cursor stands for, read by `read`; a cursor that it cannot read is refused.
    pub fn after<T>(&self, read: impl FnOnce(&[u8]) -> Option<T>) -> Result<Option<T>, Problem> {
        self.cursor.as_deref().map(|bytes| read(bytes).ok_or_else(bad_cursor)).transpose()
    }
}

/// The cursor that stands for some bytes: opaque to clients, URL-safe.
pub fn cursor(bytes: &[u8]) -> verbatim_schemas::rest::Cursor {
    verbatim_schemas::rest::Cursor(URL_SAFE_NO_PAD.encode(bytes))
}

impl TryFrom<&Query> for SeqPaging {
    type Error = Problem;
    fn try_from(query: &Query) -> Result<Self, Problem> {
        let page = match (number(query, "before")?, number(query, "after")?) {
            (Some(_), Some(_)) => {
                return Err(Problem::invalid(
                    "after",
                    "`before` and `after` are not used together",
                ));
            }
            (before, None) => MessagePage::Before(before.map(Seq)),
            (None, Some(after)) => MessagePage::After(Seq(after)),
        };
        Ok(Self { page, limit: limit(query)? })
    }
}

impl TryFrom<&Query> for RevPaging {
    type Error = Problem;
    fn try_from(query: &Query) -> Result<Self, Problem> {
        let after = number(query, "after")?.map_or(Rev::ZERO, Rev);
        Ok(Self { after, limit: limit(query)? })
    }
}

impl TryFrom<&Query> for CursorPaging {
    type Error = Problem;
    fn try_from(query: &Query) -> Result<Self, Problem> {
        let read = |text: String| {
            let fits = text.len() <= CURSOR_BYTES;
            fits.then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten().ok_or_else(bad_cursor)
        };
        let cursor = query.one("cursor")?.map(read).transpose()?;
        Ok(Self { cursor, limit: limit(query)? })
    }
}

macro_rules! from_request {
    ($($paging:ty),*) => {$(
        impl<S: Send + Sync> FromRequestParts<S> for $paging {
            type Rejection = Refusal;
            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
                let Ok(query) = Query::from_request_parts(parts, state).await;
                Ok(Self::try_from(&query)?)
            }
        }
    )*};
}
from_request!(SeqPaging, RevPaging, CursorPaging);

fn bad_cursor() -> Problem {
    Problem::invalid("cursor", "send the `next` of the page before")
}

fn limit(query: &Query) -> Result<u32, Problem> {
    match number(query, "limit")?.map(u32::try_from) {
        None => Ok(bounds::PAGE_DEFAULT),
        Some(Ok(limit @ 1..=bounds::PAGE_MAX)) => Ok(limit),
        Some(_) => Err(Problem::invalid("limit", "must be an integer from 1 to 200")),
    }
}

/// A parameter that is a plain decimal number below 2^53.
fn number(query: &Query, name: &'static str) -> Result<Option<u64>, Problem> {
    let invalid = || Problem::invalid(name, "must be an integer from 0 to 2^53 - 1");
    let read = |text: String| {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let number = digits.then(|| text.parse().ok()).flatten();
        number.filter(|number| *number <= MAX_SAFE_INTEGER).ok_or_else(invalid)
    };
    query.one(name)?.map(read).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by_seq(raw: &str) -> Result<SeqPaging, Problem> {
        SeqPaging::try_from(&Query::new(raw))
    }

    #[test]
    fn pages_by_seq_go_one_way() {
        let paging = |page, limit| Ok(SeqPaging { page, limit });
        assert_eq!(by_seq(""), paging(MessagePage::Before(None), 50));
        assert_eq!(by_seq("before=9&limit=1"), paging(MessagePage::Before(Some(Seq(9))), 1));
        assert_eq!(by_seq("after=0&limit=200"), paging(MessagePage::After(Seq(0)), 200));
        assert_eq!(by_seq("before=1&after=1").unwrap_err().field.as_deref(), Some("after"));
    }

    #[test]
    fn numbers_are_plain_and_bounded() {
        for bad in
            ["", "-1", "+1", "1.0", "0x1", " 1", "a", "9007199254740992", "99999999999999999999"]
        {
            let raw = format!("before={}", bad.replace('+', "%2B"));
            assert_eq!(by_seq(&raw).unwrap_err().field.as_deref(), Some("before"), "{bad}");
        }
        assert!(by_seq("before=9007199254740991").is_ok());
        for bad in ["0", "201", "4294967297", "x"] {
            let problem = by_seq(&format!("limit={bad}")).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("limit"), "{bad}");
        }
    }

    #[test]
    fn pages_by_rev_start_at_the_first() {
        let by_rev = |raw: &str| RevPaging::try_from(&Query::new(raw)).unwrap();
        assert_eq!(by_rev(""), RevPaging { after: Rev(0), limit: 50 });
        assert_eq!(by_rev("after=7&limit=9"), RevPaging { after: Rev(7), limit: 9 });
    }

    #[test]
    fn cursors_come_back_as_they_were_given() {
        let raw = format!("cursor={}", cursor(b"\0user@host").0);
        let paging = CursorPaging::try_from(&Query::new(&raw)).unwrap();
        assert_eq!(paging.after(|bytes| Some(bytes.to_vec())), Ok(Some(b"\0user@host".to_vec())));
        let unreadable = paging.after(|_| None::<()>).unwrap_err();
        assert_eq!(unreadable.field.as_deref(), Some("cursor"));
        for bad in ["!", "====", "a", &"A".repeat(513)] {
            let query = Query::new(&format!("cursor={bad}"));
            let problem = CursorPaging::try_from(&query).unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("cursor"), "{bad}");
        }
    }
}
