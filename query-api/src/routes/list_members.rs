//! `GET /v1/conversations/{id}/members`

use axum::{extract, response::Response};
use verbatim_http::{CursorPaging, Refusal, paging::cursor};
use verbatim_schemas::UserId;

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
    let members = history.members(&grant, after.as_ref(), one_more(paging.limit)).await?;
    let page = cut(members, paging.limit, |member| cursor(member.user_id.as_str().as_bytes()));
    state.room.answer(grant.actor(), &page, &position)
}

/// The cursor of lists in the order of user ids holds the last one.
pub(super) fn user_of(bytes: &[u8]) -> Option<UserId> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use crate::testing::{GROUP, World};

    #[tokio::test]
    async fn members_come_in_the_order_of_their_ids() {
        let path = format!("/v1/conversations/{GROUP}/members");
        let (pages, items) = World::new().walk("ann", &path, "cursor", 1).await;
        assert_eq!(pages, 3);
        let users: Vec<_> = items.iter().map(|item| item["user_id"].as_str().unwrap()).collect();
        assert_eq!(users, ["ann", "bob", "cat"]);
        assert_eq!(items[0]["role"], "admin");
        assert!(items[0]["since"].is_string());
    }

    #[tokio::test]
    async fn cursors_that_are_none_are_refused() {
        for cursor in ["!", "w6k", "YSBi"] {
            let path = format!("/v1/conversations/{GROUP}/members?cursor={cursor}");
            let answer = World::new().get("ann", &path).await;
            assert_eq!((answer.status, &answer.json["field"]), (422, &"cursor".into()), "{cursor}");
        }
    }
}
