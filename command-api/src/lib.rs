//! The command API: authenticates, checks shape, size and rates, appends to `chat.events`, awaits the
//! ruling and answers with it. Membership and all the rest is the ruling's.
//!
//! | module | what it holds |
//! |---|---|
//! | `config` | the bounds, with their defaults |
//! | `handler` | the command handler, shared by REST and the gateway |
//! | `rest` | the REST commands, one endpoint a file |
//!
//! A command's way: `rest::send_message` reads the request; `handler::submit` counts it against its
//! rates, takes its place in the order and appends it; `handler::follow` sees its ruling pass by and
//! `handler::rulings` wakes who waits for it; `handler::answer` says what it means; the endpoint
//! makes the HTTP answer of that. What is not here: deciding (`domain`), and reading (`query-api`).

mod config;
mod handler;
mod rest;

use std::sync::Arc;

use axum::Router;
use tokio::sync::watch;
use verbatim_ports::{
    auth::Authenticator,
    clock::{Clock, Entropy},
    commands::Commands,
    conversations::ConversationStore,
    history::HistoryStore,
    inbox::InboxCache,
    log::EventLog,
};

pub use config::{Config, Rate};
use handler::{Handler, Port};

/// What the command API needs from the world.
#[derive(Clone)]
pub struct Deps {
    /// Where commands go, and where their rulings come from.
    pub log: Arc<dyn EventLog>,
    /// Hints who is a member, for the rate of misses.
    pub inbox: Arc<dyn InboxCache>,
    /// What it holds for an id that is too old, and up to where the log was ruled on.
    pub history: Arc<dyn HistoryStore>,
    /// The timeline's state where it is in this process: it, too, says up to where.
    pub state: Option<Arc<dyn ConversationStore>>,
    /// Who is asking.
    pub auth: Arc<dyn Authenticator>,
    /// The time, for rates, new ids and measurements.
    pub clock: Arc<dyn Clock>,
    /// Salts and new ids.
    pub entropy: Arc<dyn Entropy>,
}

/// The service. One a node.
pub struct CommandApi {
    handler: Arc<Handler>,
    deps: Deps,
    config: Config,
}

impl CommandApi {
    /// Makes it; nothing runs yet.
    pub fn new(deps: Deps, config: Config) -> Self {
        let handler = Arc::new(Handler::new(&deps, config.clone()));
        Self { handler, deps, config }
    }

    /// The REST commands (api.md, section 2).
    pub fn router(&self) -> Router {
        rest::router(self.handler.clone(), self.deps.clone(), &self.config)
    }

    /// The command handler, for the gateway. To be called within a tokio runtime.
    pub fn commands(&self) -> Arc<dyn Commands> {
        Arc::new(Port(self.handler.clone()))
    }

    /// Follows the rulings; to be spawned before commands come, for without it every answer is that
    /// the ruling was not seen. Ends once `shutdown` is true (or its sender is gone) and no command
    /// is in flight, at most [`Config::drain`] later.
    pub fn run(
        &self,
        shutdown: watch::Receiver<bool>,
    ) -> impl Future<Output = ()> + Send + 'static {
        self.handler.clone().run(shutdown)
    }

    /// Whether the rulings can be followed at the moment, for readiness: false before
    /// [`run`](Self::run) has opened the log, while the log cannot be read, and while a gap in the
    /// rulings has been open for 30 s.
    pub fn following(&self) -> watch::Receiver<bool> {
        self.handler.following()
    }
}
