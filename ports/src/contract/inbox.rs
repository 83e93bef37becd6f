//! What every [`InboxCache`] has to pass.

mod checks;
mod model;
mod warming;

use std::{sync::Arc, time::Duration};

use super::breach::{Breach, Check};
use crate::inbox::InboxCache;

/// Checks the promises of the inbox. `empty` gives an empty inbox in the layout of stories
/// ([`LAYOUT`](super::story::LAYOUT)), apart from those given before. What does not come within
/// `patience` counts as never.
///
/// # Errors
/// The first promise that is broken.
pub async fn inbox_contract(
    empty: impl AsyncFn() -> Arc<dyn InboxCache>,
    patience: Duration,
) -> Result<(), Breach> {
    check("an empty inbox", checks::empty(&*empty().await).await)?;
    check("after each ruling", checks::after_each(&*empty().await).await)?;
    let two = [empty().await, empty().await];
    check("any split of the rulings gives the same", checks::splits(&two).await)?;
    check("what changed since", checks::since(&*empty().await).await)?;
    check("repeats change nothing", checks::repeats(&*empty().await).await)?;
    let two = [empty().await, empty().await];
    check("warmed equals applied", warming::warmed(&two).await)?;
    check("warmed whole or not at all", warming::warms_whole(&*empty().await).await)?;
    check("a batch is visible at once", checks::whole_batches(&*empty().await, patience).await)?;
    check(
        "cleared and warmed while it is read",
        warming::cleared(&*empty().await, patience).await,
    )?;
    check("a message to many", checks::channel(&*empty().await).await)?;
    check("waiting", checks::reaches(&*empty().await, patience).await)
}

fn check(promise: &'static str, outcome: Check) -> Result<(), Breach> {
    outcome.map_err(|what| Breach { promise, what })
}
