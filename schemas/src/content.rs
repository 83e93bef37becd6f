//! What people write: bounded text, names and metadata.

use std::{borrow::Cow, fmt, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::value::RawValue;

use crate::{bounds, strict};

macro_rules! bounded_text {
    ($(#[$doc:meta])* $name:ident, $fits:expr, $says:literal, $schema:tt) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes a text within the bounds; the error says what they are.
            pub fn new(text: &str) -> Result<Self, &'static str> {
                let fits: fn(&str) -> bool = $fits;
                if fits(text) { Ok(Self(text.into())) } else { Err($says) }
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Stands where a body was taken out (the chain is computed over this).
            pub fn erased() -> Self {
                Self("".into())
            }
        }

        impl fmt::Debug for $name {
            // What people wrote never reaches a log.
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "<{} bytes>", self.0.len())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(&Cow::<str>::deserialize(deserializer)?).map_err(de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!($schema)
            }
        }
    };
}

bounded_text!(
    /// The text of a message: 1 to 16,384 bytes of UTF-8 without NUL.
    Text,
    |text| (1..=bounds::TEXT_BYTES).contains(&text.len()) && !text.contains('\0'),
    "must be 1 to 16384 bytes of UTF-8 without NUL",
    {"type": "string", "minLength": 1, "description": "1 to 16,384 bytes of UTF-8 without NUL"}
);
bounded_text!(
    /// The name of a group or channel: 1 to 128 characters without control characters.
    Name,
    |name| (1..=bounds::NAME_CHARS).contains(&name.chars().count())
        && !name.chars().any(char::is_control),
    "must be 1 to 128 characters without control characters",
    {"type": "string", "minLength": 1, "maxLength": 128}
);

/// What an app attaches to a message: a JSON object of at most 4 KiB in compact form, nested at most
/// 8 deep. Kept byte for byte (white space aside), so that no number is rounded on its way.
#[derive(Clone, PartialEq, Eq)]
pub struct Metadata(Arc<str>);

impl Metadata {
    /// The object as compact JSON.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Takes any text; the error says what is allowed.
    pub fn new(json: &str) -> Result<Self, &'static str> {
        if strict::is_json(json) { Self::of_json(json) } else { Err(METADATA_SAYS) }
    }

    /// Takes a text that is known to be JSON.
    fn of_json(json: &str) -> Result<Self, &'static str> {
        let compact = strict::compact(json);
        let is_object = compact.starts_with('{');
        let deep = strict::depth(compact.as_bytes()) > bounds::METADATA_DEPTH;
        if !is_object || deep || compact.len() > bounds::METADATA_BYTES {
            return Err(METADATA_SAYS);
        }
        Ok(Self(compact.into()))
    }
}

const METADATA_SAYS: &str =
    "must be a JSON object of at most 4096 bytes in compact form, nested at most 8 deep";

impl fmt::Debug for Metadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl Serialize for Metadata {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Metadata {
    /// Works only where the JSON text is at hand: never inside a flattened or internally tagged type.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::of_json(raw.get()).map_err(de::Error::custom)
    }
}

impl schemars::JsonSchema for Metadata {
    fn schema_name() -> Cow<'static, str> {
        "Metadata".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "object",
            "description": "at most 4 KiB as compact JSON, nested at most 8 deep",
        })
    }
}

#[cfg(test)]
mod tests;
