//! `PUT /v1/direct/{user_id}`

use serde_json::json;
use verbatim_schemas::ConversationId;

use crate::support::{World, ruled, user};

#[tokio::test]
async fn both_sides_open_the_same_one() {
    let world = World::new().await;
    let id = ConversationId::direct(&user("ann"), &user("bob"));
    let opened = world.ask("PUT", "/v1/direct/bob").by("ann").send().await;
    assert_eq!(opened.status, 201);
    assert_eq!(
        opened.json(),
        json!({
            "id": id, "kind": "direct", "peer": "bob", "history": "all", "posting": "members",
            "role": "member", "member_count": 2, "head_seq": 0, "head_rev": 1,
            "created_at": "2027-01-15T08:00:00.000Z",
        })
    );
    ruled(world.send("bob", id, "hello").await);
    world.clock.advance(5_000);
    let again = world.ask("PUT", "/v1/direct/ann").by("bob").send().await;
    assert_eq!(again.status, 200);
    assert!(!again.is_duplicate(), "another command, not a repeat");
    let body = again.json();
    assert_eq!((&body["id"], &body["peer"]), (&json!(id), &json!("ann")));
    assert_eq!((&body["head_seq"], &body["head_rev"]), (&json!(1), &json!(2)));
    assert_eq!(body["created_at"], "2027-01-15T08:00:00.000Z");
    assert!(again.position().unwrap().covers(&opened.position().unwrap()));
}

#[tokio::test]
async fn a_repeat_is_marked() {
    let world = World::new().await;
    let key = world.id();
    let first = world.ask("PUT", "/v1/direct/bob").by("ann").key(key).send().await;
    let repeat = world.ask("PUT", "/v1/direct/bob").by("ann").key(key).send().await;
    assert_eq!((first.status.as_u16(), first.is_duplicate()), (201, false));
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    assert_eq!(first.json(), repeat.json());
    assert_ne!(first.position(), repeat.position());
}

#[tokio::test]
async fn the_other_one_has_to_be_somebody_else() {
    let world = World::new().await;
    let refused = world.ask("PUT", "/v1/direct/ann").by("ann").send().await;
    assert_eq!(refused.refusal(), (422, "invalid".into(), Some("user_id".into())));
    let refused = world.ask("PUT", "/v1/direct/a%20b").by("ann").send().await;
    assert_eq!(refused.refusal(), (422, "invalid".into(), Some("user_id".into())));
}

#[tokio::test]
async fn user_ids_are_read_as_they_are_meant() {
    let world = World::new().await;
    let opened = world.ask("PUT", "/v1/direct/bob%40example.org").by("ann").send().await;
    assert_eq!(opened.json()["peer"], "bob@example.org");
}
