//! What stores answer when they cannot do what was asked.

use verbatim_schemas::{Code, Problem};

/// A store's refusal. Which of them may be tried again is in the variant.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, is full or too busy; try again later.
    #[error("store not available: {0}")]
    Unavailable(String),
    /// A wait for a position ended before it was reached; try again later.
    #[error("position not reached within the wait")]
    Behind,
    /// Another owner moved the checkpoint: stop, and reload.
    #[error("another owner moved the checkpoint")]
    Fenced,
    /// The stored data does not fit this program or the log; an operator has to look.
    #[error("stored data is not usable: {0}")]
    Corrupt(String),
}

impl From<StoreError> for Problem {
    /// What a client is told. What the operator has to know is for the log, not for the client.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Behind => Problem::new(Code::Behind).retry_after_ms(1_000),
            StoreError::Unavailable(_) | StoreError::Fenced | StoreError::Corrupt(_) => {
                Problem::new(Code::Unavailable).retry_after_ms(1_000)
            }
        }
    }
}
