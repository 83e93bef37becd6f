//! Who is online, and when somebody last was.

use verbatim_schemas::Timestamp;

use super::scene::{LEASE_MS, Scene, line, said};
use crate::contract::{
    breach::{Check, ensure},
    driver::user,
};

/// Offline and never seen; answers come in the order of the question, repeats too.
pub(super) async fn strangers(scene: &Scene) -> Check {
    let names = ["zoe", "ann", "zoe", "bob"];
    let users: Vec<_> = names.iter().map(|name| user(name)).collect();
    let found = said("presence", scene.store.presence(&users, scene.now()).await)?;
    let expected: Vec<_> = names.iter().map(|name| line(name, false, None)).collect();
    ensure!(found == expected, "{found:?}");
    let found = said("presence", scene.store.presence(&[], scene.now()).await)?;
    ensure!(found.is_empty(), "nobody asked for: {found:?}");
    Ok(())
}

pub(super) async fn arrives_and_departs(scene: &mut Scene) -> Check {
    let gateway = scene.gateway().await?;
    scene.arrive(gateway, "ann").await?;
    scene.is_online("ann").await?;
    let left = scene.clock.advance(1_000);
    scene.depart(gateway, "ann").await?;
    scene.is_offline_since("ann", left).await?;
    let users = ["bob", "ann"].map(user);
    scene.arrive(gateway, "bob").await?;
    let found = said("presence", scene.store.presence(&users, scene.now()).await)?;
    let expected = [line("bob", true, None), line("ann", false, Some(left))];
    ensure!(found == expected, "{found:?}, not {expected:?}");
    scene.depart(gateway, "bob").await
}

pub(super) async fn repeats(scene: &mut Scene) -> Check {
    let gateway = scene.gateway().await?;
    scene.arrive(gateway, "ann").await?;
    scene.arrive(gateway, "ann").await?;
    scene.is_online("ann").await?;
    let left = scene.clock.advance(10);
    scene.depart(gateway, "ann").await?;
    scene.is_offline_since("ann", left).await?;
    scene.clock.advance(10);
    scene.depart(gateway, "ann").await?;
    scene.is_offline_since("ann", left).await?;
    scene.depart(gateway, "cid").await?;
    let found = scene.presence("cid").await?;
    ensure!(found == line("cid", false, None), "never there, and {found:?}");
    scene.release(gateway).await?;
    scene.release(gateway).await
}

/// Online as long as one of them has a socket.
pub(super) async fn two_gateways(scene: &mut Scene) -> Check {
    let (one, other) = (scene.gateway().await?, scene.gateway().await?);
    scene.arrive(one, "ann").await?;
    scene.arrive(other, "ann").await?;
    scene.depart(one, "ann").await?;
    scene.is_online("ann").await?;
    scene.arrive(one, "ann").await?;
    scene.release(other).await?;
    scene.is_online("ann").await?;
    let left = scene.clock.advance(10);
    scene.depart(one, "ann").await?;
    scene.is_offline_since("ann", left).await
}

pub(super) async fn without_lease(scene: &mut Scene) -> Check {
    let gateway = scene.started();
    scene.arrive(gateway, "dora").await?;
    let found = scene.presence("dora").await?;
    ensure!(!found.online, "without a lease: {found:?}");
    scene.lease(gateway).await?;
    scene.arrive(gateway, "dora").await?;
    scene.is_online("dora").await?;
    scene.depart(gateway, "dora").await
}

/// Renewed it goes on; else its users are offline, whoever else holds a lease.
pub(super) async fn lease_ends(scene: &mut Scene) -> Check {
    let (one, other) = (scene.gateway().await?, scene.gateway().await?);
    scene.arrive(one, "ann").await?;
    scene.arrive(one, "bob").await?;
    scene.arrive(other, "bob").await?;
    scene.clock.advance(LEASE_MS - 1);
    scene.is_online("ann").await?;
    scene.lease(one).await?;
    scene.lease(other).await?;
    let renewed = scene.clock.advance(LEASE_MS - 1);
    scene.is_online("ann").await?;
    scene.lease(other).await?;
    let over = scene.clock.advance(2);
    scene.is_offline("ann", renewed.min(over), over).await?;
    scene.is_online("bob").await?;
    // And so it stays when somebody has cleared it away.
    scene.lease(other).await?;
    scene.is_offline("ann", renewed, over).await?;
    scene.is_online("bob").await?;
    let left = scene.clock.advance(5);
    scene.depart(other, "bob").await?;
    scene.is_offline_since("bob", left).await?;
    scene.release(other).await
}

pub(super) async fn released(scene: &mut Scene) -> Check {
    let gateway = scene.gateway().await?;
    scene.arrive(gateway, "ann").await?;
    scene.arrive(gateway, "bob").await?;
    let left = scene.clock.advance(3_000);
    scene.release(gateway).await?;
    scene.is_offline_since("ann", left).await?;
    scene.is_offline_since("bob", left).await
}

/// The next run of a gateway begins with nobody, and whom the dead one had comes back with it alone.
pub(super) async fn died(scene: &mut Scene) -> Check {
    let dead = scene.gateway().await?;
    scene.arrive(dead, "ann").await?;
    scene.clock.advance(LEASE_MS + 1);
    let next = scene.gateway().await?;
    let found = scene.presence("ann").await?;
    ensure!(!found.online, "under a gateway that died: {found:?}");
    scene.arrive(next, "ann").await?;
    scene.is_online("ann").await?;
    // The dead one's farewell, late.
    scene.depart(dead, "ann").await?;
    scene.release(dead).await?;
    scene.is_online("ann").await?;
    let left = scene.clock.advance(1);
    scene.depart(next, "ann").await?;
    scene.is_offline_since("ann", left).await
}

/// People who go: in good order, and one who comes and goes within a minute.
pub(super) async fn before_restart(
    scene: &mut Scene,
) -> Result<Vec<(&'static str, Timestamp)>, String> {
    scene.clock.advance(3_600_000);
    let gateway = scene.gateway().await?;
    let mut seen = Vec::new();
    for name in ["flo", "gus", "hal"] {
        scene.arrive(gateway, name).await?;
    }
    scene.clock.advance(1_000);
    scene.depart(gateway, "flo").await?;
    seen.push(("flo", scene.now()));
    for _ in 0..10 {
        scene.clock.advance(9_000);
        scene.lease(gateway).await?;
        scene.depart(gateway, "gus").await?;
        scene.arrive(gateway, "gus").await?;
    }
    scene.depart(gateway, "gus").await?;
    seen.push(("gus", scene.now()));
    scene.clock.advance(5_000);
    scene.release(gateway).await?;
    seen.push(("hal", scene.now()));
    Ok(seen)
}

/// To the minute.
pub(super) async fn after_restart(scene: &Scene, seen: &[(&'static str, Timestamp)]) -> Check {
    for (name, at) in seen {
        let from = Timestamp::from_millis(at.as_millis() - 60_000);
        scene.is_offline(name, from, at.plus_millis(60_000)).await?;
    }
    Ok(())
}
