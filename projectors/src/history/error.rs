//! Why history was not rebuilt.

use verbatim_ports::{StoreError, follow::FollowError, history::Version, log::LogError};
use verbatim_schemas::Digest;

/// Why history was not rebuilt. The live version serves on, unchanged, in every case.
#[derive(Debug, thiserror::Error)]
pub enum RebuildError {
    /// The history projector does not run in this process.
    #[error("history is not projected in this process: ask the one with the role projectors")]
    NotHere,
    /// One rebuild runs already.
    #[error("history is being rebuilt already: wait until that has ended")]
    AlreadyRunning,
    /// The rebuilt version is not what is served. Both digests are of the same position.
    #[error(
        "the rebuilt version differs from the live one: live {live:?}, rebuilt {rebuilt:?}; the live \
         one stays: keep its data, and report this"
    )]
    Different {
        /// Of what is served.
        live: Digest,
        /// Of what the log gives.
        rebuilt: Digest,
    },
    /// The live version includes a record that the timeline does not rule on.
    #[error(
        "the live version includes record {offset} of partition {partition}, on which the timeline \
         does not rule: the log was truncated, swapped, or restored from a copy"
    )]
    NoSuchRecord {
        /// Which partition.
        partition: u32,
        /// Which record of `chat.events`.
        offset: u64,
    },
    /// The two versions do not stand at the same position, so that they cannot be compared.
    #[error("the rebuilt version does not stand where the live one does: begin again")]
    Astray,
    /// Another version went live meanwhile.
    #[error("version {} went live meanwhile: the rebuilt one is dropped", .0.0)]
    Superseded(Version),
    /// The projectors were told to stop.
    #[error("the server stops: begin again when it runs")]
    Stopped,
    /// The rebuild's own task panicked.
    #[error("the rebuild panicked: report the message in the server's error output")]
    Panicked,
    /// History's store cannot be used.
    #[error("history cannot be written or read")]
    Store(#[from] StoreError),
    /// The timeline cannot be read.
    #[error("the timeline cannot be read")]
    Follow(#[from] FollowError),
}

impl From<LogError> for RebuildError {
    fn from(error: LogError) -> Self {
        Self::Follow(error.into())
    }
}

impl RebuildError {
    /// Whether it may pass by itself.
    pub(super) fn may_pass(&self) -> bool {
        matches!(
            self,
            Self::Store(StoreError::Unavailable(_) | StoreError::Behind | StoreError::Fenced)
                | Self::Follow(FollowError::Log(LogError::Unavailable(_)))
        )
    }
}
