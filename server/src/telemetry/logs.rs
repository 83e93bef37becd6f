//! Log lines on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{LevelFilter, ParseError};

use crate::config::{LogFormat, LogSettings};

/// Checks filter directives. A bare word must be a level: as a target, a misspelt level would
/// silence everything.
pub fn check_level(level: &str) -> Result<(), String> {
    EnvFilter::try_new(level).map_err(|error: ParseError| error.to_string())?;
    let is_directive = |part: &str| part.contains(['=', '[', ':']);
    for part in level.split(',').map(str::trim).filter(|part| !is_directive(part)) {
        // An empty word reads as "error".
        if part.is_empty() || part.parse::<LevelFilter>().is_err() {
            return Err(format!("{part:?} is no level"));
        }
    }
    Ok(())
}

/// Starts logging to standard error; does nothing when a subscriber is there already.
pub fn init_logs(settings: &LogSettings) {
    let filter = EnvFilter::try_new(&settings.level).unwrap_or_else(|_| EnvFilter::new("info"));
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal());
    // An error says that there is one already, as in tests that serve twice.
    let _ = match settings.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives() {
        for right in ["info", "WARN", "off", "info,verbatim_gateway=debug", "hyper::proto=trace"] {
            assert_eq!(check_level(right), Ok(()), "{right}");
        }
        for wrong in ["inof", "info,debgu", "a=b=c", "x=loud", ""] {
            assert!(check_level(wrong).is_err(), "{wrong}");
        }
    }
}
