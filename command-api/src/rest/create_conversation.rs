//! `PUT /v1/conversations/{id}`

use axum::{extract::State, response::Response};
use verbatim_http::{
    Caller, IdempotencyKey, NewConversationPath, Refusal, RespondAsync, StrictJson,
};
use verbatim_ports::commands::Command;
use verbatim_schemas::{
    EventBody, Kind, Posting, Problem, UserId, Visibility, bounds, event::ConversationCreated,
    rest::CreateConversation,
};

use super::{Api, ask::Asked, conversation::created};

/// Creates a group or a channel: 201; 200 for its creator with an equal body.
pub(super) async fn create_conversation(
    State(api): State<Api>,
    Caller(actor): Caller,
    NewConversationPath(conversation): NewConversationPath,
    IdempotencyKey(id): IdempotencyKey,
    RespondAsync(respond_async): RespondAsync,
    StrictJson(request): StrictJson<CreateConversation>,
) -> Result<Response, Refusal> {
    let caller = actor.user.clone();
    let asked = proposal(request, &caller)?;
    let body = EventBody::ConversationCreated(asked.clone());
    match api.ask(Command { actor, id, conversation, body }, respond_async).await? {
        Asked::Ruled(ruled) => created(&ruled, conversation, &caller, asked),
        Asked::Pending(response) => Ok(response),
    }
}

/// The event's data: equal for requests that mean the same.
fn proposal(request: CreateConversation, caller: &UserId) -> Result<ConversationCreated, Problem> {
    let CreateConversation { kind, name, mut members, history, posting } = request;
    let by_default = match kind {
        Kind::Direct => return Err(Problem::invalid("kind", "must be group or channel")),
        Kind::Group => Visibility::SinceJoin,
        Kind::Channel => Visibility::All,
    };
    if members.len() > bounds::FOUNDING_MEMBERS {
        return Err(Problem::invalid("members", "must be at most 100 user ids; add more later"));
    }
    members.retain(|member| member != caller);
    members.sort_unstable();
    members.dedup();
    Ok(ConversationCreated {
        kind,
        name: Some(name),
        members,
        history: history.unwrap_or(by_default),
        posting: posting.unwrap_or(Posting::Members),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<ConversationCreated, Problem> {
        let request = verbatim_schemas::strict::parse(json.as_bytes()).unwrap();
        proposal(request, &"me".parse().unwrap())
    }

    #[test]
    fn members_are_sorted_and_each_there_once_without_the_caller() {
        let data =
            read(r#"{"kind":"group","name":"n","members":["b","me","a","b","me"]}"#).unwrap();
        let members: Vec<_> = data.members.iter().map(UserId::as_str).collect();
        assert_eq!(members, ["a", "b"]);
        assert_eq!((data.history, data.posting), (Visibility::SinceJoin, Posting::Members));
    }

    #[test]
    fn channels_show_everything_by_default() {
        let data = read(r#"{"kind":"channel","name":"n","posting":"admins"}"#).unwrap();
        assert_eq!((data.history, data.posting), (Visibility::All, Posting::Admins));
        let data = read(r#"{"kind":"channel","name":"n","history":"since_join"}"#).unwrap();
        assert_eq!(data.history, Visibility::SinceJoin);
    }

    #[test]
    fn a_hundred_members_are_the_most() {
        let body = |count: usize| {
            let ids: Vec<_> = (0..count).map(|n| format!("\"u{n}\"")).collect();
            format!(r#"{{"kind":"group","name":"n","members":[{}]}}"#, ids.join(","))
        };
        assert_eq!(read(&body(100)).unwrap().members.len(), 100);
        assert_eq!(read(&body(101)).unwrap_err().field.as_deref(), Some("members"));
    }

    #[test]
    fn direct_conversations_are_not_made_here() {
        let problem = read(r#"{"kind":"direct","name":"n"}"#).unwrap_err();
        assert_eq!(problem.field.as_deref(), Some("kind"));
    }
}
