//! Positions that are waited for: who waits is woken by who moves.

use std::time::Duration;

use tokio::{sync::watch, time::timeout};
use verbatim_domain::Position;
use verbatim_ports::{StoreError, log::Layout};

/// How far a projection includes the log.
pub(super) struct Progress {
    layout: Layout,
    position: watch::Sender<Position>,
}

impl Progress {
    /// Begins at a position.
    pub(super) fn new(layout: Layout, position: Position) -> Self {
        Self { layout, position: watch::Sender::new(position) }
    }

    /// The position of nothing, in a layout.
    pub(super) fn nothing(layout: Layout) -> Position {
        Position { generation: layout.generation, ..Position::default() }
    }

    /// What is included now.
    pub(super) fn position(&self) -> Position {
        self.position.borrow().clone()
    }

    /// Changes the position and wakes who waits.
    pub(super) fn change(&self, change: impl FnOnce(&mut Position)) {
        self.position.send_modify(change);
    }

    /// Waits until `target` is included. What can never be reached is not waited for.
    pub(super) async fn reach(
        &self,
        target: &Position,
        within: Duration,
    ) -> Result<(), StoreError> {
        let unknown = target.generation != self.layout.generation
            || target.offsets.keys().any(|partition| *partition >= self.layout.partitions);
        if unknown && !target.offsets.is_empty() {
            return Err(StoreError::Behind);
        }
        let mut position = self.position.subscribe();
        let reached = timeout(within, position.wait_for(|now| now.covers(target))).await;
        match reached {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(StoreError::Behind),
        }
    }
}
