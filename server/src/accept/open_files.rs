//! The limit of open files, and what it leaves for connections.

use rustix::process::{Resource, getrlimit, setrlimit};

/// Files kept for databases, logs, key fetching and turning connections away.
const RESERVED_FILES: u64 = 256;

/// Raises the soft limit of open files to the hard one, and lowers `wanted` to what then fits:
/// one file a connection.
pub fn connections_allowed(wanted: u32) -> u32 {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = rustix::process::Rlimit { current: limit.maximum, maximum: limit.maximum };
        if setrlimit(Resource::Nofile, raised).is_ok() {
            limit = getrlimit(Resource::Nofile);
        }
    }
    fitting(wanted, limit.current)
}

/// `files` without a value means unlimited.
fn fitting(wanted: u32, files: Option<u64>) -> u32 {
    let Some(files) = files else { return wanted };
    // A tiny limit still leaves half of it.
    let room = files.saturating_sub(RESERVED_FILES).max(files / 2).max(1);
    wanted.min(u32::try_from(room).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_fit_the_open_files() {
        assert_eq!(fitting(100, None), 100);
        assert_eq!(fitting(100_000, Some(1024)), 768);
        assert_eq!(fitting(100_000, Some(300)), 150);
        assert_eq!(fitting(100, Some(1 << 40)), 100);
        assert_eq!(fitting(100, Some(0)), 1);
        assert!(connections_allowed(u32::MAX) > 0);
    }
}
