//! The operator's commands: `verbatim projection` and `verbatim replay`.

use std::{path::Path, process::Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;
use tokio::process::Command;

use crate::server::binary;

/// Runs `verbatim ARGS --data DIR`; what it printed.
pub async fn run(args: &[&str], data: &Path) -> Result<String> {
    let output = Command::new(binary()?)
        .args(args)
        .arg("--data")
        .arg(data)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot run the operator's command")?;
    if !output.status.success() {
        bail!("{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// `verbatim replay`: every record of a stream, in the order in which it was printed.
pub async fn replay(data: &Path, stream: &str) -> Result<Vec<Value>> {
    let text = run(&["replay", "--stream", stream], data).await?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}
