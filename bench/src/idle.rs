//! Memory of idle sockets.

use anyhow::{Context, Result};
use verbatim_tests::{Client, Server, Socket};

use crate::{report::row, throughput};

/// Opens idle sockets, each of a user in no conversation, and compares resident memory.
pub async fn measure(sockets: usize) -> Result<String> {
    let server = Server::start_with(&[], throughput::UNLIMITED).await?;
    let mut open = Vec::with_capacity(sockets);
    // The first ones pay for what all share.
    for n in 0..100 {
        open.push(Socket::open(&Client::sign_in(&server, &format!("warm-{n}")).await?).await?);
    }
    let before = resident_kib(&server)?;
    for n in 0..sockets {
        open.push(Socket::open(&Client::sign_in(&server, &format!("idle-{n}")).await?).await?);
    }
    let after = resident_kib(&server)?;
    #[expect(clippy::cast_precision_loss, reason = "a count of sockets, for a mean")]
    let each = (after - before) / sockets as f64;
    Ok(row(
        "resident KiB per idle signed-in socket (a task that waits: 1.05)",
        "KiB",
        vec![1.05],
        vec![each],
    ))
}

fn resident_kib(server: &Server) -> Result<f64> {
    let pid = server.pid().context("the server has ended")?;
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next()).context("no VmRSS")?;
    Ok(number.parse()?)
}
