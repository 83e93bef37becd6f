//! Ids. Each type can only hold a valid id, so that whoever has one need not check it.

use std::{borrow::Cow, fmt, str::FromStr, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

use crate::{bounds, time::Timestamp};

/// Why a text is not an id; says what is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct InvalidId(pub &'static str);

macro_rules! string_id {
    ($(#[$doc:meta])* $name:ident, $max:expr, $says:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let fits = (1..=$max).contains(&text.len()) && text.bytes().all(is_id_byte);
                if fits { Ok(Self(text.into())) } else { Err(InvalidId($says)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "minLength": 1, "maxLength": $max, "description": $says,
                    "pattern": r"^[!$&'()*+.0-;=@-\[\]-~-]+$",
                })
            }
        }
    };
}

string_id!(
    /// A user, as the embedding app names them. A user exists when first named.
    UserId,
    bounds::USER_ID_BYTES,
    "must be 1 to 128 bytes of printable ASCII without space and / ? # % \" \\ , < >"
);
string_id!(
    /// One device of a user, as the token names it.
    DeviceId,
    bounds::DEVICE_ID_BYTES,
    "must be 1 to 64 bytes of printable ASCII without space and / ? # % \" \\ , < >"
);

impl Default for DeviceId {
    fn default() -> Self {
        Self("default".into())
    }
}

fn is_id_byte(byte: u8) -> bool {
    byte.is_ascii_graphic() && !br#"/?#%"\,<>"#.contains(&byte)
}

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $versions:pat, $digits:literal, $says:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Uuid);

        impl $name {
            /// Takes a UUID of an allowed version.
            pub fn new(id: Uuid) -> Result<Self, InvalidId> {
                match (id.get_version_num(), id.get_variant()) {
                    ($versions, uuid::Variant::RFC4122) => Ok(Self(id)),
                    _ => Err(InvalidId($says)),
                }
            }

            /// The UUID.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                // Only the hyphenated lower-case form: one id has one spelling, on the log too.
                let id = Uuid::try_parse(text).map_err(|_| InvalidId($says))?;
                let mut buffer = Uuid::encode_buffer();
                let canonical = id.hyphenated().encode_lower(&mut buffer);
                if canonical == text { Self::new(id) } else { Err(InvalidId($says)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Cow::<str>::deserialize(deserializer)?.parse().map_err(de::Error::custom)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut buffer = Uuid::encode_buffer();
                serializer.serialize_str(self.0.hyphenated().encode_lower(&mut buffer))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string", "format": "uuid", "description": $says,
                    "pattern": concat!(
                        "^[0-9a-f]{8}-[0-9a-f]{4}-", $digits, "[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
                    ),
                })
            }
        }
    };
}

uuid_id!(
    /// A conversation: made by the client (UUIDv7) for groups and channels, computed from the two
    /// users (UUIDv8) for a direct conversation.
    ConversationId,
    7 | 8,
    "[78]",
    "must be a lower-case hyphenated UUID of version 7 (8 for direct conversations)"
);
uuid_id!(
    /// A command, made by the client so that it can be repeated safely; of a message it is the
    /// message's id.
    CommandId,
    7,
    "7",
    "must be a lower-case hyphenated UUID of version 7"
);

impl ConversationId {
    /// The conversation of two users, the same whoever asks: BLAKE3 of "direct" and the
    /// length-prefixed pair in byte order, as a UUIDv8 (RFC 9562, section 5.8).
    pub fn direct(one: &UserId, other: &UserId) -> Self {
        let (first, second) = if one <= other { (one, other) } else { (other, one) };
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"direct");
        for user in [first, second] {
            hasher.update(&(user.as_str().len() as u64).to_le_bytes());
            hasher.update(user.as_str().as_bytes());
        }
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// Whether this is an id that only the server computes, for a direct conversation.
    pub fn is_direct(self) -> bool {
        self.0.get_version_num() == 8
    }
}

impl CommandId {
    /// Below every id.
    pub const MIN: CommandId = CommandId(Uuid::nil());
    /// Above every id.
    pub const MAX: CommandId = CommandId(Uuid::max());

    /// When the id was made, by its maker's clock (RFC 9562, section 5.7).
    pub fn time(self) -> Timestamp {
        let bytes = self.0.as_bytes();
        let millis = bytes[..6].iter().fold(0, |millis, byte| millis << 8 | u64::from(*byte));
        Timestamp::from_millis(millis)
    }

    /// Whether the id lies too far ahead of a time in the log, by
    /// [`ID_FUTURE_MS`](crate::bounds::ID_FUTURE_MS).
    pub fn is_future(self, at: Timestamp) -> bool {
        self.time().millis_since(at) > crate::bounds::ID_FUTURE_MS
    }
}

#[cfg(test)]
mod tests;
