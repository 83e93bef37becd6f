//! JSON as clients must send it: UTF-8, one value, no duplicate key, no unknown field, bounded depth.

use std::{borrow::Cow, collections::HashSet};

use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use crate::{
    bounds,
    error::{Code, Problem},
};

/// As [`parse`], of an object: the parser itself would take a list of the fields' values, too.
pub fn parse_object<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let object = bytes.trim_ascii_start().first().is_none_or(|first| *first == b'{');
    if object {
        return parse(bytes);
    }
    parse::<IgnoredAny>(bytes)?;
    Err(Problem::invalid("body", "must be an object"))
}

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
        Problem::new(Code::Invalid).detail(in_words(&message)).field(field)
    })
}

/// What a value must be, where the parser only says what it is not.
fn in_words(message: &str) -> String {
    let parsers = ["invalid type: ", "invalid value: ", "unknown variant "]
        .iter()
        .any(|p| message.starts_with(p));
    let Some((_, expected)) = message.rsplit_once(", expected ").filter(|_| parsers) else {
        return message.to_owned();
    };
    let expected = match expected {
        "u64" => "a whole number from 0 to 9007199254740991",
        "u32" => "a whole number from 0 to 4294967295",
        "a sequence" => "a list",
        other => other.strip_prefix("struct ").map_or(other, |_| "an object"),
    };
    format!("must be {expected}")
}

/// Refuses what is no JSON, nested too deep, or names a key twice in one object.
fn check(text: &str) -> Result<(), Problem> {
    if depth(text.as_bytes()) > bounds::JSON_DEPTH {
        return Err(Problem::new(Code::Malformed).detail("nest JSON at most 32 deep"));
    }
    // Numbers are not looked into: what is none of our fields keeps numbers that no float holds.
    if text.trim_ascii().is_empty() {
        return Err(Problem::new(Code::Malformed).detail("send a JSON object; nothing was sent"));
    }
    serde_json::from_str::<IgnoredAny>(text).map_err(|error| {
        Problem::new(Code::Malformed).detail(format!("send one JSON value; this is none: {error}"))
    })?;
    check_strings(text).map_err(|says| Problem::new(Code::Malformed).detail(says))
}

/// Refuses valid JSON whose strings are no Unicode, or in which an object names a key twice.
fn check_strings(json: &str) -> Result<(), &'static str> {
    // Per open bracket the keys so far; none in an array.
    let mut open: Vec<Option<HashSet<Cow<'_, str>>>> = Vec::new();
    let mut at_key = false;
    let mut rest = json;
    while let Some(byte) = rest.bytes().next() {
        if byte == b'"' {
            let (string, after) = split_string(rest);
            rest = after;
            let string = unescape(string).ok_or("a string holds half a surrogate pair")?;
            if at_key && let Some(Some(keys)) = open.last_mut() {
                at_key = false;
                if !keys.insert(string) {
                    return Err("an object names a key twice");
                }
            }
            continue;
        }
        match byte {
            b'{' => open.push(Some(HashSet::new())),
            b'[' => open.push(None),
            b'}' | b']' => drop(open.pop()),
            _ => {}
        }
        if matches!(byte, b'{' | b'[' | b',') {
            at_key = matches!(open.last(), Some(Some(_)));
        }
        let width = rest.chars().next().map_or(1, char::len_utf8);
        rest = &rest[width..];
    }
    Ok(())
}

/// Splits after the string (with its quotes) that a valid JSON text begins with.
fn split_string(json: &str) -> (&str, &str) {
    let mut escaped = false;
    let end = json.bytes().skip(1).position(|byte| {
        let ends = !escaped && byte == b'"';
        escaped = !escaped && byte == b'\\';
        ends
    });
    json.split_at(end.map_or(json.len(), |end| end + 2))
}

/// What a string (with its quotes) says; none where it escapes half a surrogate pair.
fn unescape(string: &str) -> Option<Cow<'_, str>> {
    if string.contains('\\') {
        return serde_json::from_str(string).ok().map(Cow::Owned);
    }
    Some(Cow::Borrowed(string.trim_matches('"')))
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

/// Reads one field of a JSON object and ignores the rest; for finding out what a frame is.
pub fn peek<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Problem> {
    serde_json::from_str(text)
        .map_err(|error| Problem::new(Code::Malformed).detail(error.to_string()))
}

/// Whether a text is JSON at all.
pub fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

#[cfg(test)]
mod tests;
