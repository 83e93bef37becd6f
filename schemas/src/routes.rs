//! The one table of REST routes. Services mount from it, and the documents are made from it, so that
//! neither can say something else than the other.

mod commands;
mod reads;
mod service;
mod shape;

pub use commands::*;
pub use reads::*;
pub use service::*;
pub use shape::{Access, Answer, Method, Param, Route, SchemaOf, Service};

/// Every route, in the order of the documents.
pub static ROUTES: &[&Route] = &[
    &OPEN_DIRECT,
    &CREATE_CONVERSATION,
    &PUT_MEMBER,
    &REMOVE_MEMBER,
    &SEND_MESSAGE,
    &PUT_RECEIPTS,
    &LIST_CONVERSATIONS,
    &GET_CONVERSATION,
    &LIST_MEMBERS,
    &LIST_MESSAGES,
    &LIST_ENTRIES,
    &LIST_RECEIPTS,
    &GET_UNREAD,
    &GET_PRESENCE,
    &CREATE_TICKET,
    &OPEN_SOCKET,
    &CREATE_DEV_TOKEN,
    &HEALTH_LIVE,
    &HEALTH_READY,
    &OPENAPI_DOCUMENT,
    &ASYNCAPI_DOCUMENT,
    &DOCS_PAGE,
    &DOCS_STYLE,
    &METRICS,
];

#[cfg(test)]
mod tests;
