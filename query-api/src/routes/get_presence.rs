//! `GET /v1/presence`

use std::collections::{BTreeMap, BTreeSet};

use axum::{extract, response::Response};
use verbatim_http::{Caller, Query, Refusal};
use verbatim_schemas::{
    Problem, UserId, bounds,
    rest::{Cursor, Page, Presence},
};

use crate::{inside::Included, state::State};

pub(crate) async fn handle(
    extract::State(state): extract::State<State>,
    Caller(actor): Caller,
    included: Included,
    query: Query,
) -> Result<Response, Refusal> {
    let asked = users(&query)?;
    let deps = &state.deps;
    included.in_history(&*deps.history).await?;
    // Taken before the question whom the caller shares a conversation with, which thus includes it.
    let position = deps.history.position().await?;
    let distinct: Vec<UserId> =
        asked.iter().cloned().collect::<BTreeSet<_>>().into_iter().collect();
    let known: Vec<UserId> =
        deps.history.sharing(&actor.user, &distinct).await?.into_iter().collect();
    let found = deps.presence.presence(&known, deps.clock.now()).await?;
    let found: BTreeMap<UserId, Presence> =
        found.into_iter().map(|presence| (presence.user_id.clone(), presence)).collect();
    let items =
        asked.into_iter().map(|user| found.get(&user).cloned().unwrap_or_else(|| stranger(user)));
    let page: Page<Presence, Cursor> = Page { items: items.collect(), next: None };
    state.room.answer(&actor.user, &page, &position)
}

/// Whoever shares no conversation with the caller looks like a user who never was.
fn stranger(user_id: UserId) -> Presence {
    Presence { user_id, online: false, last_seen: None }
}

fn users(query: &Query) -> Result<Vec<UserId>, Problem> {
    let named = query.all("user")?;
    if named.is_empty() || named.len() > bounds::PRESENCE_USERS {
        return Err(Problem::invalid("user", "name 1 to 100 users"));
    }
    let parse = |user: &String| {
        user.parse()
            .map_err(|error: verbatim_schemas::ids::InvalidId| Problem::invalid("user", error.0))
    };
    named.iter().map(parse).collect()
}

#[cfg(test)]
mod tests {
    use crate::testing::World;

    #[tokio::test]
    async fn presence_comes_in_the_order_of_the_question() {
        let answer =
            World::new().get("ann", "/v1/presence?user=cat&user=bob&user=ann&user=bob").await;
        let users: Vec<_> =
            answer.items().iter().map(|item| item["user_id"].as_str().unwrap()).collect();
        assert_eq!(users, ["cat", "bob", "ann", "bob"]);
        assert_eq!(
            (&answer.items()[1]["online"], &answer.items()[1]["last_seen"]),
            (&true.into(), &().into())
        );
        assert_eq!(answer.items()[0]["online"], false);
        assert!(answer.items()[0]["last_seen"].is_string());
        assert_eq!(answer.items()[1], answer.items()[3]);
    }

    #[tokio::test]
    async fn a_stranger_looks_like_a_user_who_never_was() {
        let answer = World::new().get("eve", "/v1/presence?user=bob&user=never-was").await;
        let expect =
            |user: &str| serde_json::json!({"user_id": user, "online": false, "last_seen": null});
        assert_eq!(answer.items(), [expect("bob"), expect("never-was")]);
    }

    #[tokio::test]
    async fn one_to_a_hundred_users_are_named() {
        let world = World::new();
        let path = |count: usize| format!("/v1/presence?{}", "user=bob&".repeat(count));
        assert_eq!(world.get("ann", &path(100)).await.items().len(), 100);
        for bad in
            [path(0), path(101), "/v1/presence?user=a%20b".into(), "/v1/presence?user=".into()]
        {
            let answer = world.get("ann", &bad).await;
            assert_eq!((answer.status, &answer.json["field"]), (422, &"user".into()), "{bad}");
        }
    }
}
