//! JSON as clients must send it: UTF-8, one value, no duplicate key, no unknown field, bounded depth.

use std::{collections::HashSet, fmt};

use serde::{
    Deserialize,
    de::{DeserializeOwned, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use crate::{
    bounds,
    error::{Code, Problem},
};

/// Parses what a client sent, or says what is wrong with it: `malformed`, `unknown_field`, or
/// `invalid` with the field's path.
pub fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Problem::new(Code::Malformed).detail("send UTF-8"))?;
    check(text)?;
    let mut deserializer = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let message = without_place(&error.inner().to_string());
        if let Some(name) = quoted_after(&message, "unknown field `") {
            let field =
                if path == "." || path.ends_with(&name) { path } else { format!("{path}.{name}") };
            let field = if field == "." { name } else { field };
            return Problem::new(Code::UnknownField).field(field);
        }
        if let Some(name) = quoted_after(&message, "missing field `") {
            let field = if path == "." { name } else { format!("{path}.{name}") };
            return Problem::new(Code::Invalid).detail("this field is required").field(field);
        }
        let field = if path == "." { "body".to_owned() } else { path };
        Problem::new(Code::Invalid).detail(message).field(field)
    })
}

/// Refuses what is no JSON, nested too deep, or names a key twice in one object.
fn check(text: &str) -> Result<(), Problem> {
    if depth(text.as_bytes()) > bounds::JSON_DEPTH {
        return Err(Problem::new(Code::Malformed).detail("nest JSON at most 32 deep"));
    }
    let mut deserializer = serde_json::Deserializer::from_str(text);
    NoDuplicates
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .map_err(|error| Problem::new(Code::Malformed).detail(error.to_string()))
}

/// How deep the brackets of a JSON text nest; meaningful for valid JSON only.
pub(crate) fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0usize, 0usize, false, false);
    for byte in json {
        match (in_string, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (_, b'"') => in_string = !in_string,
            (false, b'{' | b'[') => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            (false, b'}' | b']') => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The same JSON without white space between its tokens.
pub(crate) fn compact(json: &str) -> String {
    let (mut in_string, mut escaped) = (false, false);
    json.chars()
        .filter(|c| {
            if in_string {
                match c {
                    _ if escaped => escaped = false,
                    '\\' => escaped = true,
                    '"' => in_string = false,
                    _ => {}
                }
                return true;
            }
            in_string = *c == '"';
            !matches!(c, ' ' | '\n' | '\r' | '\t')
        })
        .collect()
}

fn quoted_after(message: &str, before: &str) -> Option<String> {
    let rest = message.strip_prefix(before)?;
    Some(rest[..rest.find('`')?].to_owned())
}

/// serde_json ends its messages in " at line 1 column 7", which helps nobody who sent one line.
fn without_place(message: &str) -> String {
    message.rfind(" at line ").map_or(message, |end| &message[..end]).to_owned()
}

/// Walks any JSON value and refuses an object that names a key twice.
struct NoDuplicates;

impl<'de> DeserializeSeed<'de> for NoDuplicates {
    type Value = ();
    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for NoDuplicates {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            if !seen.insert(key) {
                return Err(serde::de::Error::custom("an object names a key twice"));
            }
            map.next_value_seed(NoDuplicates)?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(NoDuplicates)?.is_some() {}
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }
    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }
    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }
    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }
    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }
}

/// Reads one field of a JSON object and ignores the rest; for finding out what a frame is.
pub fn peek<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text)
        .map_err(|error| Problem::new(Code::Malformed).detail(error.to_string()))
}

/// Whether a text is JSON at all.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}
