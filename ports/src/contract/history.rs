//! What every [`HistoryStore`] and [`HistoryWriter`] has to pass.
//!
//! [`HistoryStore`]: crate::history::HistoryStore
//! [`HistoryWriter`]: crate::history::HistoryWriter

mod large;
mod model;
mod positions;
mod reads;
mod rebuild;
mod scene;
mod visibility;
mod writes;

use std::{sync::Arc, time::Duration};

pub use self::scene::History;
use self::scene::Scene;
use super::{
    breach::{Breach, Check},
    story::Story,
};

/// Checks the promises of history. `empty` gives an empty history in the layout of stories
/// ([`LAYOUT`](super::story::LAYOUT)), apart from those given before; `again` ends one and opens it
/// again from the same storage. What does not come within `patience` counts as never.
///
/// # Errors
/// The first promise that is broken.
pub async fn history_contract(
    empty: impl AsyncFn() -> Arc<dyn History>,
    again: impl AsyncFn(Arc<dyn History>) -> Arc<dyn History>,
    patience: Duration,
) -> Result<(), Breach> {
    let three = [empty().await, empty().await, empty().await];
    check("any split of the rulings gives the same", writes::splits(&three).await)?;
    let together = writes::together(empty().await, patience).await;
    check("rows and checkpoint move together", together)?;
    let woken = positions::woken(empty().await, patience).await;
    check("who waits is woken", woken)?;

    let scene = Scene::begin(empty().await, Story::new(7, 220), patience).await;
    let mut scene = scene.map_err(|what| Breach { promise: "a story is taken", what })?;
    read(&scene).await?;
    check("positions", positions::at_once(&scene).await)?;
    check("a checkpoint elsewhere refuses", writes::fenced(&scene).await)?;
    let tell = writes::digests_tell(&*empty().await, &scene).await;
    check("digests tell histories apart", tell)?;
    check("the inbox can be warmed", writes::inbox_rows(&scene).await)?;
    check("versions that never went live", rebuild::dropped(&scene).await)?;
    check("rebuilt while it is read", rebuild::rebuilt_while_read(&scene).await)?;
    scene.history = again(scene.history).await;
    read(&scene).await?;
    check("what was there is there again", positions::at_once(&scene).await)?;

    let two = [empty().await, empty().await];
    check("receipts of large conversations", large::receipts(two, patience).await)
}

async fn read(scene: &Scene) -> Result<(), Breach> {
    check("nobody reads what they may not", visibility::canaries(scene).await)?;
    check("memberships", reads::memberships(scene).await)?;
    check("conversations and members", reads::conversations_and_members(scene).await)?;
    check("pages of messages", reads::messages(scene).await)?;
    check("entries", reads::entries(scene).await)?;
    check("receipts", reads::receipts(scene).await)?;
    check("the inbox", reads::inbox(scene).await)?;
    check("sent messages", reads::sent_messages(scene).await)?;
    check("who shares a conversation", reads::sharing(scene).await)
}

fn check(promise: &'static str, outcome: Check) -> Result<(), Breach> {
    outcome.map_err(|what| Breach { promise, what })
}
