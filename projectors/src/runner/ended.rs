//! Why work on a partition ended, and what follows from it.

use verbatim_ports::{StoreError, follow::FollowError, log::LogError, source::SourceError};

/// Why work on a partition ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// It was told to stop.
    #[error("told to stop")]
    Stopped,
    /// The ground was changed under it: it begins again from its checkpoint at once.
    #[error("to be begun again")]
    Reload,
    /// A store or the log cannot be reached: tried again after a while, for ever.
    #[error("{0}")]
    Unavailable(String),
    /// Another owner moved the checkpoint: work goes on from where that one came to.
    #[error("another owner moved the checkpoint")]
    Fenced,
    /// What is stored does not fit the log: the partition stops until an operator has looked.
    #[error("{0}")]
    Unusable(String),
}

impl From<SourceError> for Ended {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Log(error) => error.into(),
            SourceError::Missing { .. } | SourceError::Other { .. } => {
                Self::Unusable(error.to_string())
            }
        }
    }
}

impl From<StoreError> for Ended {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Behind => Self::Unavailable(error.to_string()),
            StoreError::Fenced => Self::Fenced,
            StoreError::Corrupt(_) => Self::Unusable(error.to_string()),
        }
    }
}

impl From<LogError> for Ended {
    fn from(error: LogError) -> Self {
        match error {
            LogError::Unavailable(_) => Self::Unavailable(error.to_string()),
            LogError::Corrupt(_) => Self::Unusable(error.to_string()),
        }
    }
}

impl From<FollowError> for Ended {
    fn from(error: FollowError) -> Self {
        match error {
            FollowError::Log(error) => error.into(),
            FollowError::Foreign { .. } => Self::Unusable(error.to_string()),
        }
    }
}
