//! `GET /v1/conversations/{id}/entries`

use axum::{extract, response::Response};
use verbatim_http::{Refusal, RevPaging};
use verbatim_schemas::rest::Page;

use crate::{inside::Inside, page::any_above, state::State};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    inside: Inside,
    paging: RevPaging,
) -> Result<Response, Refusal> {
    let (grant, position) = inside.enter(&state).await?;
    let most = state.config.page_bytes;
    let items = state.deps.history.entries(&grant, paging.after, paging.limit, most).await?;
    let next = items.last().map(|entry| entry.rev).filter(|rev| any_above(grant.revs(), rev.0));
    state.room.answer(grant.actor(), &Page { items, next }, &position)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::testing::{GROUP, METADATA, World};

    fn path(query: &str) -> String {
        format!("/v1/conversations/{GROUP}/entries{query}")
    }

    fn revs(items: &[Value]) -> Vec<u64> {
        items.iter().map(|item| item["rev"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn entries_come_by_rev_from_the_first() {
        let world = World::new();
        let (pages, items) = world.walk("ann", &path(""), "after", 4).await;
        assert_eq!((pages, revs(&items)), (3, (1..=9).collect()));
        let answer = world.get("ann", &path("?after=7&limit=2")).await;
        assert_eq!((revs(answer.items()), &answer.json["next"]), (vec![8, 9], &Value::Null));
        assert!(answer.body.contains(METADATA));
        assert_eq!(world.get("ann", &path("?after=9")).await.items().len(), 0);
    }

    #[tokio::test]
    async fn a_late_member_starts_at_their_own_addition() {
        let (_, items) = World::new().walk("cat", &path(""), "after", 1).await;
        assert_eq!(revs(&items), [7, 8, 9]);
        assert_eq!(
            (&items[0]["kind"], &items[0]["member"]["user_id"]),
            (&"member_added".into(), &"cat".into())
        );
    }

    #[tokio::test]
    async fn a_page_that_is_full_of_bytes_goes_on() {
        let world = World::new().with_page_bytes(1);
        let (pages, items) = world.walk("ann", &path(""), "after", 200).await;
        assert_eq!((pages, revs(&items)), (9, (1..=9).collect()));
    }

    #[tokio::test]
    async fn entries_have_no_before() {
        let answer = World::new().get("ann", &path("?before=1")).await;
        assert_eq!((answer.status, &answer.json["code"]), (422, &"unknown_field".into()));
    }
}
