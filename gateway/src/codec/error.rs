use super::CloseCode;

/// Why the client's bytes were refused; the connection cannot be continued.
///
/// The text is for operators: it quotes nothing of the client's payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DecodeError {
    /// A client's frame must be masked (RFC 6455 section 5.1).
    #[error("frame is not masked")]
    Unmasked,
    /// RSV1-3 are set without an extension (section 5.2).
    #[error("reserved bits are set")]
    ReservedBits,
    /// An opcode without a meaning (section 5.2).
    #[error("opcode {0:#x} is reserved")]
    ReservedOpcode(u8),
    /// A length is not in its shortest form, or above 2^63 (section 5.2).
    #[error("length is badly encoded")]
    LengthEncoding,
    /// A control frame of more than 125 bytes (section 5.5).
    #[error("control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A control frame without FIN (section 5.5).
    #[error("control frame is fragmented")]
    ControlFragmented,
    /// A continuation without a message to continue (section 5.4).
    #[error("continuation without a message")]
    UnexpectedContinuation,
    /// A new message before the fragmented one ended (section 5.4).
    #[error("new message inside a fragmented one")]
    MessageInterrupted,
    /// A close frame with a body of one byte (section 5.5.1).
    #[error("close frame has half a code")]
    CloseTruncated,
    /// A close code that may not be sent (section 7.4).
    #[error("close code {0} may not be sent")]
    CloseCode(u16),
    /// Verbatim has text messages only.
    #[error("binary messages are not accepted")]
    Binary,
    /// A text message or a close reason that is not UTF-8 (sections 5.5.1 and 8.1).
    #[error("text is not UTF-8")]
    NotUtf8,
    /// The message is above [`Limits::message_bytes`](super::Limits::message_bytes).
    #[error("message is larger than {limit} bytes")]
    MessageTooLarge {
        /// The bound in bytes.
        limit: u32,
    },
    /// The message has more frames than [`Limits::fragments`](super::Limits::fragments).
    #[error("message has more than {limit} fragments")]
    TooManyFragments {
        /// The bound in frames.
        limit: u16,
    },
}

impl DecodeError {
    /// The code to close with: 1002, 1003, 1007 or 1009.
    #[must_use]
    pub const fn close_code(self) -> CloseCode {
        match self {
            Self::Binary => CloseCode::UNSUPPORTED_DATA,
            Self::NotUtf8 => CloseCode::INVALID_PAYLOAD,
            Self::MessageTooLarge { .. } | Self::TooManyFragments { .. } => CloseCode::TOO_LARGE,
            _ => CloseCode::PROTOCOL_ERROR,
        }
    }
}
