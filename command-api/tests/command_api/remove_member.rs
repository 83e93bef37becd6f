//! `DELETE /v1/conversations/{id}/members/{user_id}`

use verbatim_schemas::ConversationId;

use crate::support::{Ask, World};

fn remove(world: &World, who: &str, id: ConversationId, member: &str) -> Ask {
    world.ask("DELETE", &format!("/v1/conversations/{id}/members/{member}")).by(who)
}

#[tokio::test]
async fn removing_is_204_however_often() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob", "cid"]).await;
    let key = world.id();
    for duplicate in [false, true] {
        let removed = remove(&world, "ann", id, "bob").key(key).send().await;
        assert_eq!((removed.status.as_u16(), removed.is_duplicate()), (204, duplicate));
        assert!(removed.bytes.is_empty() && removed.position().is_some());
    }
    let nobody = remove(&world, "ann", id, "bob").send().await;
    assert_eq!((nobody.status.as_u16(), nobody.is_duplicate()), (204, false));
    let left = remove(&world, "cid", id, "cid").send().await;
    assert_eq!(left.status, 204);
    let outside = remove(&world, "cid", id, "cid").send().await;
    assert_eq!(outside.refusal(), (404, "conversation_not_found".into(), None));
}

#[tokio::test]
async fn who_may_not_is_told_why() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    let forbidden = remove(&world, "bob", id, "ann").send().await;
    assert_eq!(forbidden.refusal(), (403, "forbidden".into(), None));
    let opened = world.ask("PUT", "/v1/direct/bob").by("ann").send().await.json();
    let direct = opened["id"].as_str().unwrap().parse().unwrap();
    let fixed = remove(&world, "ann", direct, "ann").send().await;
    assert_eq!(fixed.refusal(), (409, "direct_is_fixed".into(), None));
}
