//! `GET /v1/conversations/{id}`

use axum::{extract, response::Response};
use verbatim_http::Refusal;

use crate::{inside::Inside, page::answer, state::State};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    inside: Inside,
) -> Result<Response, Refusal> {
    let (grant, position) = inside.enter(&state).await?;
    let conversation = state.deps.history.conversation(&grant).await?;
    Ok(answer(conversation, &position))
}

#[cfg(test)]
mod tests {
    use verbatim_domain::Position;

    use crate::testing::{GROUP, World};

    #[tokio::test]
    async fn members_see_it() {
        let answer = World::new().get("ann", &format!("/v1/conversations/{GROUP}")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(answer.json["id"], GROUP);
        assert_eq!(answer.json["role"], "admin");
        assert_eq!((&answer.json["head_rev"], &answer.json["head_seq"]), (&9.into(), &5.into()));
        assert_eq!(Position::parse(&answer.header("verbatim-position")).unwrap().offsets.len(), 1);
    }
}
