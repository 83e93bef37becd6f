//! The command handler: checks rates, appends, and answers with the ruling.
//!
//! | file | what it holds |
//! |---|---|
//! | `submit` | a command's way from its submission to its answer |
//! | `limits` | which command counts against which rate, and what is given back |
//! | `rates` | one rate for every user |
//! | `members` | who is known to be a member; lanes behind lookups |
//! | `in_flight` | the bound on commands in flight |
//! | `rulings` | who waits for which ruling |
//! | `follow` | reads the rulings, for as long as the service runs |
//! | `answer` | from a ruling to the answer |
//! | `measure` | metrics |

mod answer;
mod follow;
mod in_flight;
mod limits;
mod measure;
mod members;
mod rates;
mod rulings;
mod submit;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use futures_util::{FutureExt, TryFutureExt};
use tokio::sync::watch;
use verbatim_ports::{
    clock::{Clock, Entropy},
    commands::{Command, Commands, Submitted},
    conversations::ConversationStore,
    history::HistoryStore,
    inbox::InboxCache,
    log::EventLog,
    source::SourceError,
};

pub(crate) use answer::Refused;
use in_flight::InFlight;
use limits::Limits;
use members::Members;
use rulings::Rulings;
use submit::Queued;

use crate::{Config, Deps};

/// The command handler. One a node, for REST and the gateway alike.
pub(crate) struct Handler {
    log: Arc<dyn EventLog>,
    inbox: Arc<dyn InboxCache>,
    history: Arc<dyn HistoryStore>,
    state: Option<Arc<dyn ConversationStore>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    config: Config,
    limits: Limits,
    in_flight: Arc<InFlight>,
    members: Members<Queued>,
    rulings: Arc<Rulings>,
    following: watch::Sender<bool>,
    /// What was found out at the start about each partition; nothing before that.
    sources: OnceLock<Vec<Result<(), SourceError>>>,
}

impl Handler {
    pub(crate) fn new(deps: &Deps, config: Config) -> Self {
        let Deps { log, inbox, history, state, clock, entropy, .. } = deps.clone();
        let partitions = log.layout().partitions;
        Self {
            limits: Limits::new(&config),
            in_flight: Arc::new(InFlight::new(config.in_flight, config.in_flight_bytes)),
            members: Members::new(config.known_members),
            rulings: Arc::new(Rulings::new(partitions, config.recent_rulings, config.recent_bytes)),
            following: watch::Sender::new(false),
            sources: OnceLock::new(),
            log,
            inbox,
            history,
            state,
            clock,
            entropy,
            config,
        }
    }

    /// Whether rulings are being followed, without a gap that stays open.
    pub(crate) fn following(&self) -> watch::Receiver<bool> {
        self.following.subscribe()
    }
}

/// The port's side of the handler.
pub(crate) struct Port(pub(crate) Arc<Handler>);

impl Commands for Port {
    fn submit(&self, command: Command, wait: Duration) -> Submitted {
        self.0.submit(command, wait).map_err(|refused| refused.problem).boxed()
    }
}

/// A panic elsewhere leaves nothing half done behind these locks.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
