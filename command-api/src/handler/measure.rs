//! What the command handler counts and measures. Nothing of a command's content is in it.

use verbatim_schemas::{Problem, Timestamp};

/// A command was answered.
pub(crate) fn answered(kind: &'static str, outcome: &'static str) {
    metrics::counter!("verbatim_commands_total", "type" => kind, "outcome" => outcome).increment(1);
}

/// A command was refused, by this node or by its ruling.
pub(crate) fn refused(kind: &'static str, problem: &Problem) {
    answered(kind, problem.code.name());
}

/// An append was acknowledged.
pub(crate) fn appended(since: Timestamp, now: Timestamp) {
    metrics::histogram!("verbatim_command_append_duration_seconds").record(seconds(since, now));
}

/// A ruling was seen, counted from the submission of its command.
pub(crate) fn ruled(since: Timestamp, now: Timestamp) {
    metrics::histogram!("verbatim_command_ruling_duration_seconds").record(seconds(since, now));
}

/// How many commands are in flight.
pub(crate) fn in_flight(commands: usize) {
    metrics::gauge!("verbatim_commands_in_flight").set(commands as f64);
}

/// One more, or one less, waits for a ruling.
pub(crate) fn waiters(change: f64) {
    metrics::gauge!("verbatim_command_waiters").increment(change);
}

/// How many rulings were skipped beyond a gap that is open now.
pub(crate) fn skipped(rulings: u64) {
    metrics::gauge!("verbatim_command_rulings_skipped").set(rulings as f64);
}

fn seconds(since: Timestamp, now: Timestamp) -> f64 {
    now.millis_since(since) as f64 / 1_000.0
}
