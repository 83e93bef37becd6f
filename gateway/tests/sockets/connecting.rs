use serde_json::{Value, json};
use verbatim_domain::Position;
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::Kind;

use crate::support::{Served, World, config, group, world::Projection};

#[tokio::test]
async fn heads_are_the_latest_first_and_no_more_than_the_bounds() {
    let world = World::new(4);
    let bounds = GatewayConfig { heads_per_frame: 200, heads: 250, ..config() };
    let served = Served::with(world.clone(), bounds).await;
    for number in 0..300 {
        world.parts.advance(std::time::Duration::from_millis(1));
        world.create(Kind::Group, group(&world, number), "ada", &["bob"]);
    }
    served.delivered().await;
    let mut ada = served.open("ada").await;
    assert_eq!(ada.heads.len(), 250);
    let latest = (0..250).map(|at| json!(group(&world, 299 - at)));
    assert!(ada.heads.iter().map(|head| head["conversation_id"].clone()).eq(latest));
    assert_eq!(
        ada.heads[0],
        json!({
            "conversation_id": group(&world, 299), "head_rev": 1, "head_seq": 0, "unread": 0, "read": 0,
        })
    );
    // Those that are not listed are live all the same.
    world.say(group(&world, 0), "bob", "hi");
    assert_eq!(ada.expect("entry").await["rev"], 2);
}

#[tokio::test]
async fn coming_back_brings_what_changed_and_what_ended() {
    let served = Served::start().await;
    let world = &served.world;
    let ids: Vec<_> = (0..4).map(|number| group(world, number)).collect();
    for id in &ids {
        world.create(Kind::Group, *id, "ada", &["bob"]);
    }
    let first = served.open("bob").await;
    assert_eq!(first.heads.len(), 4);
    let since = first.position().to_owned();
    drop(first);
    let mut same = served.resume("bob", &since).await;
    assert!(same.heads.is_empty(), "nothing changed");
    world.say(ids[0], "ada", "new");
    same.expect("entry").await;
    drop(same);
    world.read(ids[3], "bob", 0);
    world.remove(ids[1], "ada", "bob");
    world.say(ids[1], "ada", "not for bob");
    let mut back = served.resume("bob", &since).await;
    let changed: Vec<&Value> = back.heads.iter().map(|head| &head["conversation_id"]).collect();
    assert_eq!(changed, [&json!(ids[0])]);
    assert_eq!((&back.heads[0]["head_rev"], &back.heads[0]["unread"]), (&json!(2), &json!(1)));
    assert_eq!(back.expect("left").await["conversation_id"], json!(ids[1]));
    world.say(ids[2], "ada", "live");
    assert_eq!(back.expect("entry").await["conversation_id"], json!(ids[2]));
}

#[tokio::test]
async fn positions_that_make_no_sense_do_no_harm() {
    let served = Served::start().await;
    served.world.create(Kind::Group, group(&served.world, 1), "ada", &[]);
    let authorization = [("authorization", "Bearer ada")];
    let mut socket = crate::support::Socket::raw(served.address, &authorization).await.unwrap();
    socket.send(json!({"type": "hello", "since": "nonsense"})).await;
    let error = socket.expect("error").await;
    assert_eq!((&error["code"], &error["field"]), (&json!("bad_position"), &json!("since")));
    socket.send(json!({"type": "hello"})).await;
    socket.greet().await;
    assert_eq!(socket.heads.len(), 1);
    let foreign = Position { generation: 7, offsets: [(0, 1)].into() };
    assert_eq!(served.resume("ada", &foreign.token()).await.heads.len(), 1);
    let beyond = Position { generation: 0, offsets: [(9, 1)].into() };
    assert_eq!(served.resume("ada", &beyond.token()).await.heads.len(), 1);
    let ahead = Position { generation: 0, offsets: [(0, 1), (1, 999)].into() };
    let mut socket = served.resume("ada", &ahead.token()).await;
    served.world.say(group(&served.world, 1), "ada", "hi");
    assert_eq!(socket.expect("entry").await["rev"], 2);
}

#[tokio::test]
async fn an_inbox_that_lags_is_made_up_for_from_the_latest_rulings() {
    let served = Served::start().await;
    let world = &served.world;
    let (old, new) = (group(world, 1), group(world, 3));
    world.create(Kind::Group, old, "ada", &["bob"]);
    world.hold(Projection::Inbox, 1);
    world.say(old, "ada", "two");
    world.create(Kind::Group, new, "ada", &["bob"]);
    world.say(old, "ada", "three");
    world.read(old, "bob", 1);
    served.delivered().await;
    let mut bob = served.open("bob").await;
    assert_eq!((bob.heads.len(), &bob.heads[0]["head_rev"]), (1, &json!(1)));
    for (conversation, rev) in [(old, 2), (new, 1), (old, 3)] {
        let entry = bob.expect("entry").await;
        assert_eq!((&entry["conversation_id"], &entry["rev"]), (&json!(conversation), &json!(rev)));
    }
    assert_eq!(bob.expect("receipt").await["read"], 1);
    world.say(new, "ada", "live");
    assert_eq!(bob.expect("entry").await["rev"], 2);
    let since = bob.position().to_owned();
    world.release(Projection::Inbox, 1);
    let back = served.resume("bob", &since).await;
    assert_eq!(back.heads.len(), 2, "the position covers no more than the heads did");
}

#[tokio::test]
async fn a_partition_that_lags_too_far_follows_later() {
    let world = World::new(2);
    let served = Served::with(world.clone(), GatewayConfig { recent_rulings: 2, ..config() }).await;
    let (lagging, fine) = (group(&world, 1), group(&world, 2));
    world.create(Kind::Group, lagging, "ada", &["bob"]);
    world.create(Kind::Group, fine, "ada", &["bob"]);
    world.hold(Projection::Inbox, 1);
    for number in 0..5 {
        world.say(lagging, "ada", &number.to_string());
    }
    served.delivered().await;
    let authorization = [("authorization", "Bearer bob")];
    let mut bob = crate::support::Socket::raw(served.address, &authorization).await.unwrap();
    bob.send(json!({"type": "hello"})).await;
    bob.welcome = bob.expect("welcome").await;
    let heads = bob.expect("heads").await;
    assert_eq!(heads["behind"], true);
    assert_eq!(heads["items"].as_array().unwrap().len(), 1);
    assert_eq!(heads["items"][0]["conversation_id"], json!(fine));
    let position = Position::parse(bob.position()).unwrap();
    assert!(!position.offsets.contains_key(&1), "it covers only what the heads include");
    assert_eq!(served.gateway.status().behind, 1);
    // Live in the other partition, and nothing of this one before its head.
    world.say(lagging, "ada", "five");
    world.say(fine, "ada", "live");
    served.delivered().await;
    let seen = bob.drained().await;
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(seen[0]["conversation_id"], json!(fine));
    let view = json!({"type": "view", "conversation_id": lagging});
    assert_eq!(bob.ask(view).await["code"], "behind");

    world.release(Projection::Inbox, 1);
    let later = bob.expect("heads").await;
    assert_eq!(later["behind"], Value::Null);
    assert_eq!(later["items"][0]["conversation_id"], json!(lagging));
    assert_eq!(later["items"][0]["head_rev"], 7);
    world.say(lagging, "ada", "six");
    assert_eq!(bob.expect("entry").await["rev"], 8, "right after the head");
    served.until(|gateway| gateway.status().behind == 0).await;
}

#[tokio::test]
async fn connects_meet_a_stream_of_entries_without_a_hole() {
    let served = Served::start().await;
    let world = served.world.clone();
    let conversation = group(&world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let writer = {
        let world = world.clone();
        tokio::spawn(async move {
            for number in 0..400 {
                world.say(conversation, "ada", &number.to_string());
                tokio::task::yield_now().await;
            }
        })
    };
    let mut since: Option<String> = None;
    for _ in 0..8 {
        let mut socket = match &since {
            None => served.open("bob").await,
            Some(since) => served.resume("bob", since).await,
        };
        if let Some(head) = socket.heads.first() {
            let mut rev = head["head_rev"].as_u64().unwrap();
            for frame in socket.drained().await {
                if frame["type"] == "entry" {
                    rev += 1;
                    assert_eq!(frame["rev"], rev);
                }
            }
        }
        since = Some(socket.position().to_owned());
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn a_log_that_was_lost_is_followed_from_where_reading_ended() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut bob = served.open("bob").await;
    world.say(conversation, "ada", "before");
    assert_eq!(bob.expect("entry").await["rev"], 2);
    world.lose_log.store(true, std::sync::atomic::Ordering::SeqCst);
    world.say(conversation, "ada", "meanwhile");
    served.until(|gateway| !gateway.status().following).await;
    world.say(conversation, "ada", "meanwhile as well");
    let (status, code) = crate::support::Socket::refused(served.address, &[]).await;
    assert_eq!((status.as_u16(), code.as_str()), (503, "unavailable"), "no new sockets meanwhile");
    for rev in [3, 4] {
        assert_eq!(bob.expect("entry").await["rev"], rev);
    }
    served.until(|gateway| gateway.status().following).await;
}
