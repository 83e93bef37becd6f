//! `PUT /v1/conversations/{id}/members/{user_id}`

use axum::{extract::State, response::Response};
use http::StatusCode;
use verbatim_http::{
    Caller, ConversationPath, IdempotencyKey, Refusal, RespondAsync, StrictJson, UserPath,
};
use verbatim_ports::commands::{Command, Ruled};
use verbatim_schemas::{
    EntryBody, EventBody,
    event::MemberAdded,
    rest::{Member, PutMember},
    ruling::Standing,
};

use super::{
    Api,
    ask::{Asked, answer, unfit},
};

/// Adds a member (201), or sees to it that a member has a role (200).
pub(super) async fn put_member(
    State(api): State<Api>,
    Caller(actor): Caller,
    ConversationPath(conversation): ConversationPath,
    UserPath(user_id): UserPath,
    IdempotencyKey(id): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
    StrictJson(PutMember { role }): StrictJson<PutMember>,
) -> Result<Response, Refusal> {
    let added = MemberAdded { user_id, role };
    let body = EventBody::MemberAdded(added.clone());
    match api.ask(Command { actor, id, conversation, body }, respond_async).await? {
        Asked::Ruled(ruled) => member_answer(&ruled, added),
        Asked::Pending(response) => Ok(response),
    }
}

fn member_answer(ruled: &Ruled, added: MemberAdded) -> Result<Response, Refusal> {
    let entry = ruled.entry.as_ref().map(|entry| &entry.body);
    match (entry, &ruled.standing) {
        (Some(EntryBody::MemberAdded { member }), _) => {
            Ok(answer(ruled, StatusCode::CREATED, member))
        }
        (Some(EntryBody::RoleChanged { member }), _) | (_, Some(Standing::Member(member))) => {
            Ok(answer(ruled, StatusCode::OK, member))
        }
        // The repeat of an addition whose member is gone since: as it was then.
        (None, None) if ruled.duplicate => {
            let MemberAdded { user_id, role } = added;
            Ok(answer(ruled, StatusCode::OK, &Member { user_id, role, since: ruled.at }))
        }
        _ => Err(unfit()),
    }
}
