//! `DELETE /v1/conversations/{id}/members/{user_id}`

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use verbatim_http::{Caller, ConversationPath, IdempotencyKey, Refusal, RespondAsync, UserPath};
use verbatim_ports::commands::Command;
use verbatim_schemas::{EventBody, event::MemberRemoved};

use super::{
    Api,
    ask::{Asked, finish},
};

/// Removes a member or leaves: 204, also where the user is no member.
pub(super) async fn remove_member(
    State(api): State<Api>,
    Caller(actor): Caller,
    ConversationPath(conversation): ConversationPath,
    UserPath(user_id): UserPath,
    IdempotencyKey(id): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
) -> Result<Response, Refusal> {
    let body = EventBody::MemberRemoved(MemberRemoved { user_id });
    match api.ask(Command { actor, id, conversation, body }, respond_async).await? {
        Asked::Ruled(ruled) => Ok(finish(&ruled, StatusCode::NO_CONTENT.into_response())),
        Asked::Pending(response) => Ok(response),
    }
}
