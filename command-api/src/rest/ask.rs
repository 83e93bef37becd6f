//! What all endpoints do: submit, and answer with position and repetition.

use std::time::Duration;

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use serde::Serialize;
use verbatim_http::{Refusal, mark_duplicate, with_position};
use verbatim_ports::commands::{Command, Outcome, Ruled};
use verbatim_schemas::{Code, Problem, rest::Pending};

use super::Api;

/// A command that was not refused.
pub(super) enum Asked {
    /// Ruled: the endpoint makes the answer.
    Ruled(Box<Ruled>),
    /// The answer, where the ruling is not there yet.
    Pending(Response),
}

impl Api {
    /// Submits a command and waits for its ruling, or not.
    pub(super) async fn ask(
        &self,
        command: Command,
        respond_async: bool,
    ) -> Result<Asked, Refusal> {
        let (id, conversation_id) = (command.id, command.conversation);
        let stale = self.when_stale(&command);
        let wait = if respond_async { Duration::ZERO } else { self.0.ruling_within };
        match self.0.handler.submit(command, wait).await {
            Ok(Outcome::Ruled(ruled)) => Ok(Asked::Ruled(ruled)),
            Ok(Outcome::Pending(position)) => {
                let id = Some(id);
                let body = Pending { id, conversation_id, position: position.token() };
                let response = (StatusCode::ACCEPTED, Json(body)).into_response();
                Ok(Asked::Pending(with_position(response, &position)))
            }
            Err(refused) => Err(self.refusal(refused, stale).await),
        }
    }
}

/// The answer to a ruled command: `fresh`, or 200 for a repeat.
pub(super) fn answer<T: Serialize>(ruled: &Ruled, fresh: StatusCode, body: &T) -> Response {
    let status = if ruled.duplicate { StatusCode::OK } else { fresh };
    finish(ruled, (status, Json(body)).into_response())
}

/// Adds where it stands, and whether it repeats something.
pub(super) fn finish(ruled: &Ruled, response: Response) -> Response {
    let response = with_position(response, &ruled.position);
    if ruled.duplicate { mark_duplicate(response) } else { response }
}

/// A ruling that does not fit its command: the command counts, but cannot be answered.
pub(super) fn unfit() -> Refusal {
    tracing::error!("a ruling does not fit its command");
    Problem::new(Code::OutcomeUnknown).into()
}
