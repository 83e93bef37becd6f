//! What all projectors share: owning partitions, working on each until told to stop, trying again,
//! pausing, and saying how far each has come.

mod backoff;
mod control;
mod ended;
mod follow;
mod meters;
mod own;
mod status;
mod task;

use std::convert::Infallible;

use async_trait::async_trait;

pub use control::{Control, StillBusy};
pub use ended::Ended;
pub use follow::{Following, Projection, Session};
pub use own::Runner;
pub use status::{Board, PartitionStatus, ProjectionStatus, State};
pub use task::{Pass, Task};

pub(crate) use backoff::Backoff;
pub(crate) use follow::check_place;

/// Works on one partition at a time of the caller's choosing; any number of them at once.
#[async_trait]
pub trait Worker: Send + Sync + 'static {
    /// The projector's name: in the status, the metrics and the group that shares its partitions.
    fn name(&self) -> &'static str;

    /// What an operator does when a partition stopped because its data is not usable.
    fn advice(&self) -> &'static str;

    /// Works from the checkpoint on until told to stop, or until something fails; then it is called
    /// again, or not, as [`Ended`] says. May be dropped at any await.
    async fn run(&self, task: &mut Task) -> Result<Infallible, Ended>;
}
