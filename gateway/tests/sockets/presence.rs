use std::time::Duration;

use serde_json::{Value, json};
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::Kind;

use crate::support::{Served, World, config, group, world::user};

fn watch(users: &[&str]) -> Value {
    json!({"type": "watch", "users": users})
}

#[tokio::test]
async fn only_those_who_share_a_conversation_are_told() {
    let served = Served::start().await;
    let conversation = group(&served.world, 1);
    served.world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut ada = served.open("ada").await;
    let mut eve = served.open("eve").await;
    for socket in [&mut ada, &mut eve] {
        let ack = socket.ask(watch(&["bob", "nobody", "bob"])).await;
        assert_eq!(ack["type"], "ack");
        for name in ["bob", "nobody"] {
            let first = socket.expect("presence").await;
            assert_eq!(
                first,
                json!({
                    "type": "presence", "user_id": name, "online": false, "last_seen": null,
                })
            );
        }
    }
    let bob = served.open("bob").await;
    assert_eq!(ada.expect("presence").await["online"], true);
    drop(bob);
    served.until(|gateway| gateway.status().sockets == 2).await;
    served.pass(Duration::from_secs(6)).await;
    let gone = ada.expect("presence").await;
    assert_eq!(gone["online"], false);
    assert!(gone["last_seen"].is_string());
    assert!(eve.drained().await.is_empty());
}

#[tokio::test]
async fn a_network_that_flaps_is_not_announced() {
    let served = Served::start().await;
    let conversation = group(&served.world, 1);
    served.world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut ada = served.open("ada").await;
    let bob = served.open("bob").await;
    let second = served.open("bob@laptop").await;
    served.until(|_| served.world.parts.announced().len() == 2).await;
    ada.ask(watch(&["bob"])).await;
    assert_eq!(ada.expect("presence").await["online"], true);
    drop((bob, second));
    served.until(|gateway| gateway.status().sockets == 1).await;
    served.pass(Duration::from_secs(3)).await;
    let _back = served.open("bob").await;
    served.pass(Duration::from_secs(20)).await;
    assert!(ada.drained().await.is_empty());
    let announced = served.world.parts.announced();
    assert_eq!(announced.iter().filter(|(name, _)| *name == user("bob")).count(), 1);
}

#[tokio::test]
async fn telling_begins_and_ends_with_the_last_shared_conversation() {
    let served = Served::start().await;
    let world = &served.world;
    let (one, two) = (group(world, 0), group(world, 1));
    let mut ada = served.open("ada").await;
    let bob = served.open("bob").await;
    served.until(|_| world.parts.announced().len() == 2).await;
    ada.ask(watch(&["bob"])).await;
    assert_eq!(ada.expect("presence").await["online"], false, "hidden");
    world.create(Kind::Group, one, "ada", &["bob"]);
    assert_eq!(ada.until("presence").await["online"], true, "from now on it is told");
    world.create(Kind::Group, two, "ada", &["bob"]);
    world.remove(one, "ada", "bob");
    served.delivered().await;
    drop(bob);
    served.until(|gateway| gateway.status().sockets == 1).await;
    served.pass(Duration::from_secs(6)).await;
    assert_eq!(ada.until("presence").await["online"], false, "one conversation is left");
    world.remove(two, "ada", "bob");
    let hidden = ada.until("presence").await;
    assert_eq!(
        (&hidden["online"], &hidden["last_seen"]),
        (&json!(false), &Value::Null),
        "as who never was"
    );
    served.delivered().await;
    let _bob = served.open("bob").await;
    served.until(|_| world.parts.announced().len() == 4).await;
    served.pass(Duration::from_secs(2)).await;
    let seen = ada.drained().await;
    assert!(seen.iter().all(|frame| frame["type"] != "presence"), "{seen:?}");
}

#[tokio::test]
async fn watching_ends_and_is_bounded() {
    let world = World::new(1);
    let served = Served::with(world.clone(), GatewayConfig { watch_users: 3, ..config() }).await;
    world.create(Kind::Group, group(&world, 0), "ada", &["bob"]);
    let mut ada = served.open("ada").await;
    assert_eq!(ada.ask(watch(&["a", "b", "c", "d"])).await["code"], "invalid");
    assert_eq!(ada.ask(watch(&["bob", "b", "c"])).await["type"], "ack");
    assert_eq!(ada.ask(watch(&["bob", "c"])).await["type"], "ack", "these count once");
    let refused = ada.ask(watch(&["d"])).await;
    assert_eq!((&refused["code"], &refused["field"]), (&json!("invalid"), &json!("users")));
    ada.ask(json!({"type": "unwatch", "users": ["bob"]})).await;
    assert_eq!(ada.ask(watch(&["d"])).await["type"], "ack");
    ada.drained().await;
    let _bob = served.open("bob").await;
    served.until(|_| world.parts.announced().len() == 2).await;
    served.pass(Duration::from_secs(2)).await;
    assert!(ada.drained().await.is_empty());
}
