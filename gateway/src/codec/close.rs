use std::fmt;

/// A code that may stand in a close frame (RFC 6455 section 7.4 and its IANA registry).
///
/// 1005, 1006 and 1015 are for local use and never on the wire, so no value of this type has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CloseCode(u16);

impl CloseCode {
    /// The purpose of the connection is fulfilled.
    pub const NORMAL: Self = Self(1000);
    /// The endpoint is going away.
    pub const GOING_AWAY: Self = Self(1001);
    /// The frames break RFC 6455.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// A kind of data that is not accepted: a binary frame.
    pub const UNSUPPORTED_DATA: Self = Self(1003);
    /// A message that is not UTF-8, or not JSON.
    pub const INVALID_PAYLOAD: Self = Self(1007);
    /// Ten wrong frames in a row.
    pub const POLICY_VIOLATION: Self = Self(1008);
    /// A message of too many bytes or fragments.
    pub const TOO_LARGE: Self = Self(1009);
    /// The server failed.
    pub const INTERNAL_ERROR: Self = Self(1011);
    /// The service restarts: come back after the delay that `bye` named.
    pub const RESTART: Self = Self(1012);
    /// No valid ticket, or no `hello` in time.
    pub const UNAUTHENTICATED: Self = Self(4001);
    /// The token ended or was revoked.
    pub const TOKEN_ENDED: Self = Self(4003);
    /// The client reads too slowly for its backlog's bound.
    pub const SLOW_CONSUMER: Self = Self(4008);
    /// The user opened more sockets than the bound, and this was the oldest.
    pub const TOO_MANY_SOCKETS: Self = Self(4009);
    /// Too many pings, or too many refusals for rate in a row.
    pub const RATE: Self = Self(4029);

    /// The code, if it may be sent: 1000-1003, 1007-1014 and 3000-4999.
    #[must_use]
    pub const fn new(code: u16) -> Option<Self> {
        match code {
            1000..=1003 | 1007..=1014 | 3000..=4999 => Some(Self(code)),
            _ => None,
        }
    }

    /// The number on the wire.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::CloseCode;

    #[test]
    fn only_codes_for_the_wire_are_accepted() {
        for code in [1000, 1001, 1002, 1003, 1007, 1011, 1012, 1014, 3000, 3999, 4000, 4999] {
            assert_eq!(CloseCode::new(code).map(CloseCode::get), Some(code));
        }
        for code in [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535] {
            assert_eq!(CloseCode::new(code), None, "{code}");
        }
    }
}
