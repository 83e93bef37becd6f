//! Starting projectors, and what a server and its operator do with them while they run.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{sync::watch, task::JoinSet};
use verbatim_ports::{
    StoreError,
    clock::Clock,
    conversations::ConversationStore,
    history::{HistoryStore, HistoryWriter},
    inbox::InboxCache,
    log::{EventLog, Stream},
};

use crate::{
    history::{History, Rebuild, RebuildError, Rebuilder},
    inbox::Inbox,
    runner::{Board, Control, Following, Projection, ProjectionStatus, Runner, StillBusy, Worker},
    timeline::Timeline,
};

/// How often the streams' ends are asked for, which lag is measured by.
const ENDS_EVERY: Duration = Duration::from_secs(2);
/// How long [`Handle::stop`] waits for batches under way. What is not written by then is done again
/// by the next owner.
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Which projectors a process runs.
pub struct Projectors {
    log: Arc<dyn EventLog>,
    clock: Arc<dyn Clock>,
    shutdown: watch::Receiver<bool>,
    workers: Vec<Arc<dyn Worker>>,
    history: Option<Arc<History>>,
}

impl Projectors {
    /// None yet. They stop when `shutdown` turns true or its sender is dropped.
    pub fn new(
        log: Arc<dyn EventLog>,
        clock: Arc<dyn Clock>,
        shutdown: watch::Receiver<bool>,
    ) -> Self {
        Self { log, clock, shutdown, workers: Vec::new(), history: None }
    }

    /// Adds the timeline projector, with its state.
    pub fn timeline(self, conversations: Arc<dyn ConversationStore>) -> Self {
        let timeline = Timeline::new(Arc::clone(&self.log), conversations);
        self.worker(Arc::new(timeline))
    }

    /// Adds the history projector, and its rebuild.
    pub fn history(mut self, writer: Arc<dyn HistoryWriter>) -> Self {
        let history = Arc::new(History::new(writer));
        self.history = Some(Arc::clone(&history));
        self.projection(history)
    }

    /// Adds the inbox projector. It is warmed from history, which it only reads.
    pub fn inbox(
        self,
        cache: Arc<dyn InboxCache>,
        history: Arc<dyn HistoryStore>,
        writer: Arc<dyn HistoryWriter>,
    ) -> Self {
        self.projection(Arc::new(Inbox::new(cache, history, writer)))
    }

    /// Adds any other projection of the timeline.
    pub fn projection<P: Projection>(self, projection: Arc<P>) -> Self {
        let following = Following::new(Arc::clone(&self.log), projection);
        self.worker(Arc::new(following))
    }

    /// Adds any other worker.
    pub fn worker(mut self, worker: Arc<dyn Worker>) -> Self {
        self.workers.push(worker);
        self
    }

    /// Starts them, each in tasks of its own. Called within a tokio runtime.
    pub fn start(self) -> Handle {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let mut running = Vec::new();
        for worker in self.workers {
            let name = worker.name();
            let control = Arc::new(Control::default());
            let board = Arc::new(Board::new(name, Arc::clone(&self.clock)));
            let runner = Runner::new(
                Arc::clone(&self.log),
                worker,
                Arc::clone(&control),
                Arc::clone(&board),
                stop.subscribe(),
            );
            tasks.spawn(watched(runner, Arc::clone(&board)));
            running.push(Running { name, control, board });
        }
        let boards = running.iter().map(|running| Arc::clone(&running.board)).collect();
        let log = Arc::clone(&self.log);
        tasks.spawn(ask_for_ends(log, boards, self.shutdown, stop.clone()));
        let history = self.history.and_then(|history| {
            let control = running.iter().find(|running| running.name == crate::history::NAME)?;
            let control = Arc::clone(&control.control);
            Some(Rebuilder::new(self.log, history, control, stop.subscribe()))
        });
        Handle { stop, tasks: Mutex::new(tasks), running, history }
    }
}

/// A projection that runs.
struct Running {
    name: &'static str,
    control: Arc<Control>,
    board: Arc<Board>,
}

/// Projectors that run. Dropping it ends them at once, which is harmless; [`stop`](Self::stop) ends
/// them between two batches.
pub struct Handle {
    stop: watch::Sender<bool>,
    /// Taken by whoever stops them.
    tasks: Mutex<JoinSet<()>>,
    running: Vec<Running>,
    history: Option<Rebuilder>,
}

/// Why a projection cannot be paused or resumed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PauseError {
    /// No projection of that name runs here.
    #[error("no projection {name:?} runs here; there are: {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// It is paused, but a batch is still being written.
    #[error(transparent)]
    StillBusy(#[from] StillBusy),
}

impl Handle {
    /// The version of history that is live; none where it is not projected here.
    ///
    /// # Errors
    /// As the store answers.
    pub async fn history_version(&self) -> Result<Option<u32>, StoreError> {
        match &self.history {
            Some(history) => Ok(Some(history.live().await?.0)),
            None => Ok(None),
        }
    }

    /// How far each projection has come. Cheap; the ends are at most some seconds old.
    pub fn status(&self) -> Vec<ProjectionStatus> {
        self.running.iter().map(|running| running.board.status()).collect()
    }

    /// Pauses a projection in all partitions of this node; returns when its batches under way are
    /// written, at most 5 s later. The others, sends and live delivery go on (but without the
    /// timeline nothing is ruled on).
    pub async fn pause(&self, name: &str) -> Result<(), PauseError> {
        Ok(self.find(name)?.control.pause().await?)
    }

    /// Lets a paused projection go on.
    pub fn resume(&self, name: &str) -> Result<(), PauseError> {
        self.find(name)?.control.resume();
        Ok(())
    }

    /// Rebuilds history beside the live version, which serves on; see [`Rebuilder::start`]. Called
    /// within a tokio runtime.
    pub fn rebuild_history(&self) -> Result<Rebuild, RebuildError> {
        self.history.as_ref().ok_or(RebuildError::NotHere)?.start()
    }

    /// The history that runs here, for its digest.
    pub fn history(&self) -> Option<&Rebuilder> {
        self.history.as_ref()
    }

    /// Tells all to stop, and waits until the batches under way are written, for at most 10 s. The
    /// rest is dropped, which is harmless.
    pub async fn stop(&self) {
        self.stop.send_replace(true);
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let all = async { while tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(STOP_WITHIN, all).await.is_err() {
            tracing::warn!("projectors did not stop in time and are dropped");
        }
    }

    fn find(&self, name: &str) -> Result<&Running, PauseError> {
        self.running.iter().find(|running| running.name == name).ok_or_else(|| {
            let known: Vec<_> = self.running.iter().map(|running| running.name).collect();
            PauseError::Unknown { name: name.to_owned(), known: known.join(", ") }
        })
    }
}

/// A runner's own panic, which is not one of a partition's task, is shown as well.
async fn watched(runner: Runner, board: Arc<Board>) {
    let mut tasks = JoinSet::new();
    tasks.spawn(runner.run());
    if let Some(Err(_)) = tasks.join_next().await {
        board.set_problem(Some("the runner panicked: restart".to_owned()));
    }
}

/// Asks for the ends of the partitions that somebody works on, and passes the shutdown on.
async fn ask_for_ends(
    log: Arc<dyn EventLog>,
    boards: Vec<Arc<Board>>,
    mut shutdown: watch::Receiver<bool>,
    stop: watch::Sender<bool>,
) {
    let mut stopped = stop.subscribe();
    let asking = async {
        loop {
            for board in &boards {
                for partition in board.partitions() {
                    // Lag stays as it was while the log cannot be asked; the workers show why.
                    if let Ok(end) = log.end(Stream::Events, partition).await {
                        board.set_end(partition, end);
                    }
                }
            }
            tokio::time::sleep(ENDS_EVERY).await;
        }
    };
    tokio::select! {
        _ = shutdown.wait_for(|shutdown| *shutdown) => { stop.send_replace(true); }
        _ = stopped.wait_for(|stopped| *stopped) => {}
        () = asking => {}
    }
}
