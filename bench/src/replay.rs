//! History built again from the log.

use anyhow::{Context, Result, ensure};
use tokio::process::Command;
use verbatim_tests::{Server, server::binary};

use crate::{
    baseline::{now, sqlite_rows},
    report::row,
    throughput,
};

pub async fn measure(rounds: usize, messages: usize) -> Result<String> {
    let server = Server::start_with(&[], throughput::UNLIMITED).await?;
    throughput::sends(&server, "replay", messages).await?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        bare.push(
            tokio::task::spawn_blocking(move || sqlite_rows(messages, 2_000, "NORMAL")).await??,
        );
        let begin = now();
        let output = Command::new(binary()?)
            .args(["projection", "rebuild", "history", "--data"])
            .arg(server.data())
            .output()
            .await
            .context("cannot start the rebuild")?;
        ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        #[expect(clippy::cast_precision_loss, reason = "a count of messages, for a rate")]
        ours.push(messages as f64 / now().duration_since(begin).as_secs_f64());
    }
    Ok(row("history rebuilt, messages/s, digests included (bare SQLite batches)", "/s", bare, ours))
}
