//! Announcements of changes.

use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::timeout,
};

use super::scene::{LEASE_MS, Scene};
use crate::{
    contract::{breach::Check, driver::user},
    presence::PresenceChanged,
};

/// Waits for an announcement that names a user; others may come before it.
async fn hears(scene: &Scene, changes: &mut Receiver<PresenceChanged>, name: &str) -> Check {
    let user = user(name);
    let heard = async {
        loop {
            match changes.recv().await {
                Ok(change) if change.users.contains(&user) => return Ok(()),
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return Ok(()),
                Err(RecvError::Closed) => return Err("announcements ended".to_owned()),
            }
        }
    };
    let heard = timeout(scene.patience, heard).await;
    heard.unwrap_or_else(|_| Err(format!("nothing was heard of {name}")))
}

/// Every listener hears of each going and coming, with the presence changed by then.
pub(super) async fn changes(scene: &mut Scene) -> Check {
    let (one, other) = (scene.gateway().await?, scene.gateway().await?);
    let (mut first, mut second) = (scene.store.changes(), scene.store.changes());
    scene.arrive(one, "ann").await?;
    hears(scene, &mut first, "ann").await?;
    hears(scene, &mut second, "ann").await?;
    scene.is_online("ann").await?;
    scene.depart(one, "ann").await?;
    hears(scene, &mut first, "ann").await?;
    hears(scene, &mut second, "ann").await?;
    scene.arrive(one, "bob").await?;
    hears(scene, &mut first, "bob").await?;
    scene.release(one).await?;
    hears(scene, &mut first, "bob").await?;
    // Leases that ended are announced with the next lease of any gateway.
    let dead = scene.gateway().await?;
    scene.arrive(dead, "cid").await?;
    hears(scene, &mut first, "cid").await?;
    scene.clock.advance(LEASE_MS - 1);
    scene.lease(other).await?;
    scene.clock.advance(2);
    scene.lease(other).await?;
    hears(scene, &mut first, "cid").await?;
    scene.release(other).await
}

/// Whoever comes and goes quickly is announced each time, and is in the end what they are.
pub(super) async fn flaps(scene: &mut Scene) -> Check {
    let gateway = scene.gateway().await?;
    let mut changes = scene.store.changes();
    for _ in 0..20 {
        scene.arrive(gateway, "eve").await?;
        hears(scene, &mut changes, "eve").await?;
        scene.is_online("eve").await?;
        let left = scene.clock.advance(100);
        scene.depart(gateway, "eve").await?;
        hears(scene, &mut changes, "eve").await?;
        scene.is_offline_since("eve", left).await?;
    }
    // Nobody listens fast enough to more than there is room for; the store goes on.
    let lagging = scene.store.changes();
    for _ in 0..1_500 {
        scene.arrive(gateway, "eve").await?;
        scene.depart(gateway, "eve").await?;
    }
    drop(lagging);
    scene.is_offline_since("eve", scene.now()).await?;
    scene.release(gateway).await
}
