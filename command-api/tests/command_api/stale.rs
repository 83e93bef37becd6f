//! Ids that are too old to tell a repeat by.

use serde_json::{Value, json};
use verbatim_schemas::ConversationId;

use crate::support::{Answer, World, ruled};

const EIGHT_DAYS: u64 = 8 * 24 * 3_600_000;

async fn post(world: &World, who: &str, id: ConversationId, body: &Value) -> Answer {
    world.ask("POST", &format!("/v1/conversations/{id}/messages")).by(who).json(body).send().await
}

#[tokio::test]
async fn the_answer_carries_what_was_sent() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    let body = json!({"id": world.id(), "text": "hello", "metadata": {"n": 1}});
    let sent = post(&world, "ann", id, &body).await;
    assert_eq!(sent.status, 201);
    world.clock.advance(EIGHT_DAYS);
    let stale = post(&world, "ann", id, &body).await;
    assert_eq!(stale.refusal(), (422, "stale_id".into(), None));
    assert_eq!(stale.json()["retry"], "new_id");
    assert_eq!(stale.json()["message"], sent.json());
    // Of somebody else's message one learns nothing, though one may read it.
    assert_eq!(post(&world, "bob", id, &body).await.json()["message"], Value::Null);
}

#[tokio::test]
async fn null_says_that_it_was_never_sent() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    let body = json!({"id": world.id(), "text": "hello"});
    world.clock.advance(EIGHT_DAYS);
    let stale = post(&world, "ann", id, &body).await;
    assert_eq!(stale.code(), "stale_id");
    let stale = stale.json();
    assert!(stale.as_object().unwrap().contains_key("message") && stale["message"].is_null());
}

#[tokio::test]
async fn former_members_and_strangers_learn_nothing() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    let body = json!({"id": world.id(), "text": "hello"});
    assert_eq!(post(&world, "bob", id, &body).await.status, 201);
    let path = format!("/v1/conversations/{id}/members/bob");
    assert_eq!(world.ask("DELETE", &path).by("bob").send().await.status, 204);
    world.clock.advance(EIGHT_DAYS);
    let former = post(&world, "bob", id, &body).await;
    let stranger = post(&world, "eve", id, &body).await;
    let nowhere = post(&world, "eve", world.conversation_id(), &body).await;
    assert_eq!(former.json()["message"], Value::Null);
    assert_eq!(former.bytes, stranger.bytes);
    assert_eq!(stranger.bytes, nowhere.bytes);
}

#[tokio::test]
async fn a_history_that_is_behind_is_no_null() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    let body = json!({"id": world.id(), "text": "hello"});
    assert_eq!(post(&world, "ann", id, &body).await.status, 201);
    world.clock.advance(EIGHT_DAYS);
    world.history.fall_behind();
    let behind = post(&world, "ann", id, &body).await;
    assert_eq!(behind.refusal(), (503, "behind".into(), None));
    assert_eq!(behind.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn other_commands_carry_null() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    let key = world.id();
    ruled(world.send("ann", id, "x").await);
    world.clock.advance(EIGHT_DAYS);
    world.history.fall_behind();
    let path = format!("/v1/conversations/{id}/members/bob");
    let ask = world.ask("PUT", &path).by("ann").key(key).json(&json!({"role": "member"}));
    let stale = ask.send().await;
    assert_eq!(stale.refusal(), (422, "stale_id".into(), None));
    assert!(stale.json().as_object().unwrap().contains_key("message"));
}
