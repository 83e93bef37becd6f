//! The server as a child process.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// How long a start may take before a test gives up; far above what it takes.
const START: Duration = Duration::from_secs(60);

/// A running server on a data folder of its own.
pub struct Server {
    data: TempDir,
    child: Option<Child>,
    address: String,
    args: Vec<String>,
    env: Vec<(String, String)>,
}

impl Server {
    /// Starts a server in development mode on a free port and an empty folder.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[], &[]).await
    }

    /// Starts a server with more arguments and environment.
    pub async fn start_with(args: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let mut server = Self {
            data: tempfile::tempdir()?,
            child: None,
            address: "127.0.0.1:0".to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        };
        server.resume().await?;
        Ok(server)
    }

    /// Starts it again on the same folder and port.
    pub async fn resume(&mut self) -> Result<()> {
        let mut child = self.spawn()?;
        let stdout = child.stdout.take().context("the server has no output")?;
        let mut lines = BufReader::new(stdout).lines();
        loop {
            let line =
                timeout(START, lines.next_line()).await.context("the server is not ready")??;
            let Some(line) = line else { bail!("the server ended before it was ready") };
            if let Some(address) = line.trim().strip_prefix("listening on http://") {
                self.address = address.to_owned();
                break;
            }
        }
        // Whatever it prints later must not fill the pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        self.child = Some(child);
        Ok(())
    }

    /// Starts it again and kills it after a while, ready or not.
    pub async fn stumble(&mut self, after: Duration) -> Result<()> {
        let mut child = self.spawn()?;
        // Either it ends, which it should not, or the time is up.
        if let Ok(ended) = timeout(after, child.wait()).await {
            bail!("the server ended before it was killed: {}", ended?);
        }
        Ok(child.kill().await?)
    }

    fn spawn(&self) -> Result<Child> {
        Command::new(binary()?)
            .args(["serve", "--dev", "--listen", &self.address, "--data"])
            .arg(self.data.path())
            .args(&self.args)
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server")
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// Sets the environment of the next start.
    pub fn set_env(&mut self, env: &[(&str, &str)]) {
        self.env =
            env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    }

    /// SIGKILL, at once.
    pub async fn kill(&mut self) -> Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }

    /// SIGTERM; the exit code.
    pub async fn stop(&mut self) -> Result<Option<i32>> {
        let Some(mut child) = self.child.take() else { return Ok(None) };
        signal(&child, libc::SIGTERM)?;
        Ok(timeout(Duration::from_secs(60), child.wait()).await??.code())
    }

    /// Starts it again and waits until it ends by itself, ready or not; how it ended.
    pub async fn until_end(&mut self) -> Result<ExitStatus> {
        let mut child = self.spawn()?;
        let mut stdout = child.stdout.take().context("the server has no output")?;
        tokio::spawn(async move { tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await });
        timeout(START, child.wait()).await.context("the server does not end")?.map_err(Into::into)
    }

    /// Waits until the server ends by itself; how it ended.
    pub async fn status(&mut self) -> Result<ExitStatus> {
        let mut child = self.child.take().context("no server runs")?;
        Ok(timeout(Duration::from_secs(60), child.wait()).await??)
    }

    /// Waits until the server ends by itself; the exit code.
    pub async fn ended(&mut self) -> Result<Option<i32>> {
        let Some(mut child) = self.child.take() else { return Ok(None) };
        Ok(timeout(Duration::from_secs(60), child.wait()).await??.code())
    }

    /// The process id.
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }
}

#[expect(unsafe_code, reason = "kill(2) has no safe wrapper in the standard library")]
fn signal(child: &Child, signal: i32) -> Result<()> {
    let pid = child.id().context("the server has ended already")?;
    let pid = i32::try_from(pid)?;
    // SAFETY: sends a signal to a child that has not been waited for, so the id is its own.
    if unsafe { libc::kill(pid, signal) } != 0 {
        bail!("cannot signal the server");
    }
    Ok(())
}

/// The binary: `TEST_VERBATIM_BIN`, or beside the test's own in the target folder.
pub fn binary() -> Result<PathBuf> {
    if let Some(path) = std::env::var_os("TEST_VERBATIM_BIN") {
        return Ok(path.into());
    }
    // A test lies in `deps` below the folder of the binaries, a program beside them.
    let own = std::env::current_exe()?;
    let folders = own.ancestors().skip(1).take(2).map(|folder| folder.join("verbatim"));
    let path = folders.into_iter().find(|path| path.is_file());
    let path = path.with_context(|| {
        format!("no verbatim beside {}: run `cargo build -p verbatim-server` first", own.display())
    })?;
    Ok(path)
}
