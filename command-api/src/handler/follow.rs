//! Reads the rulings for as long as the service runs.

use std::{pin::Pin, sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Sleep, sleep, timeout},
};
use verbatim_ports::{
    StoreError,
    follow::{FollowError, FollowedBatch, Follower},
    log::{LogError, RETRY_AFTER},
    source::{SourceError, check_source},
};
use verbatim_schemas::{Code, Problem, Src};

use super::{Handler, measure};

/// The longest pause before the log is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long a gap may stay open until this node is not ready.
const GAP_FOR: Duration = Duration::from_secs(30);

impl Handler {
    /// Follows the rulings until `shutdown` is true and no command is in flight, at most for
    /// [`Config::drain`](crate::Config::drain) after.
    pub(crate) async fn run(self: Arc<Self>, mut shutdown: watch::Receiver<bool>) {
        tokio::select! {
            () = self.follow() => {}
            () = self.drained(&mut shutdown) => {}
        }
        self.following.send_replace(false);
    }

    async fn drained(&self, shutdown: &mut watch::Receiver<bool>) {
        // A trigger that is gone counts as begun.
        let _ = shutdown.wait_for(|begun| *begun).await;
        if timeout(self.config.drain, self.in_flight.none()).await.is_err() {
            tracing::warn!("commands were still in flight when the time to drain was over");
        }
    }

    /// Ends never; a log that cannot be read is tried again, and no waiter is lost meanwhile.
    async fn follow(&self) {
        let mut pause = RETRY_AFTER;
        let mut follower = None;
        loop {
            let error = self.follow_once(&mut follower, &mut pause).await;
            self.show_following(false);
            tracing::warn!(%error, "the rulings cannot be read; trying again");
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Opens the log, or opens it again where reading ended, and reads until that fails.
    async fn follow_once(
        &self,
        follower: &mut Option<Follower>,
        pause: &mut Duration,
    ) -> FollowError {
        let follower = match follower {
            Some(follower) => match follower.reopen(&*self.log).await {
                Ok(()) => follower,
                Err(error) => return error,
            },
            None => {
                if let Err(error) = self.look_at_sources().await {
                    return error.into();
                }
                match Follower::at_end(&*self.log).await {
                    Ok(opened) => {
                        self.rulings.begin(&opened);
                        follower.insert(opened)
                    }
                    Err(error) => return error,
                }
            }
        };
        let mut gap = Gap::default();
        loop {
            self.show_following(!gap.stays);
            let batch = tokio::select! {
                batch = follower.next() => batch,
                () = gap.over(), if gap.is_new() => continue,
            };
            match batch {
                Ok(batch) => self.pass(&batch),
                Err(error) => return error,
            }
            *pause = RETRY_AFTER;
            gap.see(follower.skipped());
        }
    }

    /// Finds out, once, which partitions must not be written on.
    async fn look_at_sources(&self) -> Result<(), LogError> {
        if self.sources.get().is_some() {
            return Ok(());
        }
        let mut found = Vec::new();
        let ruled = self.ruled().await?;
        for partition in 0..self.log.layout().partitions {
            let ruled = ruled.iter().filter(|src| src.partition == partition).max().copied();
            match check_source(&*self.log, partition, ruled).await {
                Err(SourceError::Log(error @ LogError::Unavailable(_))) => return Err(error),
                Err(error) => {
                    tracing::error!(
                        partition,
                        "nothing is taken for this partition: {error}; restore the log, and restart"
                    );
                    found.push(Err(error));
                }
                Ok(()) => found.push(Ok(())),
            }
        }
        // Nobody else looks.
        let _ = self.sources.set(found);
        Ok(())
    }

    /// The records that history and the timeline's state include: where the timeline is lost they still say
    /// what was ruled on.
    async fn ruled(&self) -> Result<Vec<Src>, LogError> {
        let unavailable = |error: StoreError| LogError::Unavailable(error.to_string());
        let history = self.history.position().await.map_err(unavailable)?;
        let generation = history.generation;
        let of_history = history.offsets.into_iter();
        let mut ruled: Vec<Src> =
            of_history.map(|(partition, offset)| Src { generation, partition, offset }).collect();
        if let Some(state) = &self.state {
            for partition in 0..self.log.layout().partitions {
                match state.checkpoint(partition).await {
                    Ok(checkpoint) => ruled.extend(checkpoint.map(|checkpoint| checkpoint.src)),
                    Err(error) => return Err(unavailable(error)),
                }
            }
        }
        Ok(ruled)
    }

    /// Whether a partition may be written on.
    pub(super) fn writable(&self, partition: u32) -> Result<(), Problem> {
        let detail = match self.sources.get().map(|found| found.get(partition as usize)) {
            Some(Some(Ok(()))) => return Ok(()),
            Some(_) => "the log of this conversation is damaged, and an operator has to restore it",
            None => "the log is being looked at; try again shortly",
        };
        Err(Problem::new(Code::Unavailable).detail(detail).retry_after_ms(5_000))
    }

    fn show_following(&self, now: bool) {
        self.following.send_if_modified(|following| std::mem::replace(following, now) != now);
    }

    fn pass(&self, batch: &FollowedBatch) {
        // Before anybody is answered, so that what they do next finds it known.
        batch.rulings.iter().for_each(|followed| self.members.learn(&followed.ruling));
        self.rulings.pass(batch.partition, &batch.rulings);
    }
}

/// A gap in the rulings, and since when it is open.
#[derive(Default)]
struct Gap {
    opened: Option<Pin<Box<Sleep>>>,
    stays: bool,
}

impl Gap {
    fn see(&mut self, skipped: u64) {
        measure::skipped(skipped);
        match (skipped, &self.opened) {
            (0, _) => *self = Self::default(),
            (_, None) => self.opened = Some(Box::pin(sleep(GAP_FOR))),
            _ => {}
        }
    }

    fn is_new(&self) -> bool {
        self.opened.is_some() && !self.stays
    }

    /// Waits until it was open for too long.
    async fn over(&mut self) {
        if let Some(opened) = &mut self.opened {
            opened.await;
            tracing::error!("a gap in the rulings stays open");
            self.stays = true;
        }
    }
}
