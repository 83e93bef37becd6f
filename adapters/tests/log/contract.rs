//! The contract, with the settings that lead tails through memory, through the file, and through
//! both by turns.

use verbatim_adapters::embedded::log::LogSettings;
use verbatim_ports::contract::log::log_contract;

use crate::support::{PATIENCE, opener};

async fn passes(settings: LogSettings) {
    log_contract(opener(settings), PATIENCE).await.unwrap();
}

#[tokio::test]
async fn from_memory() {
    passes(LogSettings::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_memory_on_threads() {
    passes(LogSettings::default()).await;
}

#[tokio::test]
async fn from_the_file_alone() {
    passes(LogSettings { recent_bytes: 0, ..LogSettings::default() }).await;
}

#[tokio::test]
async fn from_both() {
    passes(LogSettings { recent_bytes: 20_000, partitions: 3, ..LogSettings::default() }).await;
}
