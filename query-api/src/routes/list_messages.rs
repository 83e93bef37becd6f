//! `GET /v1/conversations/{id}/messages`

use axum::{extract, response::Response};
use verbatim_http::{Refusal, SeqPaging};
use verbatim_ports::history::MessagePage;
use verbatim_schemas::rest::Page;

use crate::{
    inside::Inside,
    page::{any_above, any_below},
    state::State,
};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    inside: Inside,
    paging: SeqPaging,
) -> Result<Response, Refusal> {
    let (grant, position) = inside.enter(&state).await?;
    let most = state.config.page_bytes;
    let items = state.deps.history.messages(&grant, paging.page, paging.limit, most).await?;
    let more = |seq: u64| match paging.page {
        MessagePage::Before(_) => any_below(grant.seqs(), seq),
        MessagePage::After(_) => any_above(grant.seqs(), seq),
    };
    let next = items.last().map(|message| message.seq).filter(|seq| more(seq.0));
    state.room.answer(grant.actor(), &Page { items, next }, &position)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::testing::{GROUP, METADATA, World};

    fn path(query: &str) -> String {
        format!("/v1/conversations/{GROUP}/messages{query}")
    }

    fn seqs(items: &[Value]) -> Vec<u64> {
        items.iter().map(|item| item["seq"].as_u64().unwrap()).collect()
    }

    #[tokio::test]
    async fn the_newest_come_first_and_before_goes_back() {
        let world = World::new();
        let (pages, items) = world.walk("ann", &path(""), "before", 2).await;
        assert_eq!((pages, seqs(&items)), (3, vec![5, 4, 3, 2, 1]));
        let answer = world.get("ann", &path("?before=3")).await;
        assert_eq!(seqs(answer.items()), [2, 1]);
        assert_eq!(answer.json["next"], Value::Null);
    }

    #[tokio::test]
    async fn after_goes_on_oldest_first() {
        let world = World::new();
        let (pages, items) = world.walk("ann", &path("?after=0"), "after", 5).await;
        assert_eq!((pages, seqs(&items)), (1, vec![1, 2, 3, 4, 5]));
        let answer = world.get("ann", &path("?after=1&limit=2")).await;
        assert_eq!((seqs(answer.items()), &answer.json["next"]), (vec![2, 3], &3.into()));
        assert_eq!(seqs(world.get("ann", &path("?after=5")).await.items()), [0u64; 0]);
    }

    #[tokio::test]
    async fn a_late_member_sees_the_time_of_their_membership() {
        let world = World::new();
        let (_, items) = world.walk("cat", &path(""), "before", 1).await;
        assert_eq!(seqs(&items), [5, 4]);
        let answer = world.get("cat", &path("?limit=2")).await;
        assert_eq!(answer.json["next"], Value::Null);
    }

    #[tokio::test]
    async fn a_page_that_is_full_of_bytes_goes_on() {
        let world = World::new().with_page_bytes(1);
        let (pages, items) = world.walk("ann", &path(""), "before", 200).await;
        assert_eq!((pages, seqs(&items)), (5, vec![5, 4, 3, 2, 1]));
        let (pages, items) = world.walk("ann", &path("?after=0"), "after", 200).await;
        assert_eq!((pages, seqs(&items)), (5, vec![1, 2, 3, 4, 5]));
    }

    #[tokio::test]
    async fn metadata_comes_byte_for_byte() {
        let answer = World::new().get("ann", &path("?after=4")).await;
        assert!(answer.body.contains(METADATA), "{}", answer.body);
    }

    #[tokio::test]
    async fn pages_are_asked_for_in_one_way_and_within_bounds() {
        for (query, field) in [
            ("?before=1&after=1", "after"),
            ("?limit=0", "limit"),
            ("?limit=201", "limit"),
            ("?before=x", "before"),
        ] {
            let answer = World::new().get("ann", &path(query)).await;
            assert_eq!((answer.status, &answer.json["field"]), (422, &field.into()), "{query}");
        }
    }
}
