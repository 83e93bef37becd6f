//! Measures the server beside baselines in the same run: ratios, not absolutes.
//!
//! Each measure runs its baseline and ours in turn for some rounds, and prints medians with their range.
//! Load is open loop where latency is measured: times count from when a message was to be sent.

mod baseline;
mod idle;
mod latency;
mod replay;
mod report;
mod throughput;

use anyhow::Result;
use clap::{Parser, ValueEnum};

/// Measures the server beside baselines in the same run.
#[derive(Parser)]
struct Args {
    /// What to measure; all when absent.
    #[arg(value_enum)]
    measures: Vec<Measure>,
    /// How often each is measured.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds of load in each round of latency.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// Messages in each round of throughput and replay.
    #[arg(long, default_value_t = 30_000)]
    messages: usize,
    /// Idle sockets.
    #[arg(long, default_value_t = 4_000)]
    sockets: usize,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Measure {
    /// send -> acknowledged -> delivered to another socket at 200 messages/s.
    Latency,
    /// Durable sends a second, 50 clients with 16 under way each.
    Throughput,
    /// Resident memory per idle signed-in socket.
    Idle,
    /// History built again from the log.
    Replay,
}

#[tokio::main]
#[expect(clippy::print_stdout, reason = "the report is what it is for")]
async fn main() -> Result<()> {
    let args = Args::parse();
    let wanted = |measure| args.measures.is_empty() || args.measures.contains(&measure);
    println!("| measure | baseline | ours | ours / baseline |\n|---|---|---|---|");
    if wanted(Measure::Latency) {
        println!("{}", latency::measure(args.rounds, args.seconds).await?);
    }
    if wanted(Measure::Throughput) {
        println!("{}", throughput::measure(args.rounds, args.messages).await?);
    }
    if wanted(Measure::Replay) {
        println!("{}", replay::measure(args.rounds, args.messages).await?);
    }
    if wanted(Measure::Idle) {
        println!("{}", idle::measure(args.sockets).await?);
    }
    Ok(())
}
