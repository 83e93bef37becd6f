//! The gateway's metrics. No name or label holds a user, a conversation or a body.

use metrics::{counter, gauge, histogram};

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; counts here are far below 2^52"
)]
pub(crate) fn sockets(count: usize) {
    gauge!("verbatim_gateway_sockets").set(count as f64);
}

pub(crate) fn frame_in(bytes: usize) {
    counter!("verbatim_gateway_frames_in_total").increment(1);
    counter!("verbatim_gateway_bytes_in_total").increment(bytes as u64);
}

pub(crate) fn written(bytes: usize, frames: usize) {
    if bytes > 0 {
        counter!("verbatim_gateway_bytes_out_total").increment(bytes as u64);
        counter!("verbatim_gateway_frames_out_total").increment(frames as u64);
    }
}

/// What waits for a socket whose stream is full.
#[expect(clippy::cast_precision_loss, reason = "a backlog is far below 2^52 bytes")]
pub(crate) fn backlog(bytes: usize) {
    histogram!("verbatim_gateway_backlog_bytes").record(bytes as f64);
}

pub(crate) fn entry_encoded() {
    counter!("verbatim_gateway_entries_encoded_total").increment(1);
}

pub(crate) fn slow_consumer() {
    counter!("verbatim_gateway_slow_consumers_total").increment(1);
}

pub(crate) fn ephemeral_dropped(frames: usize) {
    counter!("verbatim_gateway_ephemeral_dropped_total").increment(frames as u64);
}

/// Why the server closed a socket: the `code` of its `bye`.
pub(crate) fn closed(code: &'static str) {
    counter!("verbatim_gateway_closed_total", "code" => code).increment(1);
}

/// From a `send` frame to its `ack`.
#[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^52 ms")]
pub(crate) fn acknowledged(millis: u64) {
    histogram!("verbatim_gateway_send_ack_seconds").record(millis as f64 / 1_000.0);
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a gauge is a float; counts here are far below 2^52"
)]
pub(crate) fn gap(skipped: u64) {
    gauge!("verbatim_gateway_follower_skipped").set(skipped as f64);
}

pub(crate) fn partitions_behind(connects: usize) {
    counter!("verbatim_gateway_partitions_behind_total").increment(connects as u64);
}
