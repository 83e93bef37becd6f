//! Folding the timeline into a version of history, exactly up to a record.

use tokio::sync::watch;
use verbatim_ports::{
    follow::{Followed, Follower},
    history::{HistoryWriter, Version},
    log::EventLog,
};
use verbatim_schemas::Src;

use super::{RebuildError, rows_of};
use crate::runner::Backoff;

/// How many rulings are written at once; more gain little.
const BATCH: usize = 2_000;
/// How often in a row something may fail before the rebuild gives up, after about 20 s.
const ATTEMPTS: u32 = 10;

/// Fills one version.
pub(super) struct Fill<'a> {
    pub(super) log: &'a dyn EventLog,
    pub(super) writer: &'a dyn HistoryWriter,
    pub(super) version: Version,
    pub(super) stop: watch::Receiver<bool>,
}

impl Fill<'_> {
    /// Folds one partition up to `target`, and not beyond; tells `read` how far on the timeline it
    /// came. Gives the number of rulings written.
    pub(super) async fn up_to(
        &mut self,
        target: Src,
        read: &mut (dyn FnMut(u64) + Send),
    ) -> Result<usize, RebuildError> {
        let mut written = 0;
        let mut backoff = Backoff::default();
        loop {
            let before = written;
            match self.once(target, &mut written, read).await {
                Ok(()) => return Ok(written),
                Err(error) if error.may_pass() && backoff.attempts() < ATTEMPTS => {
                    tracing::warn!(partition = target.partition, %error, "rebuild tries again");
                }
                Err(error) => return Err(error),
            }
            if written > before {
                backoff.reset();
            }
            let wait = backoff.next();
            unless_stopped(&mut self.stop, tokio::time::sleep(wait)).await?;
        }
    }

    /// Reads the next batch while the last one is being written.
    async fn once(
        &mut self,
        target: Src,
        written: &mut usize,
        read: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), RebuildError> {
        let partition = target.partition;
        let checkpoint = self.writer.checkpoint(self.version, partition).await?;
        let mut included = checkpoint.map(|checkpoint| checkpoint.src);
        if included >= Some(target) {
            return Ok(());
        }
        let mut follower = Follower::resume(self.log, partition, checkpoint).await?;
        let mut batch = gather(&mut follower, target, &mut self.stop).await?;
        while let Some(next) = batch.last().map(|followed| followed.checkpoint) {
            let (count, rows) = (batch.len(), rows_of(&batch));
            drop(batch);
            let writing = self.writer.apply(self.version, partition, included, rows, next);
            let reading = async {
                if next.src < target {
                    gather(&mut follower, target, &mut self.stop).await
                } else {
                    Ok(Vec::new())
                }
            };
            let (wrote, gathered) = futures_util::future::join(writing, reading).await;
            wrote?;
            included = Some(next.src);
            *written += count;
            read(follower.read_to(partition));
            batch = gathered?;
        }
        if included == Some(target) {
            Ok(())
        } else {
            Err(RebuildError::NoSuchRecord { partition, offset: target.offset })
        }
    }
}

/// The next rulings up to `target`, at least one unless the target is not there.
async fn gather(
    follower: &mut Follower,
    target: Src,
    stop: &mut watch::Receiver<bool>,
) -> Result<Vec<Followed>, RebuildError> {
    let mut batch: Vec<Followed> = Vec::new();
    while batch.len() < BATCH {
        let next = unless_stopped(stop, follower.next()).await??;
        batch.extend(next.rulings);
        if batch.last().is_some_and(|followed| followed.ruling.src >= target) {
            batch.retain(|followed| followed.ruling.src <= target);
            break;
        }
    }
    Ok(batch)
}

async fn unless_stopped<F: Future>(
    stop: &mut watch::Receiver<bool>,
    work: F,
) -> Result<F::Output, RebuildError> {
    tokio::select! {
        biased;
        _ = stop.wait_for(|stop| *stop) => Err(RebuildError::Stopped),
        output = work => Ok(output),
    }
}

/// Asks a store or the log again a few times.
pub(super) async fn patiently<T, E, F>(
    stop: &mut watch::Receiver<bool>,
    mut ask: impl FnMut() -> F,
) -> Result<T, RebuildError>
where
    F: Future<Output = Result<T, E>>,
    RebuildError: From<E>,
{
    let mut backoff = Backoff::default();
    loop {
        let error = match ask().await {
            Ok(answer) => return Ok(answer),
            Err(error) => RebuildError::from(error),
        };
        if !error.may_pass() || backoff.attempts() >= ATTEMPTS {
            return Err(error);
        }
        let wait = backoff.next();
        unless_stopped(stop, tokio::time::sleep(wait)).await?;
    }
}
