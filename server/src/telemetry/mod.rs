//! Logs, the request log, metrics. Bodies, queries and tokens never reach any of them.

mod logs;
mod process;
mod prometheus;
mod requests;

pub use logs::{check_level, init_logs};
pub use prometheus::{Metrics, MetricsError};
pub use requests::log_requests;
