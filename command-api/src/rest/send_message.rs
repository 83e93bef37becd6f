//! `POST /v1/conversations/{id}/messages`

use axum::{extract::State, response::Response};
use http::StatusCode;
use verbatim_http::{Caller, ConversationPath, Refusal, RespondAsync, StrictJson};
use verbatim_ports::commands::{Command, Ruled};
use verbatim_schemas::{
    EntryBody, EventBody, entry::Message, event::MessageSent, rest::SendMessage,
};

use super::{
    Api,
    ask::{Asked, answer, unfit},
};

/// Sends a message: 201, or 200 for a repeat.
pub(super) async fn send_message(
    State(api): State<Api>,
    Caller(actor): Caller,
    ConversationPath(conversation): ConversationPath,
    RespondAsync(respond_async): RespondAsync,
    StrictJson(SendMessage { id, text, metadata }): StrictJson<SendMessage>,
) -> Result<Response, Refusal> {
    let sender = actor.user.clone();
    let sent = MessageSent { text, metadata };
    let body = EventBody::MessageSent(sent.clone());
    let ruled = match api.ask(Command { actor, id, conversation, body }, respond_async).await? {
        Asked::Ruled(ruled) => ruled,
        Asked::Pending(response) => return Ok(response),
    };
    if let Some(EntryBody::Message { message }) = ruled.entry.as_ref().map(|entry| &entry.body) {
        return Ok(answer(&ruled, StatusCode::CREATED, message));
    }
    let (seq, rev) = numbers(&ruled).ok_or_else(unfit)?;
    // A repeat was ruled to have the same body as the first, so what was asked is what was sent.
    let message = Message {
        id,
        conversation_id: conversation,
        seq,
        rev,
        sender,
        text: sent.text,
        metadata: sent.metadata,
        created_at: ruled.at,
    };
    Ok(answer(&ruled, StatusCode::OK, &message))
}

fn numbers(ruled: &Ruled) -> Option<(verbatim_schemas::Seq, verbatim_schemas::Rev)> {
    ruled.seq.zip(ruled.rev)
}
