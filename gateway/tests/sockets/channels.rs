use std::time::Duration;

use serde_json::{Value, json};
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::Kind;

use crate::support::{Served, World, config, group, world::Projection};

#[tokio::test]
async fn those_who_view_get_entries_and_the_others_a_count() {
    let served = Served::start().await;
    let world = &served.world;
    let channel = group(world, 1);
    world.create(Kind::Channel, channel, "ada", &["bob", "cid"]);
    world.say(channel, "ada", "before");
    let mut bob = served.open("bob").await;
    let mut cid = served.open("cid").await;
    let view = json!({"type": "view", "conversation_id": channel});
    let ack = bob.ask(view.clone()).await;
    assert_eq!(
        (&ack["type"], &ack["head_rev"], &ack["head_seq"]),
        (&json!("ack"), &json!(2), &json!(1))
    );
    world.say(channel, "ada", "one");
    world.say(channel, "ada", "two");
    assert_eq!(bob.expect("entry").await["rev"], 3, "right after the head");
    assert_eq!(bob.expect("entry").await["rev"], 4);
    served.delivered().await;
    assert!(bob.drained().await.is_empty());
    let counts = cid.drained().await;
    assert_eq!(
        counts,
        [json!({
            "type": "unread", "conversation_id": channel, "head_rev": 3, "head_seq": 2,
        })],
        "the second is told later"
    );

    served.pass(Duration::from_secs(13)).await;
    let later = cid.expect("unread").await;
    assert_eq!((&later["head_rev"], &later["head_seq"]), (&json!(4), &json!(3)));
    served.pass(Duration::from_secs(13)).await;
    assert!(cid.drained().await.is_empty(), "once");

    let bare = bob.ask(json!({"type": "unview", "conversation_id": channel})).await;
    assert_eq!(bare["type"], "ack");
    world.say(channel, "ada", "three");
    assert_eq!(bob.next().await["type"], "unread");
    let again = bob.ask(view).await;
    assert_eq!(again["head_rev"], 5);
}

#[tokio::test]
async fn a_view_meets_a_stream_of_entries_without_a_hole() {
    let served = Served::start().await;
    let world = served.world.clone();
    let channel = group(&world, 0);
    world.create(Kind::Channel, channel, "ada", &["bob"]);
    let mut bob = served.open("bob").await;
    let writer = tokio::spawn(async move {
        for number in 0..500 {
            world.say(channel, "ada", &number.to_string());
            tokio::task::yield_now().await;
        }
    });
    for _ in 0..20 {
        let ack = bob.ask(json!({"type": "view", "conversation_id": channel})).await;
        let unview = json!({"type": "unview", "conversation_id": channel, "ref": "unview"});
        bob.send(unview).await;
        let mut head = ack["head_rev"].as_u64().unwrap();
        loop {
            let frame = bob.next().await;
            if frame["ref"] == "unview" {
                break;
            }
            // What was kept while the ack was awaited is of the view before, and so not above it.
            if frame["type"] == "entry"
                && frame["rev"].as_u64().unwrap() > ack["head_rev"].as_u64().unwrap()
            {
                head += 1;
                assert_eq!(frame["rev"], head);
            }
        }
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn views_are_for_members_and_bounded() {
    let world = World::new(2);
    let served = Served::with(world.clone(), GatewayConfig { view_channels: 2, ..config() }).await;
    for number in 0..3 {
        world.create(Kind::Channel, group(&world, number), "ada", &[]);
    }
    world.create(Kind::Group, group(&world, 9), "ada", &[]);
    let mut ada = served.open("ada").await;
    let mut eve = served.open("eve").await;
    let view = |number| json!({"type": "view", "conversation_id": group(&world, number)});
    assert_eq!(eve.ask(view(0)).await["code"], "conversation_not_found");
    for number in [0, 1, 1] {
        assert_eq!(ada.ask(view(number)).await["type"], "ack");
    }
    assert_eq!(ada.ask(view(2)).await["code"], "invalid");
    assert_eq!(ada.ask(view(9)).await["head_rev"], 1, "of a group it tells the head");
    let unview = json!({"type": "unview", "conversation_id": group(&world, 0)});
    ada.ask(unview).await;
    assert_eq!(ada.ask(view(2)).await["type"], "ack");
}

#[tokio::test]
async fn a_new_member_of_a_channel_hears_of_it_and_can_view_at_once() {
    let served = Served::start().await;
    let world = &served.world;
    let channel = group(world, 1);
    let mut eve = served.open("eve").await;
    world.create(Kind::Channel, channel, "ada", &[]);
    world.add(channel, "ada", "eve");
    let view = json!({"type": "view", "conversation_id": channel});
    let ack = eve.ask(view).await;
    assert_eq!((&ack["type"], &ack["head_rev"]), (&json!("ack"), &json!(2)));
    let told = eve.expect("unread").await;
    assert_eq!(
        (&told["head_rev"], &told["unread"], &told["read"]),
        (&json!(2), &json!(0), &json!(0))
    );
    world.remove(channel, "ada", "eve");
    assert_eq!(eve.expect("left").await["conversation_id"], json!(channel));
    world.say(channel, "ada", "without eve");
    served.delivered().await;
    assert!(eve.drained().await.is_empty());
}

#[tokio::test]
async fn sockets_are_told_what_joining_and_sending_move() {
    let served = Served::start().await;
    let world = &served.world;
    let [channel, room] = [1, 2].map(|number| group(world, number));
    world.create(Kind::Channel, channel, "ada", &[]);
    world.create(Kind::Group, room, "ada", &[]);
    let mut laptop = served.open("ada@laptop").await;
    let mut eve = served.open("eve").await;
    for number in 1..=2 {
        world.say(channel, "ada", "from elsewhere");
        let own = laptop.until("receipt").await;
        assert_eq!((&own["user_id"], &own["read"]), (&json!("ada"), &json!(number)));
    }
    world.add(channel, "ada", "eve");
    let told = eve.next().await;
    assert_eq!(
        (&told["type"], &told["head_seq"], &told["read"]),
        (&json!("unread"), &json!(2), &json!(2))
    );
    world.say(room, "ada", "before eve");
    world.add(room, "ada", "eve");
    assert_eq!(eve.expect("entry").await["kind"], "member_added");
    let told = eve.expect("unread").await;
    assert_eq!(
        (&told["conversation_id"], &told["read"], &told["unread"]),
        (&json!(room), &json!(1), &json!(0))
    );
    served.delivered().await;
    assert!(eve.drained().await.is_empty(), "another's sending moves nobody else's");
}

#[tokio::test]
async fn who_comes_between_is_told_what_joining_and_sending_moved() {
    let served = Served::start().await;
    let world = &served.world;
    let [channel, room] = [1, 2].map(|number| group(world, number));
    world.create(Kind::Channel, channel, "ada", &["bob"]);
    world.create(Kind::Group, room, "ada", &[]);
    served.delivered().await;
    (0..2).for_each(|partition| world.hold(Projection::Inbox, partition));
    world.say(channel, "bob", "own");
    world.say(room, "ada", "before bob");
    world.add(room, "ada", "bob");
    served.delivered().await;
    let seen = served.open("bob").await.drained().await;
    let of = |frame_type: &str, id| {
        let fits =
            |frame: &&Value| frame["type"] == frame_type && frame["conversation_id"] == json!(id);
        seen.iter().find(fits).unwrap_or_else(|| panic!("{frame_type} of {id}: {seen:?}"))["read"]
            .clone()
    };
    assert_eq!((of("receipt", channel), of("unread", room)), (json!(1), json!(1)));
}

#[tokio::test]
async fn typing_in_a_channel_is_for_those_who_view_it() {
    let served = Served::start().await;
    let world = &served.world;
    let channel = group(world, 1);
    world.create(Kind::Channel, channel, "ada", &["bob", "cid"]);
    let mut ada = served.open("ada").await;
    let mut bob = served.open("bob").await;
    let mut cid = served.open("cid").await;
    bob.ask(json!({"type": "view", "conversation_id": channel})).await;
    ada.send(json!({"type": "typing", "conversation_id": channel})).await;
    assert_eq!(bob.expect("typing").await["user_id"], "ada");
    assert!(cid.drained().await.is_empty());
}
