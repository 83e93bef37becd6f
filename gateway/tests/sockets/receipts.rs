use std::time::Duration;

use serde_json::{Value, json};
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::{ConversationId, EventBody, Kind, Seq};

use crate::support::{Served, World, config, group, world::Projection};

#[tokio::test]
async fn receipts_are_merged_and_each_frame_is_acknowledged() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    for number in 0..9 {
        world.say(conversation, "ada", &number.to_string());
    }
    let mut bob = served.open("bob").await;
    let mut ada = served.open("ada").await;
    let receipt = |name: &str, seq: u64, reference: &str| {
        let mut frame = json!({"type": "receipt", "conversation_id": conversation});
        frame[name] = json!(seq);
        frame["ref"] = json!(reference);
        frame
    };
    bob.send(receipt("delivered", 1, "first")).await;
    let ack = bob.until("ack").await;
    assert_eq!(
        (&ack["ref"], &ack["delivered"], &ack["read"]),
        (&json!("first"), &json!(1), &json!(0))
    );
    assert!(ack["position"].is_string());
    bob.send(receipt("delivered", 5, "second")).await;
    bob.send(receipt("read", 3, "third")).await;
    bob.send(receipt("delivered", 4, "fourth")).await;
    bob.drained().await;
    assert_eq!(world.submitted.lock().unwrap().len(), 1, "the others wait");
    served.pass(Duration::from_secs(2)).await;
    for reference in ["second", "third", "fourth"] {
        let ack = bob.until("ack").await;
        assert_eq!(ack["ref"], reference);
        assert_eq!((&ack["delivered"], &ack["read"]), (&json!(5), &json!(3)));
    }
    let submitted = world.submitted.lock().unwrap().clone();
    let [_, EventBody::Read(read)] = submitted.as_slice() else { panic!("{submitted:?}") };
    assert_eq!((read.up_to, read.delivered), (Seq(3), Some(Seq(5))));
    let ticks: Vec<(Value, Value)> = ada
        .drained()
        .await
        .iter()
        .map(|frame| (frame["delivered"].clone(), frame["read"].clone()))
        .collect();
    assert_eq!(ticks, [(json!(1), json!(0)), (json!(5), json!(3))]);
}

#[tokio::test]
async fn what_waits_is_written_when_the_socket_closes() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    world.say(conversation, "ada", "one");
    world.say(conversation, "ada", "two");
    let mut ada = served.open("ada").await;
    let mut bob = served.open("bob").await;
    for seq in [1, 2] {
        let receipt = json!({"type": "receipt", "conversation_id": conversation, "read": seq});
        bob.send(receipt).await;
    }
    bob.ws.close(None).await.unwrap();
    assert_eq!(ada.expect("receipt").await["read"], 1);
    assert_eq!(ada.expect("receipt").await["read"], 2);
}

#[tokio::test]
async fn a_receipt_names_something_and_stays_within_the_head() {
    let served = Served::start().await;
    let conversation = group(&served.world, 1);
    served.world.create(Kind::Group, conversation, "ada", &[]);
    let mut ada = served.open("ada").await;
    let empty = ada.ask(json!({"type": "receipt", "conversation_id": conversation})).await;
    assert_eq!((&empty["code"], &empty["field"]), (&json!("invalid"), &json!("read")));
    let beyond =
        ada.ask(json!({"type": "receipt", "conversation_id": conversation, "read": 7})).await;
    assert_eq!(beyond["code"], "beyond_head");
}

#[tokio::test]
async fn one_that_is_refused_spoils_no_other() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    (0..3).for_each(|_| drop(world.say(conversation, "ada", "hello")));
    let mut bob = served.open("bob").await;
    let receipt = |name: &str, seq: u64, reference: &str| json!({"type": "receipt", "conversation_id": conversation, name: seq, "ref": reference});
    bob.ask(receipt("read", 1, "first")).await;
    for frame in
        [receipt("delivered", 5_000, "wrong"), receipt("read", 2, "a"), receipt("read", 3, "b")]
    {
        bob.send(frame).await;
    }
    served.pass(Duration::from_millis(1_500)).await;
    served.pass(Duration::from_millis(1_500)).await;
    let mut answers = std::collections::BTreeMap::new();
    while answers.len() < 3 {
        let frame = bob.next().await;
        if let Some(reference) = frame["ref"].as_str() {
            answers.insert(reference.to_owned(), frame);
        }
    }
    assert_eq!(answers["wrong"]["code"], "beyond_head");
    for reference in ["a", "b"] {
        assert_eq!(
            (&answers[reference]["type"], &answers[reference]["read"]),
            (&json!("ack"), &json!(3))
        );
    }
}

#[tokio::test]
async fn a_socket_that_closes_does_not_fill_the_log() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    world.say(conversation, "ada", "hello");
    let mut bob = served.open("bob").await;
    let records = || world.end().offsets.values().sum::<u64>();
    let before = records();
    for seq in 100..200 {
        bob.send(json!({"type": "receipt", "conversation_id": conversation, "read": seq})).await;
    }
    bob.send(json!({"type": "receipt", "conversation_id": conversation, "read": 1})).await;
    bob.ws.close(None).await.unwrap();
    drop(bob);
    served.until(|gateway| gateway.status().sockets == 0).await;
    served.delivered().await;
    // The first at once; what is known to fit, and one that may be refused, when it closes.
    assert!((1..=3).contains(&(records() - before)), "{} records", records() - before);
}

#[tokio::test]
async fn in_large_conversations_only_oneself_hears_of_ones_receipts() {
    let served = Served::start().await;
    let world = &served.world;
    let conversation = group(world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob", "cid"]);
    for number in 0..260 {
        world.add(conversation, "ada", &format!("member{number}"));
    }
    world.say(conversation, "ada", "one");
    world.say(conversation, "ada", "two");
    let mut bob = served.open("bob").await;
    let mut laptop = served.open("bob@laptop").await;
    let mut cid = served.open("cid").await;
    bob.ask(json!({"type": "receipt", "conversation_id": conversation, "read": 1})).await;
    for socket in [&mut bob, &mut laptop] {
        let counts = socket.expect("unread").await;
        assert_eq!((&counts["unread"], &counts["read"]), (&json!(1), &json!(1)));
        assert_eq!(counts["head_seq"], 2);
    }
    served.delivered().await;
    assert!(cid.drained().await.is_empty());
}

/// A group of as many members as receipts are public up to, and one of one more; a message in each.
async fn public_up_to_two() -> (Served, ConversationId, ConversationId) {
    let bounds = GatewayConfig { receipts_public_members: 2, ..config() };
    let served = Served::with(World::new(2), bounds).await;
    let world = &served.world;
    let (small, large) = (group(world, 0), group(world, 1));
    world.create(Kind::Group, small, "ada", &["bob"]);
    world.create(Kind::Group, large, "ada", &["bob", "cid"]);
    for conversation in [small, large] {
        world.say(conversation, "ada", "hello");
    }
    (served, small, large)
}

#[tokio::test]
async fn above_the_bound_that_is_set_receipts_are_the_members_own() {
    let (served, small, large) = public_up_to_two().await;
    let (mut ada, mut bob) = (served.open("ada").await, served.open("bob").await);
    let receipt =
        |conversation| json!({"type": "receipt", "conversation_id": conversation, "read": 1});
    bob.ask(receipt(large)).await;
    let counts = bob.expect("unread").await;
    assert_eq!((&counts["conversation_id"], &counts["read"]), (&json!(large), &json!(1)));
    bob.ask(receipt(small)).await;
    for socket in [&mut ada, &mut bob] {
        let told = socket.expect("receipt").await;
        assert_eq!((&told["conversation_id"], &told["read"]), (&json!(small), &json!(1)));
    }
    served.delivered().await;
    assert!(ada.drained().await.is_empty());
}

#[tokio::test]
async fn whoever_connects_after_a_receipt_that_the_heads_lack_is_shown_it_within_the_bound_only() {
    let (served, small, large) = public_up_to_two().await;
    let world = &served.world;
    (0..2).for_each(|partition| world.hold(Projection::Inbox, partition));
    for conversation in [small, large] {
        world.read(conversation, "bob", 1);
    }
    served.delivered().await;
    let mut seen = served.open("ada").await.drained().await;
    seen.retain(|frame| frame["type"] == "receipt" || frame["type"] == "unread");
    let [told] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&told["type"], &told["conversation_id"]), (&json!("receipt"), &json!(small)));
}
