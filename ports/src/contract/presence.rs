//! What every [`PresenceStore`] has to pass.

mod announcements;
mod online;
mod scene;

use std::{sync::Arc, time::Duration};

use self::scene::Scene;
use super::{
    breach::{Breach, Check},
    clock::ManualClock,
};
use crate::{clock::Clock, presence::PresenceStore};

/// Checks the promises of [`PresenceStore`]. `open` opens the store of the same storage each time,
/// reading the given clock; what was opened before has been dropped then. What does not come within
/// `patience` counts as lost.
///
/// # Errors
/// The first promise that is broken.
pub async fn presence_contract(
    open: impl AsyncFn(Arc<dyn Clock>) -> Arc<dyn PresenceStore>,
    patience: Duration,
) -> Result<(), Breach> {
    let clock = Arc::new(ManualClock::default());
    let mut scene = Scene::new(open(clock.clone()).await, clock.clone(), patience);
    check("who never was", online::strangers(&scene).await)?;
    check("arriving and departing", online::arrives_and_departs(&mut scene).await)?;
    check("repeats change nothing", online::repeats(&mut scene).await)?;
    check("two gateways", online::two_gateways(&mut scene).await)?;
    check("without a lease nobody is online", online::without_lease(&mut scene).await)?;
    check("a lease that ends", online::lease_ends(&mut scene).await)?;
    check("a lease that is given up", online::released(&mut scene).await)?;
    check("a gateway that died and another", online::died(&mut scene).await)?;
    check("a network that flaps", announcements::flaps(&mut scene).await)?;
    check("announcements", announcements::changes(&mut scene).await)?;
    let before = online::before_restart(&mut scene).await;
    let before = before.map_err(|what| Breach { promise: "last seen survives", what })?;
    drop(scene.store);
    scene.store = open(clock).await;
    check("last seen survives", online::after_restart(&scene, &before).await)
}

fn check(promise: &'static str, outcome: Check) -> Result<(), Breach> {
    outcome.map_err(|what| Breach { promise, what })
}
