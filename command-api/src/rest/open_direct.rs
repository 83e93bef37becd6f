//! `PUT /v1/direct/{user_id}`

use axum::{extract::State, response::Response};
use verbatim_http::{Caller, IdempotencyKey, Refusal, RespondAsync, UserPath};
use verbatim_ports::commands::Command;
use verbatim_schemas::{
    ConversationId, EventBody, Kind, Posting, Problem, Visibility, event::ConversationCreated,
};

use super::{Api, ask::Asked, conversation::created};

/// Opens the direct conversation with a user: 201, or 200 as it is.
pub(super) async fn open_direct(
    State(api): State<Api>,
    Caller(actor): Caller,
    UserPath(peer): UserPath,
    IdempotencyKey(id): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
) -> Result<Response, Refusal> {
    if peer == actor.user {
        return Err(Problem::invalid("user_id", "must be somebody else's").into());
    }
    let caller = actor.user.clone();
    let conversation = ConversationId::direct(&caller, &peer);
    let asked = ConversationCreated {
        kind: Kind::Direct,
        name: None,
        members: vec![peer],
        history: Visibility::All,
        posting: Posting::Members,
    };
    let body = EventBody::ConversationCreated(asked.clone());
    match api.ask(Command { actor, id, conversation, body }, respond_async).await? {
        Asked::Ruled(ruled) => created(&ruled, conversation, &caller, asked),
        Asked::Pending(response) => Ok(response),
    }
}
