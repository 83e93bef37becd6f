use serde_json::{Value, json};
use verbatim_schemas::Kind;

use crate::support::{Served, group};

#[tokio::test]
async fn who_joins_hears_of_it_first_and_who_leaves_hears_nothing_more() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    let mut ada = served.open("ada").await;
    let mut eve = served.open("eve").await;
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let founded = ada.expect("entry").await;
    assert_eq!((&founded["kind"], &founded["rev"]), (&json!("conversation_created"), &json!(1)));
    world.say(conversation, "ada", "before eve");
    ada.expect("entry").await;
    world.add(conversation, "ada", "eve");
    let joined = eve.expect("entry").await;
    assert_eq!((&joined["kind"], &joined["rev"]), (&json!("member_added"), &json!(3)));
    assert_eq!(joined["member"]["user_id"], "eve");
    assert_eq!(eve.expect("unread").await["read"], 1, "joining sets it to the head");
    world.say(conversation, "bob", "with eve");
    assert_eq!(eve.expect("entry").await["rev"], 4);

    // One batch: nothing of it may slip through behind the removal.
    world.together(|| {
        world.say(conversation, "bob", "the last for eve");
        world.remove(conversation, "ada", "eve");
        world.say(conversation, "bob", "without eve");
        world.say(conversation, "bob", "still without eve");
    });
    served.delivered().await;
    let seen = eve.drained().await;
    assert_eq!(seen.len(), 2, "{seen:?}");
    assert_eq!((&seen[0]["type"], &seen[0]["rev"]), (&json!("entry"), &json!(5)));
    assert_eq!(seen[1], json!({"type": "left", "conversation_id": conversation}));
    let revs: Vec<Value> = ada.drained().await.iter().map(|frame| frame["rev"].clone()).collect();
    assert_eq!(revs, [3, 4, 5, 6, 7, 8].map(|rev| json!(rev)), "the others see the removal");

    let typing = json!({"type": "typing", "conversation_id": conversation});
    eve.send(typing).await;
    assert_eq!(eve.expect("error").await["code"], "conversation_not_found");
    world.add(conversation, "ada", "eve");
    let back = eve.expect("entry").await;
    assert_eq!((&back["kind"], &back["rev"]), (&json!("member_added"), &json!(9)));
    assert_eq!(eve.expect("unread").await["unread"], 0);
}

/// A removal meets a fetch that is on its way, again and again.
#[tokio::test(flavor = "multi_thread")]
async fn g7_nothing_is_answered_after_left() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    world.say(conversation, "ada", "hello");
    let mut bob = served.open("bob").await;
    for round in 0..300 {
        let fetch = json!({"type": "fetch", "conversation_id": conversation, "after": 0});
        bob.send(fetch).await;
        for _ in 0..round % 7 {
            tokio::task::yield_now().await;
        }
        world.remove(conversation, "ada", "bob");
        let (mut left, mut answered) = (false, false);
        while !left || !answered {
            let frame = bob.next().await;
            match frame["type"].as_str() {
                Some("left") => left = true,
                Some("entries") => {
                    assert!(!left, "round {round}: entries after left");
                    answered = true;
                }
                Some("error") => answered = true,
                _ => {}
            }
        }
        world.add(conversation, "ada", "bob");
        bob.until("entry").await;
    }
}

#[tokio::test]
async fn a_user_in_several_places_joins_and_leaves_everywhere() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut sockets = Vec::new();
    for device in ["bob@a", "bob@b", "bob@c"] {
        sockets.push(served.open(device).await);
    }
    world.together(|| {
        world.remove(conversation, "ada", "bob");
        world.add(conversation, "ada", "bob");
        world.remove(conversation, "ada", "bob");
    });
    served.delivered().await;
    for socket in &mut sockets {
        let seen = socket.drained().await;
        let kinds: Vec<&Value> = seen.iter().map(|frame| &frame["type"]).collect();
        assert_eq!(kinds, ["left", "entry", "left"], "{seen:?}");
        assert_eq!(seen[1]["kind"], "member_added");
    }
}
