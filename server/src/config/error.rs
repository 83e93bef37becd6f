//! The one sentence a wrong setting ends in.

use std::fmt;

/// A setting that cannot be used: which one, what is wrong, what is allowed.
///
/// `setting` is the name as the user wrote it: `--listen`, `VERBATIM_LISTEN` or
/// `verbatim.toml:listen`. A secret's value never appears in `problem`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The setting as the user named it.
    pub setting: String,
    /// What is wrong with it.
    pub problem: String,
    /// What would be accepted, or what to do.
    pub allowed: String,
}

impl ConfigError {
    /// Builds the sentence's three parts.
    pub fn new(
        setting: impl Into<String>,
        problem: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Self {
        Self { setting: setting.into(), problem: problem.into(), allowed: allowed.into() }
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {}", self.setting, self.problem, self.allowed)
    }
}

impl std::error::Error for ConfigError {}

/// A value longer than this is cut in a message.
const SHOWN_VALUE_CHARS: usize = 64;

/// Quotes a user's value for a message: control characters escaped, length bounded.
pub fn quoted(value: &str) -> String {
    let mut shown: String = value.chars().take(SHOWN_VALUE_CHARS).collect();
    if shown.len() < value.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_one_sentence() {
        let error = ConfigError::new("--listen", "\"x\" is not an address", "allowed is ADDR:PORT");
        assert_eq!(error.to_string(), "--listen: \"x\" is not an address; allowed is ADDR:PORT");
    }

    #[test]
    fn quotes_are_bounded_and_escaped() {
        assert_eq!(quoted("a\nb"), "\"a\\nb\"");
        assert!(quoted(&"é".repeat(500)).chars().count() < 70);
    }
}
