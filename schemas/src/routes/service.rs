//! Routes around the conversations: the socket, development, health, documents, measurements.

use super::shape::{
    Access, EVERY, Method, Route, SIGNED_IN, Service, WITH_BODY, empty, json, of, other, problem,
};
use crate::{
    error::Code,
    rest::{CreateDevToken, DevToken, Health, Ticket},
};

const OPEN: Route = Route { access: Access::Anyone, codes: &[EVERY], ..Route::BLANK };

/// `POST /v1/ws/tickets`
pub static CREATE_TICKET: Route = Route {
    method: Method::Post,
    path: "/v1/ws/tickets",
    operation: "createTicket",
    summary: "A ticket that opens one socket within 30 seconds, for browsers.",
    service: Service::Gateway,
    answers: &[json::<Ticket>(201, "The ticket, for the `hello` frame.")],
    codes: &[EVERY, SIGNED_IN],
    ..Route::BLANK
};

/// `GET /v1/ws`
pub static OPEN_SOCKET: Route = Route {
    path: "/v1/ws",
    operation: "openSocket",
    summary: "Opens a WebSocket with the subprotocol verbatim.v1; see /asyncapi.json.",
    service: Service::Gateway,
    access: Access::UserOrTicket,
    answers: &[
        empty(101, "The socket is open."),
        problem(
            426,
            "No WebSocket handshake of version 13; Upgrade and Sec-WebSocket-Version say what is.",
        ),
    ],
    codes: &[
        EVERY,
        &[Code::Malformed, Code::Unauthenticated, Code::Forbidden, Code::TooManyConnections],
    ],
    ..Route::BLANK
};

/// `POST /v1/dev/tokens`
pub static CREATE_DEV_TOKEN: Route = Route {
    method: Method::Post,
    path: "/v1/dev/tokens",
    operation: "createDevToken",
    summary: "Signs a token for any user; in development mode only.",
    access: Access::Development,
    body: Some(of::<CreateDevToken>),
    answers: &[json::<DevToken>(201, "The token.")],
    codes: &[EVERY, WITH_BODY, &[Code::NotFound]],
    ..Route::BLANK
};

/// `GET /v1/health/live`
pub static HEALTH_LIVE: Route = Route {
    path: "/v1/health/live",
    operation: "healthLive",
    summary: "Whether the process runs; restart it when this fails.",
    answers: &[json::<Health>(200, "It runs.")],
    ..OPEN
};

/// `GET /v1/health/ready`
pub static HEALTH_READY: Route = Route {
    path: "/v1/health/ready",
    operation: "healthReady",
    summary: "Whether the process serves; send it no traffic while this fails.",
    answers: &[json::<Health>(200, "It serves.")],
    ..OPEN
};

/// `GET /openapi.json`
pub static OPENAPI_DOCUMENT: Route = Route {
    path: "/openapi.json",
    operation: "openapiDocument",
    summary: "The REST interface as OpenAPI 3.1.",
    service: Service::Documents,
    answers: &[other(200, "The document.", "application/json")],
    ..OPEN
};

/// `GET /asyncapi.json`
pub static ASYNCAPI_DOCUMENT: Route = Route {
    path: "/asyncapi.json",
    operation: "asyncapiDocument",
    summary: "The WebSocket as AsyncAPI 3.0.",
    service: Service::Documents,
    answers: &[other(200, "The document.", "application/json")],
    ..OPEN
};

/// `GET /docs`
pub static DOCS_PAGE: Route = Route {
    path: "/docs",
    operation: "docsPage",
    summary: "Both interfaces as a page for people.",
    service: Service::Documents,
    answers: &[other(200, "The page.", "text/html; charset=utf-8")],
    ..OPEN
};

/// `GET /docs.css`
pub static DOCS_STYLE: Route = Route {
    path: "/docs.css",
    operation: "docsStyle",
    summary: "The style sheet of /docs.",
    service: Service::Documents,
    answers: &[other(200, "The style sheet.", "text/css; charset=utf-8")],
    ..OPEN
};

/// `GET /metrics`
pub static METRICS: Route = Route {
    path: "/metrics",
    operation: "metrics",
    summary: "Measurements in the text format of Prometheus, on an address of its own.",
    service: Service::Metrics,
    answers: &[other(200, "The measurements.", "text/plain; version=0.0.4")],
    ..OPEN
};
