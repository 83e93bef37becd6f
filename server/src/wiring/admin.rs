//! The operator's way into a running server: a Unix socket in the data folder that only its owner can
//! open. One JSON request a connection; the answers are JSON lines, the last one with `done`.

use std::{
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::Semaphore,
};
use verbatim_projectors::Handle;

/// What an operator asks for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Request {
    /// How far each projection has come.
    Status,
    /// Stop a projection between two batches.
    Pause {
        /// Which.
        projection: String,
    },
    /// Let it go on.
    Resume {
        /// Which.
        projection: String,
    },
    /// Build history again beside the live version.
    RebuildHistory,
}

/// Operators at once; one more waits.
const AT_ONCE: usize = 4;
/// Longest request, in bytes.
const REQUEST_BYTES: u64 = 4_096;
/// How long a request may take to arrive.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);

/// The socket of a data folder.
pub fn path(data: &Path) -> PathBuf {
    data.join("admin.sock")
}

/// The longest path of a Unix socket, in bytes.
const PATH_BYTES: usize = 107;

/// Says in time that the socket of a data folder has no room for its path.
pub fn check(data: &Path) -> anyhow::Result<()> {
    let (length, own) = (path(data).as_os_str().len(), "/admin.sock".len());
    if length > PATH_BYTES {
        bail!(
            "the path of the data folder is too long for the operator's socket in it: choose one of at most \
             {} bytes with --data",
            PATH_BYTES - own
        );
    }
    Ok(())
}

/// Listens on the socket of a data folder, which this process has locked.
pub fn listen(data: &Path) -> anyhow::Result<UnixListener> {
    let path = path(data);
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("cannot replace the operator's socket");
        }
        _ => {}
    }
    let listener = UnixListener::bind(&path)
        .with_context(|| format!("cannot open the operator's socket {}", path.display()))?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Answers operators for ever.
pub async fn serve(listener: UnixListener, projectors: Arc<Handle>) {
    let slots = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(slot) = Arc::clone(&slots).acquire_owned().await else { return };
        match listener.accept().await {
            Ok((stream, _)) => {
                let projectors = Arc::clone(&projectors);
                tokio::spawn(async move {
                    if let Err(error) = answer(stream, &projectors).await {
                        tracing::warn!("an operator's request failed: {error:#}");
                    }
                    drop(slot);
                });
            }
            Err(error) => {
                tracing::warn!("cannot accept an operator: {error}");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
}

async fn answer(mut stream: UnixStream, projectors: &Handle) -> anyhow::Result<()> {
    let mut line = String::new();
    let (read, mut write) = stream.split();
    let mut read = BufReader::new(read.take(REQUEST_BYTES));
    tokio::time::timeout(REQUEST_WITHIN, read.read_line(&mut line)).await??;
    let done = match serde_json::from_str(&line) {
        Ok(request) => act(request, projectors, &mut write).await,
        Err(error) => Err(error.into()),
    };
    let last = match done {
        Ok(value) => json!({ "done": value }),
        Err(error) => json!({ "error": format!("{error:#}") }),
    };
    say(&mut write, &last).await
}

async fn act(
    request: Request,
    projectors: &Handle,
    write: &mut (impl AsyncWriteExt + Unpin),
) -> anyhow::Result<Value> {
    match request {
        Request::Status => {
            let mut status = serde_json::to_value(projectors.status())?;
            let version = projectors.history_version().await?;
            for projection in status.as_array_mut().into_iter().flatten() {
                if projection["projection"] == "history" {
                    projection["version"] = json!(version);
                }
            }
            Ok(status)
        }
        Request::Pause { projection } => {
            projectors.pause(&projection).await?;
            Ok(json!({ "paused": projection }))
        }
        Request::Resume { projection } => {
            projectors.resume(&projection)?;
            Ok(json!({ "resumed": projection }))
        }
        Request::RebuildHistory => {
            let rebuild = projectors.rebuild_history()?;
            let mut progress = rebuild.progress.clone();
            loop {
                let now = *progress.borrow_and_update();
                say(write, &json!({ "progress": now })).await?;
                if progress.changed().await.is_err() {
                    break;
                }
            }
            let built = rebuild.outcome().await?;
            Ok(json!({ "version": built.version.0, "digest": built.digest }))
        }
    }
}

async fn say(write: &mut (impl AsyncWriteExt + Unpin), value: &Value) -> anyhow::Result<()> {
    write.write_all(format!("{value}\n").as_bytes()).await?;
    Ok(())
}

/// Asks the server of a data folder; `progress` hears of each step on the way.
pub async fn ask(
    data: &Path,
    request: &Request,
    mut progress: impl FnMut(&Value),
) -> anyhow::Result<Value> {
    let path = path(data);
    let mut stream = UnixStream::connect(&path).await.with_context(|| {
        format!(
            "no server runs on {}: start it with `verbatim serve`, or name its folder with --data",
            data.display()
        )
    })?;
    stream.write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        let mut answer: Value = serde_json::from_str(&line)?;
        if let Some(error) = answer["error"].as_str() {
            bail!("{error}");
        }
        if let Some(done) = answer.get_mut("done") {
            return Ok(done.take());
        }
        progress(&answer["progress"]);
    }
    bail!("the server ended before it answered")
}
