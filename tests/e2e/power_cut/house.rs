//! The server inside the test's own process, on a disk whose power can be cut.

use std::{fs::File, net::SocketAddr, path::Path, time::Duration};

use anyhow::{Context, Result};
use tempfile::TempDir;
use tokio::{
    runtime::{Builder, Runtime},
    sync::oneshot,
    task::{JoinSet, spawn_blocking},
};
use verbatim_adapters::{
    embedded::log::LogReader,
    power_cut::{PowerCut, PowerCutDisk},
};
use verbatim_ports::log::Stream;
use verbatim_server::{
    config::{Config, Flags},
    serve, shutdown, wiring,
};
use verbatim_tests::crowd::NO_RATES;

/// How long what ran may take to end once the power is off.
const END: Duration = Duration::from_secs(30);

/// A data folder, its disk, and the server on it.
pub struct House {
    data: TempDir,
    disk: PowerCutDisk,
    address: SocketAddr,
    running: Option<Running>,
}

struct Running {
    runtime: Runtime,
    /// Dropped, it would begin an orderly shutdown.
    _trigger: shutdown::ShutdownTrigger,
}

impl House {
    /// Starts a server on a free port and an empty folder.
    pub async fn start() -> Result<Self> {
        let mut house = Self {
            data: tempfile::tempdir()?,
            disk: PowerCutDisk::new(),
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            running: None,
        };
        house.resume().await?;
        Ok(house)
    }

    /// `http://127.0.0.1:PORT`.
    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The data folder.
    pub fn data(&self) -> &Path {
        self.data.path()
    }

    /// The disk.
    pub fn disk(&self) -> &PowerCutDisk {
        &self.disk
    }

    /// The power fails now, if it did not yet; so much is left of what was written.
    pub async fn cut(&mut self, mode: PowerCut) -> Result<()> {
        self.disk.freeze();
        if let Some(Running { runtime, .. }) = self.running.take() {
            spawn_blocking(move || runtime.shutdown_timeout(END)).await?;
        }
        // Whoever still has the folder open ends, since every call fails.
        let lock = File::open(self.data().join("lock"))?;
        let freed = spawn_blocking(move || lock.lock());
        tokio::time::timeout(END, freed).await.context("the folder is still in use")???;
        Ok(self.disk.power_cut(mode)?)
    }

    /// Starts the server again, on what is there and the same port.
    pub async fn resume(&mut self) -> Result<()> {
        let flags = Flags {
            listen: Some(self.address.to_string()),
            data: Some(self.data().display().to_string()),
            dev: true,
            ..Flags::default()
        };
        let settings = NO_RATES.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let config = Config::load_for_serving(&flags, settings)?;
        let vfs = self.disk.name();
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        let (trigger, told) = shutdown::channel();
        let (ready, listening) = oneshot::channel();
        let serving = runtime.spawn(async move {
            let mut tasks = JoinSet::new();
            let start = |shell| wiring::start_on(shell, Some(vfs));
            let ready = |address| {
                let _ = ready.send(address);
            };
            serve::run_until(config, None, told, &mut tasks, start, ready).await
        });
        match listening.await {
            Ok(address) => self.address = address,
            // It ended before it listened: why?
            Err(_) => serving.await?.context("the server did not start")?,
        }
        self.running = Some(Running { runtime, _trigger: trigger });
        Ok(())
    }

    /// How many records each stream holds, while nothing runs.
    pub fn records(&self) -> Result<(u64, u64)> {
        let count = |stream| -> Result<u64> {
            let log = LogReader::open(self.data(), stream)?;
            let partitions = 0..log.layout().partitions;
            Ok(partitions.map(|partition| log.end(partition)).sum::<Result<u64, _>>()?)
        };
        // A timeline may lose its very tables.
        Ok((count(Stream::Events)?, count(Stream::Timeline).unwrap_or(0)))
    }
}

impl Drop for House {
    fn drop(&mut self) {
        if let Some(Running { runtime, .. }) = self.running.take() {
            runtime.shutdown_background();
        }
    }
}
