//! Numbers with a meaning, so that a seq is never taken for a rev.

use std::{borrow::Cow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

/// The largest integer that every JSON reader holds exactly (2^53 - 1).
pub const MAX_SAFE_INTEGER: u64 = (1 << 53) - 1;

macro_rules! counter {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize)]
        pub struct $name(pub u64);

        impl $name {
            /// None yet.
            pub const ZERO: $name = $name(0);

            /// The one after this.
            pub fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                match u64::deserialize(deserializer)? {
                    number @ 0..=MAX_SAFE_INTEGER => Ok(Self(number)),
                    _ => Err(de::Error::custom("must be an integer from 0 to 2^53 - 1")),
                }
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "integer", "minimum": 0, "maximum": MAX_SAFE_INTEGER,
                })
            }
        }
    };
}

counter!(
    /// Numbers the messages of a conversation, dense from 1. Receipts and pages of history use it.
    Seq
);
counter!(
    /// Numbers all entries of a conversation, dense from 1. Clients sync, resume and find gaps by it.
    Rev
);

/// Where a record stands on `chat.events`: `[generation, partition, offset]`.
/// Ordered within one partition; across partitions the order means nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(from = "(u32, u32, u64)", into = "(u32, u32, u64)")]
pub struct Src {
    /// Which layout of partitions the record belongs to.
    pub generation: u32,
    /// The partition.
    pub partition: u32,
    /// The record's offset in it, dense from 0.
    pub offset: u64,
}

impl From<(u32, u32, u64)> for Src {
    fn from((generation, partition, offset): (u32, u32, u64)) -> Self {
        Self { generation, partition, offset }
    }
}

impl From<Src> for (u32, u32, u64) {
    fn from(src: Src) -> Self {
        (src.generation, src.partition, src.offset)
    }
}

impl fmt::Debug for Src {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.generation, self.partition, self.offset)
    }
}
