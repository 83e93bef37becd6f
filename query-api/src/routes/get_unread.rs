//! `GET /v1/unread`

use axum::{extract, response::Response};
use verbatim_http::{Caller, Refusal};

use crate::{inside::Included, page::answer, state::State};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    Caller(actor): Caller,
    included: Included,
) -> Result<Response, Refusal> {
    let inbox = &*state.deps.inbox;
    included.in_inbox(inbox).await?;
    let (unread, position) = inbox.unread(&actor.user).await?;
    Ok(answer(unread, &position))
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[tokio::test]
    async fn totals_come_from_the_inbox() {
        let world = World::new();
        let answer = world.get("bob", "/v1/unread").await;
        assert_eq!(answer.body, r#"{"conversations":1,"messages":3}"#);
        assert_eq!(world.get("eve", "/v1/unread").await.json["messages"], 0);
    }

    #[tokio::test]
    async fn it_waits_for_its_own_projection() {
        let world = World::new().with_lagging_inbox();
        let now = world.token(0);
        let headers = [("verbatim-after", &*now)];
        let answer = world.get_with("ann", "/v1/unread", &headers).await;
        assert_eq!((answer.status, &answer.json["code"]), (503, &"behind".into()));
        // History has it already.
        assert_eq!(world.get_with("ann", "/v1/conversations", &headers).await.status, 200);
    }
}
