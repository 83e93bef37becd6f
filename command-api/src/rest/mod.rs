//! The REST commands, one endpoint a file.
//!
//! A message's id stands in its body, so `Idempotency-Key` is not read there.

mod ask;
mod conversation;
mod create_conversation;
mod open_direct;
mod put_member;
mod put_receipts;
mod remove_member;
mod send_message;
mod stale;

use std::{sync::Arc, time::Duration};

use axum::{Router, extract::FromRef};
use verbatim_http::Mount;
use verbatim_ports::{
    auth::Authenticator,
    clock::{Clock, Entropy},
    history::HistoryStore,
};
use verbatim_schemas::routes::{self, Service};

use crate::{Config, Deps, handler::Handler};

/// What the endpoints share.
#[derive(Clone)]
pub(crate) struct Api(Arc<Parts>);

struct Parts {
    handler: Arc<Handler>,
    history: Arc<dyn HistoryStore>,
    auth: Arc<dyn Authenticator>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    /// How long a ruling is waited for.
    ruling_within: Duration,
    /// How long history is waited for.
    history_within: Duration,
}

/// All routes of the service.
pub(crate) fn router(handler: Arc<Handler>, deps: Deps, config: &Config) -> Router {
    let Deps { history, auth, clock, entropy, .. } = deps;
    let (ruling_within, history_within) = (config.ruling, config.history);
    let parts = Parts { handler, history, auth, clock, entropy, ruling_within, history_within };
    Mount::new(Service::CommandApi)
        .route(&routes::OPEN_DIRECT, open_direct::open_direct)
        .route(&routes::CREATE_CONVERSATION, create_conversation::create_conversation)
        .route(&routes::PUT_MEMBER, put_member::put_member)
        .route(&routes::REMOVE_MEMBER, remove_member::remove_member)
        .route(&routes::SEND_MESSAGE, send_message::send_message)
        .route(&routes::PUT_RECEIPTS, put_receipts::put_receipts)
        .finish()
        .with_state(Api(Arc::new(parts)))
}

impl FromRef<Api> for Arc<dyn Authenticator> {
    fn from_ref(api: &Api) -> Self {
        api.0.auth.clone()
    }
}

impl FromRef<Api> for Arc<dyn Clock> {
    fn from_ref(api: &Api) -> Self {
        api.0.clock.clone()
    }
}

impl FromRef<Api> for Arc<dyn Entropy> {
    fn from_ref(api: &Api) -> Self {
        api.0.entropy.clone()
    }
}
