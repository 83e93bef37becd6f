//! How the server is run: keys and certificates, what it measures and logs, how it ends.

mod command_line;
mod keys;
mod metrics;
mod quiet_logs;
mod shutdown;
mod tls;
