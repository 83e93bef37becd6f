//! The metrics of one projection in one partition.

use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// Handles, so that a batch pays for no labels.
pub(crate) struct Meters {
    lag: Gauge,
    gap: Gauge,
    gaps: Counter,
    applied: Counter,
    batch: Histogram,
    seconds: Histogram,
    retries: Counter,
}

impl Meters {
    pub(super) fn new(projection: &'static str, partition: u32) -> Self {
        let labels = [("projection", projection.to_owned()), ("partition", partition.to_string())];
        Self {
            lag: gauge!("verbatim_projection_lag_records", &labels),
            gap: gauge!("verbatim_projection_gap_open", &labels),
            gaps: counter!("verbatim_projection_gaps_total", &labels),
            applied: counter!("verbatim_projection_applied_total", &labels),
            batch: histogram!("verbatim_projection_batch_records", &labels),
            seconds: histogram!("verbatim_projection_apply_seconds", &labels),
            retries: counter!("verbatim_projection_retries_total", &labels),
        }
    }

    /// Offsets between the position and the end.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; lags are far below 2^53")]
    pub(super) fn lag(&self, records: u64) {
        self.lag.set(records as f64);
    }

    /// A gap opened or closed.
    pub(super) fn gap(&self, open: bool) {
        self.gap.set(if open { 1.0 } else { 0.0 });
        if open {
            self.gaps.increment(1);
        }
    }

    /// A batch was written, in so many milliseconds by the clock.
    #[expect(clippy::cast_precision_loss, reason = "batches and their times are small numbers")]
    pub(super) fn batch(&self, records: usize, millis: u64) {
        self.applied.increment(records as u64);
        self.batch.record(records as f64);
        self.seconds.record(millis as f64 / 1_000.0);
    }

    /// Something is tried again.
    pub(super) fn retry(&self) {
        self.retries.increment(1);
    }
}
