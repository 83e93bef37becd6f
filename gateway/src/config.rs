use std::time::Duration;

use verbatim_schemas::bounds;

/// Every bound of the gateway (api.md section 5). What happens at a bound stands with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayConfig {
    /// Origins, as browsers send them, that may open sockets besides the server's own. Another one
    /// gets 403.
    pub origins: Vec<String>,
    /// Largest message of a client in bytes, over all its fragments; then 1009.
    pub message_bytes: u32,
    /// Most fragments of a message; then 1009.
    pub fragments: u16,
    /// Pings that a client may send in a second; then 4029.
    pub pings_per_second: u32,
    /// Sockets of one user; the oldest goes with 4009.
    pub sockets_per_user: usize,
    /// Sockets of one address; then 429 at the handshake.
    pub sockets_per_address: u32,
    /// Sockets of this gateway; then 503 at the handshake.
    pub sockets: usize,
    /// Sockets that are not signed in yet; then 503 at the handshake, so that a storm of
    /// reconnects does not reach a store.
    pub connecting: usize,
    /// How long a socket may be without `hello`; then 4001.
    pub hello_within: Duration,
    /// Bytes that wait for one socket; ephemeral frames are dropped first, then 4008.
    pub backlog_bytes: usize,
    /// How long a frame may wait for one socket; then 4008.
    pub backlog_age: Duration,
    /// How often a socket is pinged.
    pub ping_interval: Duration,
    /// How long a client may be silent; then it is closed.
    pub silence: Duration,
    /// How long a closing socket may take to read what is left; then it is dropped.
    pub close_within: Duration,
    /// How long a command's ruling is waited for; then `outcome_unknown`.
    pub command_wait: Duration,
    /// Frames of one socket that are worked on at once; then it is not read until one is done.
    pub in_flight: usize,
    /// JSON of entries in one answer to `fetch`, in bytes; the client goes on from `next`.
    pub fetch_bytes: usize,
    /// How long a read waits for history; then `behind`.
    pub history_wait: Duration,
    /// How long a connect waits for the inbox; then the partition's heads follow.
    pub inbox_wait: Duration,
    /// How often a connect loads the inbox before the partitions in question count as behind.
    pub connect_attempts: u32,
    /// Rulings of one partition that are kept for connects; one from before them loads again.
    pub recent_rulings: usize,
    /// Bytes of these rulings, about.
    pub recent_bytes: usize,
    /// How often at most a socket hears of a channel that it does not view.
    pub unread_interval: Duration,
    /// How often at most a socket's receipts of one conversation are written; they are merged.
    pub receipt_interval: Duration,
    /// Receipt frames of a socket that wait to be merged; then `rate_limited`.
    pub receipts_waiting: usize,
    /// How often a socket may say that it is typing in one conversation; more is dropped.
    pub typing_interval: Duration,
    /// Up to how many members receipts go to all; above, to their member's own sockets. The rule's
    /// own 256 caps it.
    pub receipts_public_members: u32,
    /// Users that a socket may watch; then `invalid`.
    pub watch_users: usize,
    /// Channels that a socket may view; then `invalid`.
    pub view_channels: usize,
    /// Heads in one frame.
    pub heads_per_frame: usize,
    /// Heads in all; the rest is in `GET /v1/conversations`.
    pub heads: usize,
    /// Memberships that ended since; where there are more, `since` is not used.
    pub left: usize,
    /// Wrong frames in a row; then 1008.
    pub wrong_in_a_row: u32,
    /// `rate_limited` errors in a row; then 4029.
    pub limited_in_a_row: u32,
    /// How long a user without a socket still counts as online.
    pub offline_delay: Duration,
    /// How long this gateway's lease on its users' presence holds.
    pub lease: Duration,
    /// How often the lease is renewed.
    pub lease_interval: Duration,
    /// How often the timers are looked at.
    pub tick: Duration,
    /// Over how much time clients spread their reconnects when this gateway goes.
    pub reconnect_spread: Duration,
    /// Sends a second that `welcome` names; enforced by the command handler.
    pub sends_per_second: u32,
    /// Sends at once that `welcome` names; enforced by the command handler.
    pub sends_burst: u32,
}

impl Default for GatewayConfig {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            message_bytes: 128 * 1024,
            fragments: 64,
            pings_per_second: 10,
            sockets_per_user: 10,
            sockets_per_address: 100,
            sockets: 100_000,
            connecting: 2_000,
            hello_within: Duration::from_secs(5),
            backlog_bytes: 256 * 1024,
            backlog_age: Duration::from_secs(30),
            ping_interval: Duration::from_secs(30),
            silence: Duration::from_secs(75),
            close_within: Duration::from_secs(5),
            command_wait: Duration::from_secs(10),
            in_flight: 64,
            fetch_bytes: 64 * 1024,
            history_wait: Duration::from_secs(2),
            inbox_wait: Duration::from_secs(2),
            connect_attempts: 3,
            recent_rulings: 1_024,
            recent_bytes: 1024 * 1024,
            unread_interval: Duration::from_secs(10),
            receipt_interval: Duration::from_secs(1),
            receipts_waiting: 1_024,
            typing_interval: Duration::from_secs(1),
            receipts_public_members: bounds::RECEIPTS_PUBLIC_MEMBERS,
            watch_users: 500,
            view_channels: 10,
            heads_per_frame: 200,
            heads: 500,
            left: 500,
            wrong_in_a_row: 10,
            limited_in_a_row: 100,
            offline_delay: Duration::from_secs(5),
            lease: Duration::from_secs(30),
            lease_interval: Duration::from_secs(10),
            tick: Duration::from_secs(1),
            reconnect_spread: Duration::from_secs(10),
            sends_per_second: 20,
            sends_burst: 60,
        }
    }
}

/// A duration in whole milliseconds.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
