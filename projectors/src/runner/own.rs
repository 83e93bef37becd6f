//! Owning partitions: one task for each, each begun when the partition is given and ended when it is
//! taken away.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use tokio::{
    sync::watch,
    task::{Id, JoinError, JoinSet},
};
use verbatim_ports::log::{EventLog, Ownership};

use super::{
    Backoff, Control, Ended, Task, Worker,
    status::{Board, State},
    task::stopped,
};

/// Runs one worker in all the partitions that this node owns.
pub struct Runner {
    log: Arc<dyn EventLog>,
    worker: Arc<dyn Worker>,
    control: Arc<Control>,
    board: Arc<Board>,
    stop: watch::Receiver<bool>,
}

impl Runner {
    /// Runs until `stop` turns true.
    pub fn new(
        log: Arc<dyn EventLog>,
        worker: Arc<dyn Worker>,
        control: Arc<Control>,
        board: Arc<Board>,
        stop: watch::Receiver<bool>,
    ) -> Self {
        Self { log, worker, control, board, stop }
    }

    /// Joins the group, works on what it is given, and joins again when it is lost.
    pub async fn run(mut self) {
        let group = format!("verbatim-{}", self.worker.name());
        let mut backoff = Backoff::default();
        while !*self.stop.borrow() {
            let joined = tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return,
                joined = self.log.own(&group) => joined,
            };
            match joined {
                Ok(ownership) => {
                    backoff.reset();
                    self.board.set_problem(None);
                    self.serve(ownership).await;
                }
                Err(error) => self.board.set_problem(Some(error.to_string())),
            }
            let wait = backoff.next();
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn serve(&mut self, mut ownership: Ownership) {
        let mut crew = Crew::default();
        loop {
            let owned = Arc::clone(&ownership.partitions.borrow_and_update());
            self.reconcile(&mut crew, &owned);
            tokio::select! {
                biased;
                () = stopped(&mut self.stop) => break,
                changed = ownership.partitions.changed() => if changed.is_err() { break },
                Some(ended) = crew.tasks.join_next_with_id() => self.ended(&mut crew, ended),
            }
        }
        // The membership is kept until all have ended, so that nobody takes over too early.
        self.reconcile(&mut crew, &BTreeSet::new());
        while let Some(ended) = crew.tasks.join_next_with_id().await {
            self.ended(&mut crew, ended);
        }
        for partition in self.board.partitions() {
            self.board.remove(partition);
        }
    }

    /// Begins what is owned and not begun, and ends what is begun and not owned. A partition that
    /// comes back is begun again only after its last task ended.
    fn reconcile(&self, crew: &mut Crew, owned: &BTreeSet<u32>) {
        for (partition, stop) in &crew.running {
            if !owned.contains(partition) {
                stop.send_replace(true);
            }
        }
        crew.halted.retain(|partition| {
            let keep = owned.contains(partition);
            if !keep {
                self.board.remove(*partition);
            }
            keep
        });
        for partition in owned {
            if !crew.running.contains_key(partition) && !crew.halted.contains(partition) {
                self.begin(crew, *partition);
            }
        }
    }

    fn begin(&self, crew: &mut Crew, partition: u32) {
        let stop = watch::Sender::new(false);
        let cell = self.board.cell(partition);
        let task = Task::new(partition, stop.subscribe(), Arc::clone(&self.control), cell);
        let handle = crew.tasks.spawn(work(Arc::clone(&self.worker), task));
        crew.running.insert(partition, stop);
        crew.ids.insert(handle.id(), partition);
    }

    fn ended(&self, crew: &mut Crew, ended: Result<(Id, Outcome), JoinError>) {
        let (id, outcome) = match ended {
            Ok((id, outcome)) => (id, outcome),
            // The runtime ends, and drops what still runs.
            Err(error) if error.is_cancelled() => (error.id(), Outcome::Stopped),
            // The panic's own text may hold what people wrote; the panic hook has shown the place.
            Err(error) => (error.id(), Outcome::Panicked),
        };
        let Some(partition) = crew.ids.remove(&id) else { return };
        crew.running.remove(&partition);
        let name = self.worker.name();
        let reason = match outcome {
            Outcome::Stopped => return self.board.remove(partition),
            Outcome::Unusable(reason) => format!("{reason}; {}", self.worker.advice()),
            Outcome::Panicked => {
                "the projector panicked: report the message in the server's error output, and restart"
                    .to_owned()
            }
        };
        tracing::error!(projection = name, partition, %reason, "a partition stopped");
        crew.halted.insert(partition);
        self.board.cell(partition).set(State::Stopped { reason });
    }
}

/// The tasks of the owned partitions.
#[derive(Default)]
struct Crew {
    tasks: JoinSet<Outcome>,
    running: BTreeMap<u32, watch::Sender<bool>>,
    ids: BTreeMap<Id, u32>,
    /// Partitions that stopped because an operator has to look.
    halted: BTreeSet<u32>,
}

enum Outcome {
    Stopped,
    Unusable(String),
    Panicked,
}

/// Works on one partition, again after every failure that may pass.
async fn work(worker: Arc<dyn Worker>, mut task: Task) -> Outcome {
    let mut backoff = Backoff::default();
    loop {
        let before = task.batches();
        task.set(State::Starting);
        let ended = worker.run(&mut task).await;
        if task.batches() > before {
            backoff.reset();
        }
        let failure = match ended {
            Ok(never) => match never {},
            Err(Ended::Stopped) => return Outcome::Stopped,
            Err(Ended::Reload) => continue,
            Err(Ended::Unusable(reason)) => return Outcome::Unusable(reason),
            Err(failure) => failure,
        };
        let (projection, partition) = (worker.name(), task.partition());
        tracing::warn!(projection, partition, %failure, "tries again");
        if task.back_off(&mut backoff, failure.to_string()).await.is_err() {
            return Outcome::Stopped;
        }
    }
}
