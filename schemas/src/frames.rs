//! Frames of the WebSocket, one JSON object a text frame with `type` (api.md section 4).

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    bounds,
    content::{Metadata, Text},
    entry::Entry,
    error::{Code, Problem, Retry},
    ids::{CommandId, ConversationId, DeviceId, UserId},
    number::{Rev, Seq},
    strict,
    time::Timestamp,
};

macro_rules! client_frames {
    ($($(#[$doc:meta])* $frame:ident $name:literal {
        $($(#[$fmeta:meta])* $field:ident: $type:ty,)*
    })*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
            #[serde(deny_unknown_fields)]
            pub struct $frame {
                /// The frame's type.
                #[serde(rename = "type")]
                pub frame_type: Cow<'static, str>,
                /// Echoed in the answer.
                #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
                pub reference: Option<String>,
                $($(#[$fmeta])* pub $field: $type,)*
            }

            impl $frame {
                /// The frame's `type`.
                pub const TYPE: &'static str = $name;
            }
        )*

        /// What a client sends.
        #[derive(Debug, Clone, JsonSchema)]
        #[schemars(untagged)]
        pub enum ClientFrame {
            $(#[doc = $name] $frame($frame),)*
        }

        impl Serialize for ClientFrame {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self { $(Self::$frame(frame) => frame.serialize(serializer),)* }
            }
        }

        impl ClientFrame {
            /// Every `type`.
            pub const TYPES: &[&str] = &[$($name),*];

            /// The schema of every frame, by its `type`.
            pub const SCHEMAS: &[(&str, crate::routes::SchemaOf)] =
                &[$(($name, <$frame as JsonSchema>::json_schema)),*];

            /// Reads a frame of a known type.
            fn parse_as(frame_type: &str, text: &str) -> Option<Result<Self, Problem>> {
                match frame_type {
                    $($name => Some(strict::parse_object(text.as_bytes()).map(Self::$frame)),)*
                    _ => None,
                }
            }

            /// What the answer has to echo.
            pub fn reference(&self) -> Option<&str> {
                match self { $(Self::$frame(frame) => frame.reference.as_deref(),)* }
            }
        }
    };
}

client_frames! {
    /// The first frame, within 5 s of opening the socket, once.
    Hello "hello" {
        /// From `POST /v1/ws/tickets`, when the handshake had no Authorization header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ticket: Option<String>,
        /// The position of an earlier `welcome`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        since: Option<String>,
    }
    /// Sends a message.
    Send "send" {
        /// Where to.
        conversation_id: ConversationId,
        /// The message's id.
        id: CommandId,
        /// What it says.
        text: Text,
        /// What the app attaches.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        metadata: Option<Metadata>,
    }
    /// Asks for entries; one at a time.
    Fetch "fetch" {
        /// Of which conversation.
        conversation_id: ConversationId,
        /// The last rev that the client holds.
        after: Rev,
    }
    /// Moves watermarks; at least one of the two.
    ReceiptUpdate "receipt" {
        /// Where.
        conversation_id: ConversationId,
        /// Everything up to here was received.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivered: Option<Seq>,
        /// Everything up to here was read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<Seq>,
    }
    /// Tells the others that the user is typing; not acknowledged.
    Typing "typing" {
        /// Where.
        conversation_id: ConversationId,
    }
    /// Asks for the presence of users, now and on change; up to 500 in all.
    Watch "watch" {
        /// Whom.
        users: Vec<UserId>,
    }
    /// Ends a `watch`.
    Unwatch "unwatch" {
        /// Whom.
        users: Vec<UserId>,
    }
    /// A channel is on the screen: its entries are wanted; up to 10.
    View "view" {
        /// Which.
        conversation_id: ConversationId,
    }
    /// Ends a `view`.
    Unview "unview" {
        /// Which.
        conversation_id: ConversationId,
    }
    /// A new token of the same user, before the old one ends.
    Renew "renew" {
        /// A JWT.
        token: String,
    }
}

#[derive(Deserialize)]
struct Head<'a> {
    #[serde(rename = "type", default, borrow)]
    frame_type: Option<Cow<'a, str>>,
    #[serde(rename = "ref", default, borrow)]
    reference: Option<Cow<'a, str>>,
}

/// A frame that is not one, and what its answer may echo.
#[derive(Debug)]
pub struct BadFrame {
    /// The frame's `ref`, when it could be read.
    pub reference: Option<String>,
    /// What is wrong; `malformed` when the text is no JSON at all.
    pub problem: Problem,
}

impl ClientFrame {
    /// Reads a text frame.
    pub fn parse(text: &str) -> Result<Self, BadFrame> {
        let bad = |reference: Option<&Cow<'_, str>>, problem| BadFrame {
            reference: reference
                .filter(|reference| reference.len() <= bounds::REF_BYTES)
                .map(|reference| reference.to_string()),
            problem,
        };
        let head: Head<'_> = serde_json::from_str(text).map_err(|error| {
            let problem = if error.classify() == serde_json::error::Category::Data {
                strict::parse::<serde::de::IgnoredAny>(text.as_bytes()).err().unwrap_or_else(|| {
                    Problem::invalid("body", "send an object with `type`, and `ref` a string")
                })
            } else {
                Problem::new(Code::Malformed).detail(error.to_string())
            };
            bad(None, problem)
        })?;
        let reference = head.reference.as_ref();
        if reference.is_some_and(|reference| reference.len() > bounds::REF_BYTES) {
            return Err(bad(None, Problem::invalid("ref", "must be at most 64 bytes")));
        }
        let Some(frame_type) = head.frame_type else {
            return Err(bad(reference, Problem::invalid("type", "this field is required")));
        };
        match Self::parse_as(&frame_type, text) {
            Some(parsed) => parsed.map_err(|problem| bad(reference, problem)),
            None => {
                let known = format!("must be one of {}", Self::TYPES.join(", "));
                Err(bad(reference, Problem::invalid("type", known)))
            }
        }
    }
}

/// What the server sends, save entries, which are encoded once for all sockets.
///
/// Reading one back works only where no message in it has metadata: metadata passes byte for byte,
/// which serde cannot do inside a tagged type.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerFrame {
    /// The socket is open; from here on entries are live.
    Welcome {
        /// Of this socket.
        session_id: String,
        /// Who is signed in.
        user_id: UserId,
        /// On which device.
        device: DeviceId,
        /// To be sent as `since` next time.
        position: String,
        /// Whether the `since` of `hello` was used: then `heads` are what changed after it, and `left`
        /// names what ended after it. Else (none was sent, it is not of this log, or too much was left
        /// since) the heads are all: whatever is neither in them nor in `GET /v1/conversations` is no
        /// longer the user's.
        resumed: bool,
        /// For making ids.
        server_time: Timestamp,
        /// The bounds of this server.
        limits: Limits,
        /// How often the server pings.
        ping_interval_ms: u64,
    },
    /// Where the user's conversations stand.
    Heads {
        /// Latest first.
        items: Vec<HeadItem>,
        /// There are more in `GET /v1/conversations`.
        more: bool,
        /// Some partitions lag; their heads follow.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        behind: bool,
    },
    /// A frame was done.
    Ack(Ack),
    /// A frame was refused.
    Error {
        /// The frame's.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// What went wrong.
        code: Code,
        /// What to do about it.
        detail: String,
        /// Whether to send it again.
        retry: Retry,
        /// The field that is wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        field: Option<String>,
        /// When to try again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
        /// With `stale_id`: what history holds for the id, or null.
        #[serde(
            default,
            skip_serializing_if = "Option::is_none",
            deserialize_with = "null_is_there"
        )]
        message: Option<Option<Box<crate::entry::Message>>>,
    },
    /// Answers `fetch`.
    Entries {
        /// The fetch's.
        #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
        reference: Option<String>,
        /// Where.
        conversation_id: ConversationId,
        /// By rev.
        items: Vec<Entry>,
        /// What to fetch after next; null at the end.
        next: Option<Rev>,
        /// The conversation's last rev.
        head_rev: Rev,
    },
    /// A member's watermarks moved.
    Receipt {
        /// Where.
        conversation_id: ConversationId,
        /// Whose.
        user_id: UserId,
        /// Everything up to here was received.
        delivered: Seq,
        /// Everything up to here was read.
        read: Seq,
        /// When.
        at: Timestamp,
    },
    /// Counts changed without an entry on this socket.
    Unread {
        /// Where.
        conversation_id: ConversationId,
        /// The last entry.
        head_rev: Rev,
        /// The last message.
        head_seq: Seq,
        /// Messages after the own watermark (of channels only where one has just joined).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        unread: Option<u64>,
        /// The own watermark (of channels only where one has just joined).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        read: Option<Seq>,
    },
    /// Somebody is typing.
    Typing {
        /// Where.
        conversation_id: ConversationId,
        /// Who.
        user_id: UserId,
    },
    /// A watched user came or went.
    Presence(crate::rest::Presence),
    /// No longer a member; nothing of it follows.
    Left {
        /// Of which.
        conversation_id: ConversationId,
    },
    /// The server is about to close.
    Bye {
        /// Why: a code of the table, or `restart`, `slow_consumer`, `replaced`, `token_ended`.
        code: String,
        /// What to do.
        detail: String,
        /// When to come back.
        reconnect_after_ms: u64,
    },
}

/// Keeps `null` apart from a field that is not there.
fn null_is_there<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: serde::Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Where one conversation stands for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Head")]
pub struct HeadItem {
    /// Which.
    pub conversation_id: ConversationId,
    /// Its last entry.
    pub head_rev: Rev,
    /// Its last message.
    pub head_seq: Seq,
    /// Messages after the user's watermark.
    pub unread: u64,
    /// The user's watermark.
    pub read: Seq,
}

/// The answer to a frame; which fields it has depends on the frame.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
pub struct Ack {
    /// The frame's.
    #[serde(default, rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// Of `send`, `receipt` and `view`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<ConversationId>,
    /// Of `send`: the message's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// Of `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// Of `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rev: Option<Rev>,
    /// Of `send`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_at: Option<Timestamp>,
    /// Of `send` and `receipt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    /// Of `send`: it was sent before.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub duplicate: bool,
    /// Of `receipt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Seq>,
    /// Of `receipt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read: Option<Seq>,
    /// Of `view`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_rev: Option<Rev>,
    /// Of `view`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head_seq: Option<Seq>,
}

/// The bounds that a client needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Limits {
    /// Largest frame, in bytes.
    pub message_bytes: u64,
    /// Longest text, in bytes.
    pub text_bytes: u64,
    /// Longest metadata, in bytes.
    pub metadata_bytes: u64,
    /// Sends a second.
    pub sends_per_second: u32,
    /// Sends at once.
    pub sends_burst: u32,
    /// Users that can be watched.
    pub watch_users: u32,
    /// Channels that can be in view.
    pub view_channels: u32,
}

impl ServerFrame {
    /// An `error` frame for a problem.
    pub fn error(reference: Option<String>, problem: Problem) -> Self {
        Self::Error {
            reference,
            code: problem.code,
            retry: problem.code.retry(),
            detail: problem.detail.into_owned(),
            field: problem.field.map(Cow::into_owned),
            retry_after_ms: problem.retry_after_ms,
            message: problem.message,
        }
    }
}
