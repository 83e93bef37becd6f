//! `POST /v1/conversations/{id}/messages`

use serde_json::{Value, json};
use verbatim_schemas::ConversationId;

use crate::support::{Answer, World};

async fn post(world: &World, who: &str, id: ConversationId, body: &str) -> Answer {
    world.ask("POST", &format!("/v1/conversations/{id}/messages")).by(who).text(body).send().await
}

#[tokio::test]
async fn a_message_is_sent_once() {
    let world = World::new().await;
    let conversation = world.group(&["ann", "bob"]).await;
    let id = world.id();
    // Kept byte for byte: this number is none that a float holds.
    let body = format!(
        r#"{{"id":"{id}","text":"hé\u0001llo","metadata":{{"n":10000000000000000000000001,"a":[1, 2]}}}}"#
    );
    let sent = post(&world, "ann", conversation, &body).await;
    assert_eq!((sent.status.as_u16(), sent.is_duplicate()), (201, false));
    let text = String::from_utf8(sent.bytes.clone()).unwrap();
    assert_eq!(
        text,
        format!(
            r#"{{"id":"{id}","conversation_id":"{conversation}","seq":1,"rev":2,"sender":"ann","text":"hé\u0001llo","metadata":{{"n":10000000000000000000000001,"a":[1,2]}},"created_at":"2027-01-15T08:00:00.000Z"}}"#
        )
    );
    world.clock.advance(60_000);
    assert_eq!(post(&world, "bob", conversation, &message(&world, "between")).await.status, 201);
    let repeat = post(&world, "ann", conversation, &body).await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    assert_eq!(repeat.bytes, sent.bytes);
    assert_ne!(repeat.position(), sent.position());
}

fn message(world: &World, text: &str) -> String {
    json!({"id": world.id(), "text": text}).to_string()
}

#[tokio::test]
async fn an_id_stands_for_one_body_of_one_sender() {
    let world = World::new().await;
    let conversation = world.group(&["ann", "bob"]).await;
    let id = world.id();
    let body = |text: &str| json!({"id": id, "text": text}).to_string();
    assert_eq!(post(&world, "ann", conversation, &body("one")).await.status, 201);
    let other = post(&world, "ann", conversation, &body("two")).await;
    assert_eq!(other.refusal(), (409, "id_reused".into(), None));
    assert_eq!(post(&world, "bob", conversation, &body("two")).await.status, 201);
}

#[tokio::test]
async fn what_was_ruled_out_is_ruled_out_again() {
    let world = World::new().await;
    let conversation = world.group(&["ann"]).await;
    let id = world.id();
    let body = json!({"id": id, "text": "hello"}).to_string();
    let first = post(&world, "bob", conversation, &body).await;
    assert_eq!(first.refusal(), (404, "conversation_not_found".into(), None));
    let path = format!("/v1/conversations/{conversation}/members/bob");
    world.ask("PUT", &path).by("ann").json(&json!({"role": "member"})).send().await;
    let repeat = post(&world, "bob", conversation, &body).await;
    assert_eq!((repeat.status, &repeat.bytes), (first.status, &first.bytes));
    assert_eq!(post(&world, "bob", conversation, &message(&world, "new")).await.status, 201);
}

#[tokio::test]
async fn bounds_are_met_and_kept() {
    let world = World::new().await;
    let conversation = world.group(&["ann"]).await;
    let metadata = |bytes: usize| json!({"k": "x".repeat(bytes - r#"{"k":""}"#.len())});
    let nested = |depth: usize| (1..depth).fold(json!({}), |inner, _| json!({"d": inner}));
    let with = |text: String, metadata: Value| {
        json!({"id": world.id(), "text": text, "metadata": metadata}).to_string()
    };
    for good in [
        with("x".into(), metadata(4_096)),
        with("x".into(), nested(8)),
        // The largest event there is: every byte is escaped.
        with("\u{1}".repeat(16_384), metadata(4_096)),
    ] {
        assert_eq!(post(&world, "ann", conversation, &good).await.status, 201);
    }
    for (bad, field) in [
        (with(String::new(), json!({})), "text"),
        (with("x".repeat(16_385), json!({})), "text"),
        (with("nul \0".into(), json!({})), "text"),
        (with("x".into(), metadata(4_097)), "metadata"),
        (with("x".into(), nested(9)), "metadata"),
        (with("x".into(), json!([])), "metadata"),
        (json!({"text": "x"}).to_string(), "id"),
        (
            json!({"id": conversation.to_string().replacen("-7", "-4", 1), "text": "x"})
                .to_string(),
            "id",
        ),
    ] {
        let refused = post(&world, "ann", conversation, &bad).await;
        assert_eq!(refused.refusal(), (422, "invalid".into(), Some(field.into())));
    }
}

#[tokio::test]
async fn only_admins_post_where_only_admins_may() {
    let world = World::new().await;
    let id = world.conversation_id();
    let body = json!({"kind": "channel", "name": "News", "posting": "admins", "members": ["bob"]});
    world.ask("PUT", &format!("/v1/conversations/{id}")).by("ann").json(&body).send().await;
    assert_eq!(post(&world, "ann", id, &message(&world, "x")).await.status, 201);
    assert_eq!(post(&world, "bob", id, &message(&world, "x")).await.code(), "forbidden");
}

#[tokio::test]
async fn ids_from_the_future_are_refused() {
    let world = World::new().await;
    let conversation = world.group(&["ann"]).await;
    world.clock.advance(verbatim_schemas::bounds::ID_FUTURE_MS + 1_000);
    let early = message(&world, "x");
    let world_at_noon = World::new().await;
    let conversation_at_noon = world_at_noon.group(&["ann"]).await;
    let refused = post(&world_at_noon, "ann", conversation_at_noon, &early).await;
    assert_eq!(refused.refusal(), (422, "future_id".into(), None));
    assert_eq!(refused.json()["retry"], "new_id");
    assert_eq!(post(&world, "ann", conversation, &early).await.status, 201);
}

#[tokio::test]
async fn an_idempotency_key_is_not_read_here() {
    let world = World::new().await;
    let conversation = world.group(&["ann"]).await;
    let path = format!("/v1/conversations/{conversation}/messages");
    for key in [world.id().to_string(), "not an id".to_owned()] {
        let ask = world.ask("POST", &path).by("ann").text(&message(&world, "x"));
        assert_eq!(ask.header("idempotency-key", &key).send().await.status, 201);
    }
}
