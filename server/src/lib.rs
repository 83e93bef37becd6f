//! The shell of the `verbatim` binary, and the one crate that names adapters.
//!
//! | module | what it holds |
//! |---|---|
//! | [`cli`] | the command line |
//! | [`config`] | settings from flags, environment, file and defaults |
//! | [`auth`] | who a bearer token speaks for; development tokens |
//! | [`tls`] | certificates |
//! | [`accept`] | the accept loop, client addresses, bounds of connections |
//! | [`cors`] | requests from pages of the allowed origins |
//! | [`telemetry`] | logs, the request log, metrics |
//! | [`page`] | the page that is embedded in the binary, and its headers |
//! | [`shutdown`] | signals and draining |
//! | [`serve`] | `verbatim serve` from configuration to exit |
//! | [`connect`] | `verbatim connect`, a WebSocket on the command line |
//! | [`wiring`] | stores and services put together; the bodies of the other commands |

pub mod accept;
pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod connect;
pub mod cors;
pub mod page;
pub mod serve;
pub mod shutdown;
pub mod telemetry;
pub mod tls;
pub mod wiring;
