use std::{
    collections::VecDeque,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use verbatim_schemas::{Ruling, ruling::Accepted};

use crate::{encode, telemetry};

/// An accepted ruling, and its `entry` frame once somebody needs it.
#[derive(Debug)]
pub(crate) struct Live {
    ruling: Arc<Ruling>,
    frame: OnceLock<Bytes>,
}

impl Live {
    pub(crate) fn new(ruling: Arc<Ruling>) -> Self {
        Self { ruling, frame: OnceLock::new() }
    }

    pub(crate) fn ruling(&self) -> &Ruling {
        &self.ruling
    }

    pub(crate) fn accepted(&self) -> Option<&Accepted> {
        self.ruling.accepted()
    }

    /// The frame of the ruling's entry, encoded on the first call; `value` are the ruling's bytes,
    /// where they are at hand.
    pub(crate) fn frame(&self, value: Option<&[u8]>) -> Option<Bytes> {
        let content = self.ruling.content()?;
        let frame = self.frame.get_or_init(|| {
            telemetry::entry_encoded();
            encode::entry(&content.entry, value)
        });
        Some(frame.clone())
    }
}

/// The latest rulings of one partition, for sockets whose inbox lags behind the hub. Bounded in
/// number and bytes; who needs an older one loads the inbox again.
#[derive(Debug)]
pub(crate) struct Recent {
    rulings: VecDeque<(Arc<Live>, usize)>,
    bytes: usize,
    most: usize,
    most_bytes: usize,
    /// Everything after this offset is here.
    complete_after: Option<u64>,
}

impl Recent {
    /// Nothing yet; what comes begins after `position`.
    pub(crate) fn new(position: Option<u64>, most: usize, most_bytes: usize) -> Self {
        let rulings = VecDeque::new();
        Self { rulings, bytes: 0, most, most_bytes, complete_after: position }
    }

    /// Keeps a ruling of about so many bytes, and gives up the oldest beyond the bounds.
    pub(crate) fn keep(&mut self, live: Arc<Live>, bytes: usize) {
        self.rulings.push_back((live, bytes));
        self.bytes += bytes;
        while self.rulings.len() > self.most || self.bytes > self.most_bytes {
            let Some((oldest, bytes)) = self.rulings.pop_front() else { return };
            self.bytes -= bytes;
            self.complete_after = Some(oldest.ruling.src.offset);
        }
    }

    /// Whether everything after `position` is here.
    pub(crate) fn reaches(&self, position: Option<u64>) -> bool {
        position >= self.complete_after
    }

    /// What came after `position`, in order.
    pub(crate) fn after(&self, position: Option<u64>) -> impl Iterator<Item = &Arc<Live>> {
        let from = self
            .rulings
            .partition_point(|(live, _)| position.is_some_and(|at| live.ruling.src.offset <= at));
        self.rulings.range(from..).map(|(live, _)| live)
    }
}
