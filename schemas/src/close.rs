//! Why a socket closes: the codes of its close frame.

/// A code and what it tells the client.
#[derive(Debug, Clone, Copy)]
pub struct Close {
    /// As the close frame has it (RFC 6455, section 7.4).
    pub code: u16,
    /// What happened.
    pub reason: &'static str,
    /// What to do.
    pub advice: &'static str,
}

/// Every code that a server sends.
pub const CLOSE_CODES: &[Close] = &[
    of(1000, "closed normally", "nothing"),
    of(1001, "the server is going away", "connect again"),
    of(1002, "the frames break RFC 6455", "mend the client"),
    of(1003, "a binary frame", "send text frames"),
    of(1007, "a frame is not UTF-8 or not JSON", "mend the client"),
    of(1008, "ten wrong frames in a row", "mend the client"),
    of(1009, "a message of too many bytes or fragments", "send less at once"),
    of(
        1011,
        "the server cannot serve the socket",
        "connect again after the delay that `bye` named",
    ),
    of(1012, "the server restarts", "connect again after the delay that `bye` named"),
    of(4001, "no valid token or ticket, or no `hello` in time", "get a new token or ticket"),
    of(4003, "the token ended or was revoked", "get a new token"),
    of(4008, "the client reads too slowly", "connect again with `since` and fetch what is missing"),
    of(
        4009,
        "the user opened too many sockets, and this was the oldest",
        "close sockets that are not needed",
    ),
    of(4029, "too many pings, or 100 `rate_limited` errors in a row", "slow down"),
];

const fn of(code: u16, reason: &'static str, advice: &'static str) -> Close {
    Close { code, reason, advice }
}
