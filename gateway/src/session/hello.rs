use futures_util::{FutureExt, future::BoxFuture};
use verbatim_domain::Position;
use verbatim_ports::auth::Actor;
use verbatim_schemas::{Code, Problem, frames::Hello};

use super::{
    Goodbye,
    core::{Core, Phase},
};
use crate::{connect, encode};

/// Who is signed in, or why nobody is.
pub(super) type Connecting = BoxFuture<'static, Result<Actor, Goodbye>>;

/// The first frame: signs in and loads the heads.
pub(super) fn begin(core: &mut Core, frame: Hello, now: u64) {
    let since = match frame.since.as_deref().map(Position::parse).transpose() {
        Ok(since) => since,
        Err(_) => {
            let problem = Problem::new(Code::BadPosition).field("since");
            core.push(encode::error(frame.reference, problem), now);
            return core.wrong(now);
        }
    };
    core.wrong = 0;
    let (shared, session) = (core.shared.clone(), core.session.clone());
    let known = core.actor.as_deref().cloned();
    core.phase = Phase::Connecting(
        async move {
            let actor = match (known, frame.ticket) {
                (Some(actor), _) => actor,
                (None, Some(ticket)) => redeem(&shared, &ticket).await?,
                (None, None) => {
                    let detail = "send a ticket in `hello`, or Authorization at the handshake";
                    return Err(Goodbye::unauthenticated(detail));
                }
            };
            connect::first(&shared, &session, &actor, since).await?;
            Ok(actor)
        }
        .boxed(),
    );
}

async fn redeem(shared: &crate::shared::Shared, ticket: &str) -> Result<Actor, Goodbye> {
    match shared.deps.tickets.redeem(ticket).await {
        Ok(Some(actor)) => Ok(actor),
        Ok(None) => {
            let detail = "get a new ticket: each is for one use within 30 seconds";
            Err(Goodbye::unauthenticated(detail))
        }
        Err(error) => {
            tracing::warn!(%error, "tickets cannot be redeemed");
            Err(Goodbye::unavailable(shared.jitter_ms()))
        }
    }
}

/// `hello` was worked on.
pub(super) fn connected(core: &mut Core, connected: Result<Actor, Goodbye>) {
    let now = core.shared.time.elapsed();
    match connected {
        Ok(actor) => {
            core.actor = Some(Box::new(actor));
            core.admission.signed_in();
            core.heard = now;
            core.pinged = now;
            core.phase = Phase::Live;
            core.schedule(now);
        }
        Err(bye) => core.session.close(&bye, now),
    }
}
