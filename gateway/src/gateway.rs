use std::{
    future::Future,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{Router, extract::FromRef};
use tokio::time::MissedTickBehavior;
use verbatim_domain::Position;
use verbatim_http::Mount;
use verbatim_ports::auth::Authenticator;
use verbatim_schemas::routes::{self, Service};

use crate::{
    GatewayConfig, GatewayDeps, behind, follow, handshake, presence, shared::Shared, telemetry,
    tickets,
};

/// How many sockets are told to go at once, before the next ones are.
const DRAIN_AT_ONCE: usize = 256;
/// How long sockets that are cut off may take to be gone.
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// The gateway: sockets, subscriptions, fan-out and presence leases of one node.
#[derive(Clone)]
pub struct Gateway {
    shared: Arc<Shared>,
}

/// How a gateway is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GatewayStatus {
    /// Sockets that are open, those that are not signed in included.
    pub sockets: usize,
    /// Whether the timeline is followed. Until then, and while it is lost, no socket is opened.
    pub following: bool,
    /// What has been delivered.
    pub position: Position,
    /// Rulings that were skipped beyond gaps that are open now.
    pub skipped: u64,
    /// Sockets that wait for heads of partitions that lag.
    pub behind: usize,
    /// Whether sockets are being closed for the end.
    pub draining: bool,
}

/// What the routes need.
#[derive(Clone)]
pub(crate) struct Routed(pub(crate) Arc<Shared>);

impl FromRef<Routed> for Arc<dyn Authenticator> {
    fn from_ref(Routed(shared): &Routed) -> Self {
        shared.deps.auth.clone()
    }
}

impl Gateway {
    /// A gateway that does nothing yet: see [`router`](Self::router) and [`run`](Self::run).
    #[must_use]
    pub fn new(config: GatewayConfig, deps: GatewayDeps) -> Self {
        Self { shared: Arc::new(Shared::new(config, deps)) }
    }

    /// `GET /v1/ws` and `POST /v1/ws/tickets`. The address that a request comes from is taken from
    /// its [`ClientAddr`](verbatim_http::ClientAddr); requests without one count as of one address.
    /// The connection has to be served with upgrades, over TCP or TLS (rustls) on it.
    pub fn router(&self) -> Router {
        Mount::new(Service::Gateway)
            .route(&routes::CREATE_TICKET, tickets::issue)
            .route(&routes::OPEN_SOCKET, handshake::open)
            .finish()
            .with_state(Routed(self.shared.clone()))
    }

    /// Follows the timeline, turns the timers and keeps the presence lease, until `shutdown`, and
    /// then gives the lease up. To be called once; [`drain`](Self::drain) before it ends.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let shared = &self.shared;
        let tasks = [
            tokio::spawn(follow::serve(shared.clone())),
            tokio::spawn(turn(shared.clone())),
            tokio::spawn(behind::serve(shared.clone())),
            tokio::spawn(presence::serve(shared.clone())),
            tokio::spawn(presence::keep_lease(shared.clone())),
        ];
        let mut tasks = tasks.map(Abort);
        shutdown.await;
        for task in &mut tasks {
            task.0.abort();
            // Gone, and with it what it held of the stores.
            let _ended = (&mut task.0).await;
        }
        presence::release(shared).await;
    }

    /// Refuses new sockets with 503, tells the others when to come back (`bye`, 1012), waits up to
    /// `within` until they are closed, and gives the presence lease up. Gives how many are left.
    /// [`run`](Self::run) has to go on meanwhile.
    pub async fn drain(&self, within: Duration) -> usize {
        let shared = &self.shared;
        shared.set_draining();
        let sessions = shared.hub().sessions();
        for group in sessions.chunks(DRAIN_AT_ONCE) {
            let now = shared.time.elapsed();
            group.iter().for_each(|session| session.close(&shared.restart(), now));
            tokio::task::yield_now().await;
        }
        drop(sessions);
        let _in_time = tokio::time::timeout(within, self.all_closed()).await;
        let left = shared.open.load(Ordering::Acquire);
        if left > 0 {
            // Whoever does not close holds what it has of the stores no longer.
            shared.set_cut();
            shared.hub().sessions().iter().for_each(|session| session.wake());
            let _gone = tokio::time::timeout(CUT_WITHIN, self.all_closed()).await;
        }
        presence::release(shared).await;
        left
    }

    async fn all_closed(&self) {
        loop {
            let ended = self.shared.ended.notified();
            tokio::pin!(ended);
            ended.as_mut().enable();
            if self.shared.open.load(Ordering::Acquire) == 0 {
                return;
            }
            ended.await;
        }
    }

    /// Whether the timeline is followed; until then new sockets get 503.
    pub fn following(&self) -> tokio::sync::watch::Receiver<bool> {
        self.shared.following()
    }

    /// How it is now.
    pub fn status(&self) -> GatewayStatus {
        let shared = &self.shared;
        GatewayStatus {
            sockets: shared.open.load(Ordering::Acquire),
            following: shared.is_following(),
            position: shared.hub().position(),
            skipped: shared.skipped.load(Ordering::Acquire),
            behind: shared.behind.sockets(),
            draining: shared.is_draining(),
        }
    }
}

/// Ends a task with the gateway.
struct Abort(tokio::task::JoinHandle<()>);

impl Drop for Abort {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Turns the wheel of timers.
async fn turn(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(shared.config.tick);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let now = shared.time.elapsed();
        shared.wheel.turn(now);
        let sockets = {
            let mut hub = shared.hub();
            hub.tell_later(now);
            hub.sockets()
        };
        telemetry::sockets(sockets);
        shared.presence.tick();
    }
}
