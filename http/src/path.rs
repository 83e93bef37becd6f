//! Ids in paths. Percent-encoding is undone once.

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use verbatim_schemas::{Code, ConversationId, Problem, UserId};

use crate::Refusal;

/// The conversation `{id}` of a route inside a conversation. What is no id is a conversation that
/// does not exist.
#[derive(Debug, Clone, Copy)]
pub struct ConversationPath(pub ConversationId);

/// The conversation `{id}` that a client wants to create; must be one that a client may make.
#[derive(Debug, Clone, Copy)]
pub struct NewConversationPath(pub ConversationId);

/// The user `{user_id}`.
#[derive(Debug, Clone)]
pub struct UserPath(pub UserId);

impl<S: Send + Sync> FromRequestParts<S> for ConversationPath {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let id = param(parts, state, "id").await;
        let id = id.and_then(|id| id.parse().ok());
        id.map(Self).ok_or_else(|| Code::ConversationNotFound.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for NewConversationPath {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let id = param(parts, state, "id").await;
        let parsed: Option<ConversationId> = id.and_then(|id| id.parse().ok());
        // Version 8 is computed by the server: it would take somebody's direct conversation.
        parsed.filter(|id| !id.is_direct()).map(Self).ok_or_else(|| {
            Problem::invalid("id", "must be a lower-case hyphenated UUID of version 7").into()
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for UserPath {
    type Rejection = Refusal;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let user = param(parts, state, "user_id").await;
        let user = user.ok_or_else(|| Problem::invalid("user_id", "must be UTF-8"))?;
        let user = user.parse::<UserId>();
        Ok(Self(user.map_err(|error| Problem::invalid("user_id", error.0))?))
    }
}

/// The value of a path parameter; none where it is not UTF-8 (or the route has none).
async fn param<S: Send + Sync>(parts: &mut Parts, state: &S, name: &str) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, state).await.ok()?;
    params.iter().find(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use axum::{Router, routing::get};

    use super::*;
    use crate::tests::{ask, json_of};

    const GROUP: &str = "0190a5a0-0000-7000-8000-000000000001";
    const DIRECT: &str = "0190a5a0-0000-8000-8000-000000000001";

    fn app() -> Router {
        Router::new()
            .route("/c/{id}", get(|id: ConversationPath| async move { id.0.to_string() }))
            .route("/n/{id}", get(|id: NewConversationPath| async move { id.0.to_string() }))
            .route("/u/{user_id}", get(|user: UserPath| async move { user.0.to_string() }))
    }

    #[tokio::test]
    async fn what_is_no_conversation_id_is_not_found() {
        let path = |id: &str| format!("/c/{id}");
        for id in [GROUP, DIRECT] {
            assert_eq!(ask(&app(), &path(id)).await.status(), 200);
        }
        let upper = GROUP.to_uppercase().replace('0', "a");
        for id in ["x", "%ff", &upper, &format!("{GROUP}%00"), &format!("%7B{GROUP}%7D")] {
            let response = ask(&app(), &path(id)).await;
            assert_eq!(response.status(), 404, "{id}");
            assert_eq!(json_of(response).await["code"], "conversation_not_found");
        }
    }

    #[tokio::test]
    async fn only_ids_that_clients_make_can_be_created() {
        assert_eq!(ask(&app(), &format!("/n/{GROUP}")).await.status(), 200);
        for id in ["x", DIRECT, "%ff"] {
            let response = ask(&app(), &format!("/n/{id}")).await;
            assert_eq!(response.status(), 422, "{id}");
            assert_eq!(json_of(response).await["field"], "id");
        }
    }

    #[tokio::test]
    async fn user_ids_are_decoded_once() {
        let response = ask(&app(), "/u/a%40b").await;
        assert_eq!(crate::tests::text_of(response).await, "a@b");
        // Decoded once this is "a%40b", and a percent sign is not allowed.
        for user in ["a%2540b", "a%2Fb", "a%20b", "%C3%A9", "%ff", &"u".repeat(129)] {
            let response = ask(&app(), &format!("/u/{user}")).await;
            assert_eq!(response.status(), 422, "{user}");
            assert_eq!(json_of(response).await["field"], "user_id");
        }
    }
}
