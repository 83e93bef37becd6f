//! The reads of the REST interface (api.md section 3).
//!
//! A read waits until its own projection includes what the client has seen elsewhere
//! (`Verbatim-After`), and says what its answer includes (`Verbatim-Position`). What a conversation
//! holds is read with a [`Grant`](verbatim_domain::Grant) only, and outsiders, former members and
//! those who ask for a conversation that does not exist get the same bytes.
//!
//! | module | what it holds |
//! |---|---|
//! | `inside` | the way into a conversation, shared by all its routes |
//! | `page` | when a page is the last |
//! | `routes` | one endpoint a file |

mod inside;
mod page;
mod room;
mod routes;
mod state;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

use axum::Router;
use verbatim_http::Mount;
use verbatim_schemas::routes as table;

pub use state::{Config, Deps};

/// The service.
pub struct QueryApi {
    state: state::State,
}

impl QueryApi {
    /// Puts the service together.
    pub fn new(deps: Deps, config: Config) -> Self {
        let room = room::AnswerRoom::new(config.unread_bytes, config.unread_bytes_of_user);
        Self { state: state::State { deps, config, room: room.into() } }
    }

    /// Its routes, without fallbacks: to be merged with other services'.
    pub fn router(self) -> Router {
        Mount::new(table::Service::QueryApi)
            .route(&table::LIST_CONVERSATIONS, routes::list_conversations::handle)
            .route(&table::GET_CONVERSATION, routes::get_conversation::handle)
            .route(&table::LIST_MEMBERS, routes::list_members::handle)
            .route(&table::LIST_MESSAGES, routes::list_messages::handle)
            .route(&table::LIST_ENTRIES, routes::list_entries::handle)
            .route(&table::LIST_RECEIPTS, routes::list_receipts::handle)
            .route(&table::GET_UNREAD, routes::get_unread::handle)
            .route(&table::GET_PRESENCE, routes::get_presence::handle)
            .finish()
            .with_state(self.state)
    }
}
