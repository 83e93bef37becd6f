//! Appending rulings until they are acknowledged.

use bytes::Bytes;
use verbatim_ports::log::{BATCH_BYTES, NewRecord, Stream};

use super::Ruler;
use crate::runner::{Backoff, Ended, Task};

impl Ruler<'_> {
    /// Appends rulings, in order, and gives the offset after the last one.
    ///
    /// At most about [`BATCH_BYTES`] at a time. After an error the same bytes are appended again from
    /// the last acknowledged ruling on, until they are acknowledged: those that were on the log after
    /// all are repeats, which consumers drop.
    pub(super) async fn emit(
        &self,
        task: &mut Task,
        rulings: Vec<(Bytes, Bytes)>,
    ) -> Result<u64, Ended> {
        let mut next = 0;
        let mut chunk = Vec::with_capacity(rulings.len());
        let mut bytes = 0;
        for (key, value) in rulings {
            if bytes + value.len() > BATCH_BYTES && !chunk.is_empty() {
                next = self.append(task, &chunk).await?;
                chunk.clear();
                bytes = 0;
            }
            bytes += value.len();
            chunk.push(NewRecord { partition: self.partition, key, value });
        }
        if !chunk.is_empty() {
            next = self.append(task, &chunk).await?;
        }
        Ok(next)
    }

    async fn append(&self, task: &mut Task, chunk: &[NewRecord]) -> Result<u64, Ended> {
        let mut backoff = Backoff::default();
        loop {
            // An append under way is waited for even when told to stop: its time is bounded by the
            // log, and the next owner has the less to do.
            let error = match self.log.append(Stream::Timeline, chunk.to_vec()).await {
                Ok(places) => return Ok(places.last().map_or(0, |place| place.offset + 1)),
                Err(error) => error,
            };
            let partition = self.partition;
            tracing::warn!(partition, %error, "rulings were not acknowledged, appends them again");
            task.back_off(&mut backoff, error.to_string()).await?;
        }
    }
}
