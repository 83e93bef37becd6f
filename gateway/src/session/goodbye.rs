use bytes::Bytes;
use verbatim_schemas::{Code, frames::ServerFrame};

use crate::{
    codec::{CloseCode, DecodeError, encode_close},
    encode::encode,
};

/// Why the server closes a socket: what `bye` says and the close code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Goodbye {
    pub(crate) close: CloseCode,
    pub(crate) code: &'static str,
    pub(crate) detail: &'static str,
    pub(crate) reconnect_after_ms: u64,
}

impl Goodbye {
    const fn new(close: CloseCode, code: &'static str, detail: &'static str) -> Self {
        Self { close, code, detail, reconnect_after_ms: 0 }
    }

    pub(crate) const fn slow_consumer() -> Self {
        let detail = "read faster: reconnect with `since` and fetch what is missing";
        Self::new(CloseCode::SLOW_CONSUMER, "slow_consumer", detail)
    }

    pub(crate) const fn replaced() -> Self {
        let detail = "a newer socket of this user took the place; close sockets you do not use";
        Self::new(CloseCode::TOO_MANY_SOCKETS, "replaced", detail)
    }

    pub(crate) const fn token_ended() -> Self {
        let detail = "reconnect with a new token, and `renew` before it ends";
        Self::new(CloseCode::TOKEN_ENDED, "token_ended", detail)
    }

    pub(crate) const fn restart(reconnect_after_ms: u64) -> Self {
        let detail = "the server restarts: reconnect after the time given, with `since`";
        let bye = Self::new(CloseCode::RESTART, "restart", detail);
        Self { reconnect_after_ms, ..bye }
    }

    pub(crate) const fn unauthenticated(detail: &'static str) -> Self {
        Self::new(CloseCode::UNAUTHENTICATED, Code::Unauthenticated.name(), detail)
    }

    pub(crate) const fn wrong() -> Self {
        let detail = "too many wrong frames in a row: see the errors before";
        Self::new(CloseCode::POLICY_VIOLATION, Code::Invalid.name(), detail)
    }

    pub(crate) const fn too_fast(detail: &'static str) -> Self {
        let bye = Self::new(CloseCode::RATE, Code::RateLimited.name(), detail);
        Self { reconnect_after_ms: 5_000, ..bye }
    }

    pub(crate) const fn not_json() -> Self {
        Self::new(CloseCode::INVALID_PAYLOAD, Code::Malformed.name(), Code::Malformed.detail())
    }

    pub(crate) const fn silent() -> Self {
        let detail = "nothing was heard of this client, not even an answer to pings";
        Self::new(CloseCode::GOING_AWAY, Code::Timeout.name(), detail)
    }

    pub(crate) const fn unavailable(reconnect_after_ms: u64) -> Self {
        let detail = Code::Unavailable.detail();
        let bye = Self::new(CloseCode::INTERNAL_ERROR, Code::Unavailable.name(), detail);
        Self { reconnect_after_ms, ..bye }
    }

    pub(crate) fn decode(error: DecodeError) -> Self {
        let close = error.close_code();
        match close {
            CloseCode::TOO_LARGE => {
                let detail = "send messages within the limits of `welcome`";
                Self::new(close, Code::TooLarge.name(), detail)
            }
            CloseCode::UNSUPPORTED_DATA => {
                Self::new(close, Code::Malformed.name(), "send text frames")
            }
            CloseCode::INVALID_PAYLOAD => Self::not_json(),
            _ => Self::new(close, Code::Malformed.name(), "send frames as RFC 6455 has them"),
        }
    }

    /// The `bye` frame and the close frame.
    pub(crate) fn frames(&self) -> [Bytes; 2] {
        let bye = ServerFrame::Bye {
            code: self.code.to_owned(),
            detail: self.detail.to_owned(),
            reconnect_after_ms: self.reconnect_after_ms,
        };
        [encode(&bye), encode_close(Some(self.close), self.code)]
    }
}
