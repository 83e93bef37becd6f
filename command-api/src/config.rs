//! The bounds of the command handler and of the REST commands, with the defaults that api.md names.

use std::time::Duration;

/// How often something may be done: `burst` times at once, then once every `every`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How long one takes to come back; at least a microsecond is counted.
    pub every: Duration,
    /// How many at once; at least one is counted.
    pub burst: u32,
}

/// What can be set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Messages a user. Beyond: `rate_limited`.
    pub sends: Rate,
    /// Conversations created a user; opening an existing one is free. Beyond: `rate_limited`.
    pub creations: Rate,
    /// Commands a user for conversations that they do not seem to be a member of; what the ruling
    /// accepts is given back. Beyond: `rate_limited`.
    pub misses: Rate,
    /// All commands but messages a user, so that no endpoint fills the log. Beyond: `rate_limited`.
    pub others: Rate,
    /// How many users each rate remembers at a time; those who may do everything again are
    /// forgotten. Beyond: `unavailable`.
    pub rated_users: usize,
    /// Commands between their submission and their answer, in all. Beyond: `unavailable`.
    pub in_flight: usize,
    /// Bytes of their events. Beyond: `unavailable`.
    pub in_flight_bytes: usize,
    /// Of how many users of conversations it is remembered whether they are members; the longest
    /// unused are forgotten, and looked up again.
    pub known_members: usize,
    /// How long a membership is looked up before it counts as a miss.
    pub lookup: Duration,
    /// How long an append may take. Beyond: `outcome_unknown`.
    pub append: Duration,
    /// How long REST waits for a ruling. Beyond: 202.
    pub ruling: Duration,
    /// How long a `stale_id` answer waits for history. Beyond: `behind`.
    pub history: Duration,
    /// Rulings of one partition kept for appends whose answer is still on its way.
    pub recent_rulings: usize,
    /// Bytes of them, as they stand on the timeline.
    pub recent_bytes: usize,
    /// How long a shutdown waits for commands in flight.
    pub drain: Duration,
}

impl Default for Config {
    fn default() -> Self {
        let per_second = |rate: u32| Duration::from_micros(1_000_000 / u64::from(rate));
        Self {
            sends: Rate { every: per_second(20), burst: 60 },
            creations: Rate { every: Duration::from_secs(60), burst: 60 },
            misses: Rate { every: Duration::from_secs(2), burst: 30 },
            others: Rate { every: per_second(500), burst: 5_000 },
            rated_users: 1_000_000,
            in_flight: 10_000,
            in_flight_bytes: 64 * 1024 * 1024,
            known_members: 200_000,
            lookup: Duration::from_millis(500),
            append: Duration::from_secs(10),
            ruling: Duration::from_secs(2),
            history: Duration::from_secs(2),
            recent_rulings: 4_096,
            recent_bytes: 2 * 1024 * 1024,
            drain: Duration::from_secs(20),
        }
    }
}
