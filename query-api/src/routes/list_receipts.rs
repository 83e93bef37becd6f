//! `GET /v1/conversations/{id}/receipts`

use axum::{extract, response::Response};
use verbatim_http::{CursorPaging, Refusal, paging::cursor};

use super::list_members::user_of;
use crate::{
    inside::Inside,
    page::{cut, one_more},
    state::State,
};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    inside: Inside,
    paging: CursorPaging,
) -> Result<Response, Refusal> {
    let after = paging.after(user_of)?;
    let (grant, position) = inside.enter(&state).await?;
    let history = &state.deps.history;
    let (public_up_to, most) = (state.config.receipts_public_members, one_more(paging.limit));
    let receipts = history.receipts(&grant, public_up_to, after.as_ref(), most).await?;
    let page = cut(receipts, paging.limit, |receipt| cursor(receipt.user_id.as_str().as_bytes()));
    state.room.answer(grant.actor(), &page, &position)
}

#[cfg(test)]
mod tests {
    use crate::testing::{GROUP, World};

    #[tokio::test]
    async fn receipts_come_in_the_order_of_their_users() {
        let path = format!("/v1/conversations/{GROUP}/receipts");
        let (pages, items) = World::new().walk("ann", &path, "cursor", 2).await;
        assert_eq!(pages, 2);
        let read: Vec<_> = items.iter().map(|item| item["read"].as_u64().unwrap()).collect();
        assert_eq!(read, [5, 2, 0]);
        assert!(items[0]["at"].is_string() && items[2]["at"].is_null());
    }

    #[tokio::test]
    async fn a_lower_bound_hides_the_receipts_of_others() {
        let path = format!("/v1/conversations/{GROUP}/receipts");
        let world = World::new().with_public_receipts_up_to(2);
        for (reader, read) in [("ann", 5), ("bob", 2)] {
            let (_, items) = world.walk(reader, &path, "cursor", 2).await;
            let seen: Vec<_> = items.iter().map(|item| (&item["user_id"], &item["read"])).collect();
            assert_eq!(seen, [(&reader.into(), &read.into())]);
        }
    }
}
