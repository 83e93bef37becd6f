use std::borrow::Cow;

use super::{CloseCode, DecodeError};

/// Something the client said, in the order it was sent.
///
/// Borrowed from the read buffer where the frame lay in it whole; owned (and so freed by whoever
/// takes the event) where it came in pieces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A whole text message, at most [`Limits::message_bytes`](super::Limits::message_bytes).
    Text(Cow<'a, str>),
    /// A ping, to be answered by a pong with the same payload of at most 125 bytes (RFC 6455
    /// section 5.5.2).
    Ping(Cow<'a, [u8]>),
    /// A pong; asked for or not, it shows that the client is alive (section 5.5.3).
    Pong,
    /// The client closes; nothing follows (section 5.5.1).
    Close {
        /// The client's code, where it gave one.
        code: Option<CloseCode>,
        /// The client's reason, at most 123 bytes; untrusted.
        reason: Cow<'a, str>,
    },
}

/// Reads a close frame's body: nothing, or a code and a reason.
pub(super) fn close(body: Cow<'_, [u8]>) -> Result<Event<'_>, DecodeError> {
    let (code, reason) = match &*body {
        [] => return Ok(Event::Close { code: None, reason: Cow::Borrowed("") }),
        [_] => return Err(DecodeError::CloseTruncated),
        [high, low, ..] => (u16::from_be_bytes([*high, *low]), skip_code(body)),
    };
    let code = CloseCode::new(code).ok_or(DecodeError::CloseCode(code))?;
    Ok(Event::Close { code: Some(code), reason: text(reason)? })
}

/// Checks that the bytes are UTF-8.
pub(super) fn text(bytes: Cow<'_, [u8]>) -> Result<Cow<'_, str>, DecodeError> {
    match bytes {
        Cow::Borrowed(bytes) => std::str::from_utf8(bytes).map(Cow::Borrowed).ok(),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).ok(),
    }
    .ok_or(DecodeError::NotUtf8)
}

fn skip_code(body: Cow<'_, [u8]>) -> Cow<'_, [u8]> {
    match body {
        Cow::Borrowed(body) => Cow::Borrowed(body.get(2..).unwrap_or_default()),
        Cow::Owned(mut body) => {
            body.drain(..2);
            Cow::Owned(body)
        }
    }
}
