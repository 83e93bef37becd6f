//! Query strings, read strictly.

use std::{borrow::Cow, convert::Infallible};

use axum::extract::FromRequestParts;
use http::request::Parts;
use verbatim_schemas::{
    Code, Problem,
    routes::{Param, Route},
};

/// Most parameters of one query string; above the hundred that any route takes.
const MOST: usize = 128;

/// A query string as it was sent. Which names are allowed was checked when the route was
/// [mounted](crate::Mount).
#[derive(Debug, Clone, Default)]
pub struct Query(String);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = Infallible;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self::new(parts.uri.query().unwrap_or_default()))
    }
}

impl Query {
    /// Takes a raw query string.
    pub fn new(raw: &str) -> Self {
        Self(raw.to_owned())
    }

    /// Refuses parameters that the route does not take (`unknown_field`), and those that are there
    /// twice where one is meant (`invalid`).
    pub fn check(&self, route: &Route) -> Result<(), Problem> {
        let mut seen: Vec<&'static str> = Vec::new();
        for (index, (name, _)) in self.pairs().enumerate() {
            if index == MOST {
                return Err(Problem::invalid("query", "send fewer parameters"));
            }
            let name = name?;
            let Some(Param { name, repeated, .. }) = route.query_param(&name) else {
                return Err(Problem::new(Code::UnknownField).field(shorten(&name)));
            };
            if !repeated && seen.contains(name) {
                return Err(Problem::invalid(*name, "send it once"));
            }
            seen.push(name);
        }
        Ok(())
    }

    /// The value of a parameter that is there at most once.
    pub fn one(&self, name: &'static str) -> Result<Option<String>, Problem> {
        let mut values = self.all(name)?.into_iter();
        match (values.next(), values.next()) {
            (value, None) => Ok(value),
            _ => Err(Problem::invalid(name, "send it once")),
        }
    }

    /// The values of a parameter, in order.
    pub fn all(&self, name: &'static str) -> Result<Vec<String>, Problem> {
        let mut values = Vec::new();
        for (key, value) in self.pairs().take(MOST) {
            if key? == name {
                let value = decode(value).ok_or_else(|| not_utf8(name))?;
                values.push(value.into_owned());
            }
        }
        Ok(values)
    }

    /// The parts between ampersands: decoded names, raw values.
    fn pairs(&self) -> impl Iterator<Item = (Result<Cow<'_, str>, Problem>, &str)> {
        self.0.split('&').filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(name).ok_or_else(|| not_utf8("query")), value)
        })
    }
}

fn not_utf8(field: &'static str) -> Problem {
    Problem::invalid(field, "must be percent-encoded UTF-8")
}

/// What an error message repeats of a name that nobody knows.
fn shorten(name: &str) -> String {
    name.chars().take(64).collect()
}

/// Undoes `application/x-www-form-urlencoded`; none where it is broken or not UTF-8.
fn decode(raw: &str) -> Option<Cow<'_, str>> {
    if !raw.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
        return Some(raw.into());
    }
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let value = digit()? << 4 | digit()?;
                u8::try_from(value).ok()?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use verbatim_schemas::routes;

    use super::*;

    fn refused(raw: &str, route: &Route) -> (Code, String) {
        let problem = Query::new(raw).check(route).unwrap_err();
        (problem.code, problem.field.unwrap().into_owned())
    }

    #[test]
    fn only_the_routes_own_parameters_are_taken() {
        let route = &routes::LIST_MESSAGES;
        for raw in ["", "&", "limit=1", "limit=1&before=2", "%6cimit=3"] {
            assert_eq!(Query::new(raw).check(route), Ok(()), "{raw}");
        }
        assert_eq!(refused("limit=1&cursor=x", route), (Code::UnknownField, "cursor".into()));
        assert_eq!(refused("Limit=1", route), (Code::UnknownField, "Limit".into()));
        assert_eq!(refused("=1", route), (Code::UnknownField, "".into()));
        assert_eq!(refused("limit=1&limit=1", route), (Code::Invalid, "limit".into()));
        assert_eq!(refused("%ff=1", route), (Code::Invalid, "query".into()));
        assert_eq!(refused(&format!("{}=1", "x".repeat(999)), route).1.len(), 64);
    }

    #[test]
    fn what_may_repeat_repeats_within_a_bound() {
        let route = &routes::GET_PRESENCE;
        let query = Query::new("user=a%40b&user=c+d&user=");
        assert_eq!(query.check(route), Ok(()));
        assert_eq!(query.all("user").unwrap(), ["a@b", "c d", ""]);
        assert_eq!(refused(&"user=a&".repeat(129), route).0, Code::Invalid);
    }

    #[test]
    fn broken_encodings_are_refused() {
        for raw in ["before=%", "before=%f", "before=%zz", "before=%ff", "before=%+1"] {
            let problem = Query::new(raw).one("before").unwrap_err();
            assert_eq!(problem.field.as_deref(), Some("before"), "{raw}");
        }
    }
}
