//! The server as a child process.

use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    process::{Child, ChildStderr, Command},
    time::timeout,
};

/// How long a start may take before a test gives up; far above what it takes.
const START: Duration = Duration::from_secs(60);

/// Names the faults that a server makes on purpose, separated by commas.
const FAULTS: &str = "TEST_VERBATIM_FAULTS";

/// A folder that its user alone may read, as a data folder should be.
fn private_folder() -> Result<TempDir> {
    let own = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    Ok(tempfile::Builder::new().permissions(own).tempdir()?)
}

/// A running server on a data folder of its own.
pub struct Server {
    data: TempDir,
    child: Option<Child>,
    address: String,
    scheme: &'static str,
    args: Vec<String>,
    env: Vec<(String, String)>,
    dev: bool,
    log: Option<Log>,
}

/// What a server wrote to standard error, so far.
pub type Log = Arc<Mutex<String>>;

impl Server {
    /// Starts a server in development mode on a free port and an empty folder.
    pub async fn start() -> Result<Self> {
        Self::start_with(&[], &[]).await
    }

    /// Starts a server with more arguments and environment.
    pub async fn start_with(args: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let mut server = Self::prepare(args, env)?;
        server.resume().await?;
        Ok(server)
    }

    /// Starts a server that is not in development mode: somebody else signs its tokens.
    pub async fn start_strict(args: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        let mut server = Self::prepare(args, env)?;
        server.dev = false;
        server.resume().await?;
        Ok(server)
    }

    /// Starts a server in development mode whose log is kept.
    pub async fn start_logged(args: &[&str], env: &[(&str, &str)]) -> Result<(Self, Log)> {
        let mut server = Self::prepare(args, env)?;
        let log = Log::default();
        server.log = Some(log.clone());
        server.resume().await?;
        Ok((server, log))
    }

    fn prepare(args: &[&str], env: &[(&str, &str)]) -> Result<Self> {
        Ok(Self {
            data: private_folder()?,
            child: None,
            address: "127.0.0.1:0".to_owned(),
            scheme: "http",
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
            dev: true,
            log: None,
        })
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
            let told =
                line.trim().strip_prefix("listening on ").and_then(|at| at.split_once("://"));
            if let Some((scheme, address)) = told {
                self.scheme = if scheme == "https" { "https" } else { "http" };
                self.address = address.to_owned();
                break;
            }
        }
        if let (Some(log), Some(stderr)) = (self.log.clone(), child.stderr.take()) {
            tokio::spawn(keep(log, BufReader::new(stderr).lines()));
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
            .args(["serve", "--listen", &self.address, "--data"])
            .arg(self.data.path())
            .args(self.dev.then_some("--dev"))
            .args(&self.args)
            .env("VERBATIM_LOG_LEVEL", "warn")
            .envs(self.env.iter().map(|(key, value)| (key, value)))
            .envs(self.faults().map(|faults| (FAULTS, faults)))
            .stdout(Stdio::piped())
            .stderr(if self.log.is_some() { Stdio::piped() } else { Stdio::inherit() })
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the server")
    }

    /// The faults of this test's own server besides those that the whole suite runs under.
    fn faults(&self) -> Option<String> {
        let own = self.env.iter().rev().find(|(key, _)| key == FAULTS).map(|(_, own)| own.clone());
        match (std::env::var(FAULTS), own) {
            (Ok(all), Some(own)) => Some(format!("{all},{own}")),
            (all, own) => own.or(all.ok()),
        }
    }

    /// `127.0.0.1:PORT`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// `http://127.0.0.1:PORT`, or with `https` where it speaks TLS.
    pub fn base(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
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

    /// SIGHUP.
    pub fn reload(&self) -> Result<()> {
        signal(self.child.as_ref().context("no server runs")?, libc::SIGHUP)
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

async fn keep(log: Log, mut lines: Lines<BufReader<ChildStderr>>) {
    while let Ok(Some(line)) = lines.next_line().await {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push_str(&line);
        log.push('\n');
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
