//! `PUT /v1/conversations/{id}/members/{user_id}`

use serde_json::json;
use verbatim_schemas::{CommandId, ConversationId};

use crate::support::{Answer, World};

async fn put(
    world: &World,
    who: &str,
    id: ConversationId,
    member: &str,
    role: &str,
    key: CommandId,
) -> Answer {
    let path = format!("/v1/conversations/{id}/members/{member}");
    world.ask("PUT", &path).by(who).key(key).json(&json!({"role": role})).send().await
}

#[tokio::test]
async fn members_are_added_and_changed_once() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    world.clock.advance(1_000);
    let key = world.id();
    let added = put(&world, "ann", id, "cid", "member", key).await;
    assert_eq!((added.status.as_u16(), added.is_duplicate()), (201, false));
    let cid = json!({"user_id": "cid", "role": "member", "since": "2027-01-15T08:00:01.000Z"});
    assert_eq!(added.json(), cid);
    assert!(added.position().is_some());

    world.clock.advance(1_000);
    let repeat = put(&world, "ann", id, "cid", "member", key).await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    assert_eq!(repeat.json(), cid);
    let as_it_was = put(&world, "ann", id, "cid", "member", world.id()).await;
    assert_eq!((as_it_was.status.as_u16(), as_it_was.is_duplicate()), (200, false));
    assert_eq!(as_it_was.json(), cid);

    let changed = put(&world, "ann", id, "cid", "admin", world.id()).await;
    assert_eq!(changed.status, 200);
    assert_eq!(changed.json()["role"], "admin");
    // A repeat answers the rest as it is now.
    assert_eq!(put(&world, "ann", id, "cid", "member", key).await.json()["role"], "admin");
}

#[tokio::test]
async fn a_repeat_adds_nobody_who_was_removed_since() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    let key = world.id();
    let added = put(&world, "ann", id, "bob", "member", key).await;
    let path = format!("/v1/conversations/{id}/members/bob");
    world.ask("DELETE", &path).by("ann").send().await;
    let repeat = put(&world, "ann", id, "bob", "member", key).await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    assert_eq!(repeat.json(), added.json());
    assert_eq!(
        world.send("bob", id, "still here?").await.unwrap_err().code.name(),
        "conversation_not_found"
    );
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    let forbidden = put(&world, "bob", id, "cid", "member", world.id()).await;
    assert_eq!(forbidden.refusal(), (403, "forbidden".into(), None));
    let last = put(&world, "ann", id, "ann", "member", world.id()).await;
    assert_eq!(last.refusal(), (409, "last_admin".into(), None));
    let opened = world.ask("PUT", "/v1/direct/bob").by("ann").send().await.json();
    let direct = opened["id"].as_str().unwrap().parse().unwrap();
    let fixed = put(&world, "ann", direct, "cid", "member", world.id()).await;
    assert_eq!(fixed.refusal(), (409, "direct_is_fixed".into(), None));
    let role = put(&world, "ann", id, "cid", "owner", world.id()).await;
    assert_eq!(role.refusal(), (422, "invalid".into(), Some("role".into())));
    let reused = world.id();
    put(&world, "ann", id, "cid", "member", reused).await;
    let reused = put(&world, "ann", id, "dan", "member", reused).await;
    assert_eq!(reused.refusal(), (409, "id_reused".into(), None));
}
