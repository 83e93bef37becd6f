//! `POST /v1/ws/tickets`: a ticket for browsers, which cannot set headers on a socket.

use axum::{Json, extract::State, http::StatusCode};
use verbatim_http::{Caller, Refusal};
use verbatim_schemas::rest::Ticket;

use crate::gateway::Routed;

pub(crate) async fn issue(
    Caller(actor): Caller,
    State(Routed(shared)): State<Routed>,
) -> Result<(StatusCode, Json<Ticket>), Refusal> {
    let ticket = shared.deps.tickets.issue(actor).await?;
    Ok((StatusCode::CREATED, Json(Ticket { ticket })))
}
