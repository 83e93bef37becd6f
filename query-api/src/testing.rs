//! A small world in memory for the endpoints' tests.
//!
//! In the group `ann` (admin) and `bob` are founding members; `dan` was added and removed; `cat` came
//! later. `eve` is nobody's friend.

mod client;
mod history;
mod inbox;
mod people;

use std::sync::{Arc, Mutex};

use axum::Router;
use verbatim_domain::Position;
use verbatim_http::with_fallbacks;
use verbatim_ports::log::Layout;
use verbatim_schemas::Src;

use crate::{Config, Deps, QueryApi};

pub(crate) const GROUP: &str = "0190a5a0-0000-7000-8000-000000000003";
pub(crate) const CHANNEL: &str = "0190a5a0-0000-7000-8000-000000000001";
pub(crate) const DIRECT: &str = "0190a5a0-0000-8000-8000-000000000002";
/// The id of no conversation.
pub(crate) const NOWHERE: &str = "0190a5a0-0000-7000-8000-00000000000f";
/// What the last message of the group carries: numbers that no float holds.
pub(crate) const METADATA: &str = r#""metadata":{"n":1.10,"big":12345678901234567890123}"#;

const LAYOUT: Layout = Layout { generation: 1, partitions: 2 };

pub(crate) struct World {
    config: Config,
    lagging_inbox: bool,
    waited: Arc<Mutex<u128>>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { config: Config::default(), lagging_inbox: false, waited: Arc::default() }
    }

    pub(crate) fn with_page_bytes(mut self, page_bytes: usize) -> Self {
        self.config.page_bytes = page_bytes;
        self
    }

    pub(crate) fn with_public_receipts_up_to(mut self, members: u32) -> Self {
        self.config.receipts_public_members = members;
        self
    }

    pub(crate) fn with_lagging_inbox(mut self) -> Self {
        self.lagging_inbox = true;
        self
    }

    /// One path of every route.
    pub(crate) fn paths() -> Vec<String> {
        let inside = ["", "/members", "/messages", "/entries", "/receipts"];
        let mut paths: Vec<String> =
            inside.iter().map(|route| format!("/v1/conversations/{GROUP}{route}")).collect();
        paths
            .extend(["/v1/conversations", "/v1/unread", "/v1/presence?user=ann"].map(String::from));
        paths
    }

    /// A position so far beyond what is included.
    pub(crate) fn token(&self, beyond: u64) -> String {
        let offset = included().offsets[&0] + beyond;
        Position::at(Src { generation: LAYOUT.generation, partition: 0, offset }).token()
    }

    /// How long the last wait that ended without success was allowed to take.
    pub(crate) fn waited_ms(&self) -> u128 {
        *self.waited.lock().unwrap()
    }

    fn router(&self) -> Router {
        let deps = Deps {
            history: Arc::new(history::History { waited: Arc::clone(&self.waited) }),
            inbox: Arc::new(inbox::Inbox {
                lagging: self.lagging_inbox,
                waited: Arc::clone(&self.waited),
            }),
            presence: Arc::new(people::People),
            authenticator: Arc::new(people::People),
            clock: Arc::new(people::People),
            layout: LAYOUT,
        };
        with_fallbacks(QueryApi::new(deps, self.config).router())
    }
}

/// What every fake includes.
fn included() -> Position {
    Position { generation: LAYOUT.generation, offsets: [(0, 7), (1, 3)].into() }
}
