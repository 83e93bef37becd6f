//! What a suite answers when an adapter does not keep its port's promises.

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("broken: {promise} ({what})")]
pub struct Breach {
    /// Which promise, by the name of its check.
    pub promise: &'static str,
    /// What was seen.
    pub what: String,
}

/// What a check answers; the text says what was seen.
pub(super) type Check = Result<(), String>;

/// Ends a check unless a condition holds.
macro_rules! ensure {
    ($condition:expr, $($what:tt)+) => {
        if !$condition {
            return Err(format!($($what)+));
        }
    };
}
pub(super) use ensure;
