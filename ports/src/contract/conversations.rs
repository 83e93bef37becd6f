//! What every [`ConversationStore`] has to pass.

mod checkpoints;
mod histories;
mod model;

use std::sync::Arc;

use super::breach::{Breach, Check};
use crate::conversations::ConversationStore;

/// Checks the promises of [`ConversationStore`]. `open` opens the same storage each time, empty the
/// first time; what was opened before has been dropped then.
///
/// # Errors
/// The first promise that is broken.
pub async fn conversations_contract(
    open: impl AsyncFn() -> Arc<dyn ConversationStore>,
) -> Result<(), Breach> {
    let store = open().await;
    check("an empty store", checkpoints::empty(&*store).await)?;
    for seed in 0..6 {
        check("part of the state", histories::part_of_the_state(&*store, seed).await)?;
    }
    check("forgotten ids", histories::forgotten_ids(&*store).await)?;
    check("a full memory", histories::full_memory(&*store).await)?;
    check("long standing", histories::long_standing(&*store).await)?;
    check("one moment", histories::one_moment(&*store).await)?;
    check("the expected checkpoint", checkpoints::expected(&*store).await)?;
    check("a cleared partition", checkpoints::cleared(&*store).await)?;
    let kept = checkpoints::fill(&*store).await;
    check("filling", kept.as_ref().map(drop).map_err(Clone::clone))?;
    drop(store);
    let store = open().await;
    if let Ok(kept) = kept {
        check("opened again", kept.check_all(&*store).await)?;
    }
    Ok(())
}

fn check(promise: &'static str, outcome: Check) -> Result<(), Breach> {
    outcome.map_err(|what| Breach { promise, what })
}
