//! `PUT /v1/conversations/{id}/receipts`

use serde_json::{Value, json};
use verbatim_schemas::ConversationId;

use crate::support::{Answer, World, ruled};

async fn put(world: &World, who: &str, id: ConversationId, body: Value) -> Answer {
    world.ask("PUT", &format!("/v1/conversations/{id}/receipts")).by(who).json(&body).send().await
}

#[tokio::test]
async fn watermarks_rise_and_never_fall() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    for n in 0..5 {
        ruled(world.send("ann", id, &format!("{n}")).await);
    }
    for (body, delivered, read) in [
        (json!({"delivered": 2}), 2, 0),
        (json!({"read": 1}), 2, 1),
        (json!({"read": 3}), 3, 3),
        (json!({"read": 4, "delivered": 5}), 5, 4),
        (json!({"read": 1, "delivered": 1}), 5, 4),
        (json!({"delivered": 0}), 5, 4),
    ] {
        for _ in 0..2 {
            let answer = put(&world, "bob", id, body.clone()).await;
            assert_eq!(answer.status, 200, "{body}");
            assert_eq!(answer.json(), json!({"delivered": delivered, "read": read}), "{body}");
            assert!(answer.position().is_some());
        }
    }
}

#[tokio::test]
async fn receipts_have_to_be_possible() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    assert_eq!(
        put(&world, "ann", id, json!({"read": 1})).await.refusal(),
        (422, "beyond_head".into(), None)
    );
    for (body, field) in [
        (json!({}), "read"),
        (json!({"read": null, "delivered": null}), "read"),
        (json!({"read": -1}), "read"),
        (json!({"delivered": 9_007_199_254_740_992_u64}), "delivered"),
        (json!({"read": 1.5}), "read"),
    ] {
        let refused = put(&world, "ann", id, body.clone()).await;
        assert_eq!(refused.refusal(), (422, "invalid".into(), Some(field.into())), "{body}");
    }
}
