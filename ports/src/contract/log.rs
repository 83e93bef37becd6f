//! What every [`EventLog`] has to pass.

mod appends;
mod durability;
mod scene;
mod tails;

use std::{sync::Arc, time::Duration};

use self::scene::Scene;
use super::breach::{Breach, Check};
use crate::log::{EventLog, Stream};

/// Checks the promises of [`EventLog`] on both streams. `open` opens the log of the same storage
/// each time, which must have at least three partitions and nobody else who appends; what was opened
/// before has been dropped then. What does not come within `patience` counts as lost.
///
/// # Errors
/// The first promise that is broken.
pub async fn log_contract(
    open: impl AsyncFn() -> Arc<dyn EventLog>,
    patience: Duration,
) -> Result<(), Breach> {
    for stream in [Stream::Events, Stream::Timeline] {
        let scene = Scene { log: open().await, stream, patience };
        check("enough partitions", scene.has_partitions())?;
        check("the order of calls", appends::order_of_calls(&scene).await)?;
        check("each appender's order", appends::concurrent_appenders(&scene).await)?;
        check("several partitions at once", appends::several_partitions(&scene).await)?;
        check("nothing to append", appends::nothing(&scene).await)?;
        check("bytes as they are", appends::bytes_as_they_are(&scene).await)?;
        check("times", appends::times_do_not_run_backwards(&scene).await)?;
        check("a dropped append", appends::dropped_future(&scene).await)?;
        check("acknowledged is readable", durability::acknowledged_is_readable(&scene).await)?;
        check("waiting for more", tails::waits_for_more(&scene).await)?;
        check("beyond the end", tails::waits_beyond_the_end(&scene).await)?;
        check("joining while appends go on", tails::joins_appends(&scene).await)?;
        check("bounded batches", tails::bounded_batches(&scene).await)?;
        check("a dropped next", tails::dropped_next(&scene).await)?;
        check("independent tails", tails::independent(&scene).await)?;
        check("fair to partitions", tails::fair(&scene).await)?;
        check("streams apart", tails::streams_apart(&scene).await)?;
        check("owning partitions", durability::sole_member_owns_all(&scene).await)?;
        check("opened again", durability::opened_again(scene, &open).await)?;
    }
    Ok(())
}

fn check(promise: &'static str, outcome: Check) -> Result<(), Breach> {
    outcome.map_err(|what| Breach { promise, what })
}
