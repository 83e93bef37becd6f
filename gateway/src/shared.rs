use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::sync::{Notify, watch};
use verbatim_domain::Position;
use verbatim_ports::{
    auth::{Authenticator, Tickets},
    clock::{Clock, Entropy},
    commands::Commands,
    history::HistoryStore,
    inbox::InboxCache,
    log::EventLog,
    presence::{Incarnation, PresenceStore},
};

use crate::{
    GatewayConfig,
    behind::BehindDesk,
    config::millis,
    hub::Hub,
    presence::PresenceDesk,
    session::{Goodbye, Session},
    time::Time,
    wheel::Wheel,
};

/// What the gateway needs from the world.
#[derive(Clone)]
pub struct GatewayDeps {
    /// `chat.timeline` is followed.
    pub log: Arc<dyn EventLog>,
    /// Sends and receipts go here.
    pub commands: Arc<dyn Commands>,
    /// `fetch` is answered from here, and who shares a conversation.
    pub history: Arc<dyn HistoryStore>,
    /// `heads` come from here.
    pub inbox: Arc<dyn InboxCache>,
    /// Who is online.
    pub presence: Arc<dyn PresenceStore>,
    /// Verifies tokens.
    pub auth: Arc<dyn Authenticator>,
    /// Issues and redeems tickets.
    pub tickets: Arc<dyn Tickets>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Randomness.
    pub entropy: Arc<dyn Entropy>,
}

/// What all tasks of the gateway share.
pub(crate) struct Shared {
    pub(crate) config: GatewayConfig,
    pub(crate) deps: GatewayDeps,
    pub(crate) time: Time,
    pub(crate) wheel: Wheel,
    pub(crate) presence: PresenceDesk,
    pub(crate) behind: BehindDesk,
    pub(crate) incarnation: Incarnation,
    hub: Mutex<Hub>,
    /// Counts what the follower delivered.
    progress: watch::Sender<u64>,
    /// Sockets of each address.
    pub(crate) addresses: Mutex<HashMap<IpAddr, u32>>,
    /// Sockets, from the handshake on.
    pub(crate) open: AtomicUsize,
    /// Those of them that are not signed in.
    pub(crate) connecting: AtomicUsize,
    /// A socket ended.
    pub(crate) ended: Notify,
    following: watch::Sender<bool>,
    draining: AtomicBool,
    /// Whether sockets that outlasted the drain end as they are.
    cut: AtomicBool,
    /// Rulings skipped beyond gaps that are open now.
    pub(crate) skipped: AtomicU64,
}

impl Shared {
    pub(crate) fn new(config: GatewayConfig, deps: GatewayDeps) -> Self {
        let mut bytes = [0; 16];
        deps.entropy.fill(&mut bytes);
        let incarnation = Incarnation(uuid::Builder::from_random_bytes(bytes).into_uuid());
        Self {
            time: Time::new(deps.clock.clone()),
            wheel: Wheel::default(),
            presence: PresenceDesk::new(config.watch_users),
            behind: BehindDesk::default(),
            incarnation,
            hub: Mutex::new(Hub::new(config.clone())),
            progress: watch::Sender::new(0),
            addresses: Mutex::default(),
            open: AtomicUsize::new(0),
            connecting: AtomicUsize::new(0),
            ended: Notify::new(),
            following: watch::Sender::new(false),
            draining: AtomicBool::new(false),
            cut: AtomicBool::new(false),
            skipped: AtomicU64::new(0),
            config,
            deps,
        }
    }

    pub(crate) fn hub(&self) -> MutexGuard<'_, Hub> {
        self.hub.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_following(&self) -> bool {
        *self.following.borrow()
    }

    pub(crate) fn set_following(&self, following: bool) {
        self.following.send_replace(following);
    }

    pub(crate) fn following(&self) -> watch::Receiver<bool> {
        self.following.subscribe()
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut.load(Ordering::Acquire)
    }

    pub(crate) fn set_cut(&self) {
        self.cut.store(true, Ordering::Release);
    }

    pub(crate) fn set_draining(&self) {
        self.draining.store(true, Ordering::Release);
    }

    /// Says that more was delivered.
    pub(crate) fn progressed(&self) {
        self.progress.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Waits until everything up to `target` was delivered here; false when that takes too long.
    pub(crate) async fn wait_for(&self, target: &Position, within: Duration) -> bool {
        if self.hub().position().covers(target) {
            return true;
        }
        let mut progress = self.progress.subscribe();
        let reached = async {
            loop {
                progress.borrow_and_update();
                if self.hub().position().covers(target) || progress.changed().await.is_err() {
                    break;
                }
            }
        };
        tokio::time::timeout(within, reached).await.is_ok()
    }

    /// Takes a socket out of everything.
    pub(crate) fn forget(&self, session: &Session) {
        let mut hub = self.hub();
        if let Some(user) = hub.remove(session) {
            // Under the hub's lock, as arriving is: else a user whose next socket comes in between
            // would be gone with it open.
            self.presence.gone(&user, self.time.elapsed(), self.time.wall());
        }
        drop(hub);
        self.presence.forget(session.number);
    }

    /// When a client may come back, so that not all come at once.
    pub(crate) fn jitter_ms(&self) -> u64 {
        let mut bytes = [0; 8];
        self.deps.entropy.fill(&mut bytes);
        let spread = millis(self.config.reconnect_spread).max(1);
        u64::from_le_bytes(bytes) % spread
    }

    pub(crate) fn restart(&self) -> Goodbye {
        Goodbye::restart(self.jitter_ms())
    }
}
