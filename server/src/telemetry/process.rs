//! Numbers of the process itself, from /proc where there is one; the names are Prometheus's own.

use std::fs;

/// Clock ticks in a second, as Linux shows them to programs on every architecture.
const TICKS_PER_SECOND: f64 = 100.0;

/// Records what can be read.
pub fn record() {
    if let Some(kib) = fs::read_to_string("/proc/self/status").ok().as_deref().and_then(resident) {
        metrics::gauge!("process_resident_memory_bytes").set(kib * 1024.0);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // The folder being read is one of them.
        let count = u32::try_from(files.count().saturating_sub(1)).unwrap_or(u32::MAX);
        metrics::gauge!("process_open_fds").set(f64::from(count));
    }
    if let Some(ticks) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(cpu_ticks) {
        metrics::gauge!("process_cpu_seconds_total").set(ticks / TICKS_PER_SECOND);
    }
}

/// Resident memory in KiB.
fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// User and system time in ticks. The command's name may hold blanks and brackets, so fields are
/// counted from its end.
fn cpu_ticks(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_are_read() {
        assert_eq!(resident("Name:\tx\nVmRSS:\t   1234 kB\n"), Some(1234.0));
        assert_eq!(resident("Name:\tx\n"), None);
        let stat = "1 (a) b) S 0 1 1 0 -1 4 5 0 0 0 70 30 0 0 20 0 1 0";
        assert_eq!(cpu_ticks(stat), Some(100.0));
        assert_eq!(cpu_ticks("nothing"), None);
    }
}
