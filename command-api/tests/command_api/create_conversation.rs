//! `PUT /v1/conversations/{id}`

use serde_json::{Value, json};

use crate::support::{Answer, World, ruled};

async fn create(world: &World, who: &str, id: &str, body: Value) -> Answer {
    world.ask("PUT", &format!("/v1/conversations/{id}")).by(who).json(&body).send().await
}

#[tokio::test]
async fn the_caller_becomes_admin_of_what_is_new() {
    let world = World::new().await;
    let id = world.conversation_id().to_string();
    let body = json!({"kind": "group", "name": "Team", "members": ["bob", "ann", "bob"]});
    let created = create(&world, "ann", &id, body.clone()).await;
    assert_eq!(created.status, 201);
    assert_eq!(
        created.json(),
        json!({
            "id": id, "kind": "group", "name": "Team", "history": "since_join",
            "posting": "members", "role": "admin", "member_count": 2, "head_seq": 0,
            "head_rev": 1, "created_at": "2027-01-15T08:00:00.000Z",
        })
    );
    assert!(created.position().is_some());

    // Equal by meaning, under another id of the command.
    ruled(world.send("bob", id.parse().unwrap(), "hello").await);
    let equal = json!({"kind": "group", "name": "Team", "members": ["bob"], "posting": "members"});
    let again = create(&world, "ann", &id, equal).await;
    assert_eq!((again.status.as_u16(), again.is_duplicate()), (200, false));
    assert_eq!((&again.json()["head_seq"], &again.json()["head_rev"]), (&json!(1), &json!(2)));

    for (who, body) in [("ann", json!({"kind": "group", "name": "Other"})), ("eve", body)] {
        let taken = create(&world, who, &id, body).await;
        assert_eq!(taken.refusal(), (409, "conversation_exists".into(), None));
    }
}

#[tokio::test]
async fn channels_show_everything_and_may_be_for_admins() {
    let world = World::new().await;
    let id = world.conversation_id().to_string();
    let body = json!({"kind": "channel", "name": "News", "posting": "admins"});
    let created = create(&world, "ann", &id, body).await.json();
    assert_eq!((&created["history"], &created["posting"]), (&json!("all"), &json!("admins")));
}

#[tokio::test]
async fn g3_a_repeat_by_a_creator_who_left_is_answered_as_it_was_then() {
    let world = World::new().await;
    let (id, key) = (world.conversation_id(), world.id());
    let path = format!("/v1/conversations/{id}");
    let body = json!({"kind": "group", "name": "Team", "members": ["bob"]});
    let create = || world.ask("PUT", &path).by("ann").key(key).json(&body).send();
    let first = create().await;
    assert_eq!(first.status, 201);
    let repeat = create().await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    let left = world.ask("DELETE", &format!("{path}/members/ann")).by("ann").send().await;
    assert_eq!(left.status, 204);
    let repeat = create().await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    assert_eq!(repeat.json(), first.json(), "and nothing of what came later");
    // Asking anew is another matter: they are an outsider now.
    let anew = world.ask("PUT", &path).by("ann").key(world.id()).json(&body).send().await;
    assert_eq!(anew.refusal(), (409, "conversation_exists".into(), None));
}

#[tokio::test]
async fn what_is_not_valid_names_its_field() {
    let world = World::new().await;
    let id = world.conversation_id().to_string();
    let many: Vec<_> = (0..101).map(|n| format!("u{n}")).collect();
    for (body, field) in [
        (json!({"kind": "direct", "name": "x"}), "kind"),
        (json!({"kind": "club", "name": "x"}), "kind"),
        (json!({"kind": "group"}), "name"),
        (json!({"kind": "group", "name": ""}), "name"),
        (json!({"kind": "group", "name": "x".repeat(129)}), "name"),
        (json!({"kind": "group", "name": "x", "members": many}), "members"),
        (json!({"kind": "group", "name": "x", "members": ["a b"]}), "members[0]"),
        (json!({"kind": "group", "name": "x", "history": "none"}), "history"),
    ] {
        let refused = create(&world, "ann", &id, body.clone()).await;
        assert_eq!(refused.refusal(), (422, "invalid".into(), Some(field.into())), "{body}");
    }
    let widest = json!({"kind": "group", "name": "é".repeat(128), "members": &many[..100]});
    assert_eq!(create(&world, "ann", &id, widest).await.json()["member_count"], 101);
}

#[tokio::test]
async fn the_id_has_to_be_one_that_a_client_may_make() {
    let world = World::new().await;
    let v7 = world.conversation_id().to_string();
    let (v8, v4) = (v7.replacen("-7", "-8", 1), v7.replacen("-7", "-4", 1));
    for id in [v8.as_str(), v4.as_str(), &v7.to_uppercase().replace('0', "A"), "x"] {
        let refused = create(&world, "ann", id, json!({"kind": "group", "name": "x"})).await;
        assert_eq!(refused.refusal(), (422, "invalid".into(), Some("id".into())), "{id}");
    }
}
