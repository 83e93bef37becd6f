//! The published documents, made from the same tables and types as the program.
//!
//! | function | what it makes |
//! |---|---|
//! | [`openapi()`] | the REST interface as OpenAPI 3.1, from [`ROUTES`](crate::routes::ROUTES) |
//! | [`asyncapi()`] | the socket as AsyncAPI 3.0, from the frames |
//! | [`docs_html()`], [`DOCS_CSS`] | both as a page for people, without script and inline style |
//! | [`published()`] | a JSON Schema (draft 2020-12) for every event, ruling, entry, frame and body |

mod asyncapi;
mod collect;
mod html;
mod openapi;
mod operation;
mod published;

pub use asyncapi::asyncapi;
pub use html::{DOCS_CSS, docs_html};
pub use openapi::openapi;
pub use published::published;

#[cfg(test)]
mod tests;

/// What both documents say of themselves.
const DESCRIPTION: &str = "Verbatim is a chat backend that loses no message and can prove it. \
Clients ignore fields and entry kinds that they do not know, but count the rev of every entry. \
Every write can be repeated safely under the same id.";

/// The version of the published interface; grows with additions.
const VERSION: &str = "1.0.0";
