//! The one table of error codes. HTTP answers, socket frames and the documents all come from it.

use std::{borrow::Cow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::entry::Message;

/// Whether and how a refused request may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Retry {
    /// Sending it again as it is will not help.
    No,
    /// Send it again, under the same id.
    SameId,
    /// Send it again under a new id.
    NewId,
}

macro_rules! codes {
    ($($code:ident $name:literal $status:literal $retry:ident $title:literal $detail:literal,)*) => {
        /// What went wrong, stable for programs.
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        pub enum Code {
            $(
                #[doc = $title]
                #[serde(rename = $name)]
                $code,
            )*
        }

        impl Code {
            /// Every code.
            pub const ALL: &[Code] = &[$(Code::$code),*];

            /// The name on the wire.
            pub const fn name(self) -> &'static str {
                match self { $(Code::$code => $name,)* }
            }

            /// The HTTP status (RFC 9110).
            pub const fn status(self) -> u16 {
                match self { $(Code::$code => $status,)* }
            }

            /// Whether to send it again.
            pub const fn retry(self) -> Retry {
                match self { $(Code::$code => Retry::$retry,)* }
            }

            /// A short heading.
            pub const fn title(self) -> &'static str {
                match self { $(Code::$code => $title,)* }
            }

            /// What to do about it, when nothing more precise is known.
            pub const fn detail(self) -> &'static str {
                match self { $(Code::$code => $detail,)* }
            }
        }
    };
}

codes! {
    Malformed "malformed" 400 No "Not readable" "send one JSON value in UTF-8, nested at most 32 deep, naming no key twice",
    BadPosition "bad_position" 400 No "Not a position" "send a token from a Verbatim-Position header or a welcome frame, at most 16 of them and 4 KiB in all",
    Unauthenticated "unauthenticated" 401 No "Not signed in" "send `Authorization: Bearer <token>` with a valid token",
    Forbidden "forbidden" 403 No "Not allowed" "your role does not allow this",
    ConversationNotFound "conversation_not_found" 404 No "No such conversation" "check the id; you see only conversations you are a member of",
    MessageNotFound "message_not_found" 404 No "No such message" "check the seq; you see only messages of the time you were a member",
    NotFound "not_found" 404 No "No such route" "see /docs for what is here",
    MethodNotAllowed "method_not_allowed" 405 No "Wrong method" "see the Allow header for what this route takes",
    Timeout "timeout" 408 SameId "Too slow" "send the whole request within 10 seconds",
    ConversationExists "conversation_exists" 409 No "The id is taken" "make a new id, or open the conversation if you are a member",
    IdReused "id_reused" 409 NewId "The id stands for something else" "this id was used with another body; use a new id for a new command",
    DirectIsFixed "direct_is_fixed" 409 No "A direct conversation has its two members for ever" "create a group to talk with more people",
    LastAdmin "last_admin" 409 No "The last admin stays" "make somebody else admin first",
    TooLarge "too_large" 413 No "Too large" "send less at once",
    UnsupportedMediaType "unsupported_media_type" 415 No "Not JSON" "send `Content-Type: application/json`",
    Invalid "invalid" 422 No "Not valid" "mend the named field",
    UnknownField "unknown_field" 422 No "Unknown field" "leave the named field out",
    BeyondHead "beyond_head" 422 No "Beyond the last message" "send a seq up to the conversation's head",
    StaleId "stale_id" 422 NewId "The id is too old" "if `message` is there, it was sent; else send it again under a new id",
    FutureId "future_id" 422 NewId "The id lies over 5 minutes in the future" "make ids from the server's time",
    ConversationFull "conversation_full" 422 No "No room for more members" "a group has at most 1,000 members, a channel 1,000,000",
    HeadersTooLarge "headers_too_large" 431 No "Headers too large" "send at most 16 KiB of headers",
    RateLimited "rate_limited" 429 SameId "Too fast" "wait for the time given, then send it again",
    TooManyConnections "too_many_connections" 429 SameId "Too many connections" "close some sockets of this address, then try again",
    Behind "behind" 503 SameId "Not caught up yet" "what you asked to see is not in this view yet; try again shortly",
    Unavailable "unavailable" 503 SameId "Not available" "try again after the time given",
    OutcomeUnknown "outcome_unknown" 504 SameId "Outcome unknown" "it may or may not have been stored; send it again under the same id",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A refusal as a client gets it: `application/problem+json` (RFC 9457) over HTTP, an `error` frame
/// on a socket.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Problem {
    /// What went wrong.
    pub code: Code,
    /// What to do about it.
    pub detail: Cow<'static, str>,
    /// The field that is wrong.
    pub field: Option<Cow<'static, str>>,
    /// When to try again, in milliseconds.
    pub retry_after_ms: Option<u64>,
    /// With `stale_id`: what history holds for the id; `Some(None)` when it holds nothing.
    pub message: Option<Option<Box<Message>>>,
}

impl Problem {
    /// A problem with the code's own advice.
    pub fn new(code: Code) -> Self {
        let detail = Cow::Borrowed(code.detail());
        Self { code, detail, field: None, retry_after_ms: None, message: None }
    }

    /// An `invalid` field and what is allowed there.
    pub fn invalid(
        field: impl Into<Cow<'static, str>>,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::new(Code::Invalid).field(field).detail(detail)
    }

    /// Replaces the advice.
    pub fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.detail = detail.into();
        self
    }

    /// Names the field.
    pub fn field(mut self, field: impl Into<Cow<'static, str>>) -> Self {
        self.field = Some(field.into());
        self
    }

    /// Says when to try again.
    pub fn retry_after_ms(mut self, millis: u64) -> Self {
        self.retry_after_ms = Some(millis);
        self
    }

    /// The body of the HTTP answer.
    pub fn body(&self) -> ProblemBody<'_> {
        ProblemBody {
            r#type: Cow::Owned(format!("urn:verbatim:problem:{}", self.code)),
            title: self.code.title().into(),
            status: self.code.status(),
            code: self.code,
            detail: Cow::Borrowed(&self.detail),
            retry: self.code.retry(),
            field: self.field.as_deref().map(Cow::Borrowed),
            retry_after_ms: self.retry_after_ms,
            message: self.message.as_ref().map(Option::as_deref),
        }
    }
}

impl From<Code> for Problem {
    fn from(code: Code) -> Self {
        Self::new(code)
    }
}

/// `application/problem+json`.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub struct ProblemBody<'a> {
    /// `urn:verbatim:problem:<code>`.
    pub r#type: Cow<'a, str>,
    /// A short heading.
    pub title: Cow<'a, str>,
    /// The HTTP status.
    pub status: u16,
    /// What went wrong.
    pub code: Code,
    /// What to do about it.
    pub detail: Cow<'a, str>,
    /// Whether to send it again.
    pub retry: Retry,
    /// The field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<Cow<'a, str>>,
    /// When to try again, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// With `stale_id`: what history holds for the id, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<Option<&'a Message>>,
}
