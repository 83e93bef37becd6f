use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Notify;
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::{Code, EventBody, Kind, Problem};

use crate::support::{Served, World, config, group, world::Projection, world::Script};

fn id(number: u64) -> String {
    let mut bytes = [0; 10];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(1_800_000_000_000, &bytes).into_uuid().to_string()
}

async fn in_a_group() -> (Served, verbatim_schemas::ConversationId) {
    let served = Served::start().await;
    let conversation = group(&served.world, 1);
    served.world.create(Kind::Group, conversation, "ada", &["bob"]);
    (served, conversation)
}

#[tokio::test]
async fn a_message_is_acknowledged_and_comes_to_every_socket() {
    let (served, conversation) = in_a_group().await;
    let mut ada = served.open("ada").await;
    let mut other_device = served.open("ada@laptop").await;
    let mut bob = served.open("bob").await;
    let mut eve = served.open("eve").await;
    assert_eq!(ada.heads[0]["head_rev"], 1);
    let message = json!({
        "type": "send", "conversation_id": conversation, "id": id(1), "text": "hi",
        "metadata": {"n": 1.50},
    });
    let ack = ada.ask(message.clone()).await;
    assert_eq!((&ack["type"], &ack["id"]), (&json!("ack"), &json!(id(1))));
    assert_eq!((&ack["seq"], &ack["rev"]), (&json!(1), &json!(2)));
    assert!(ack["position"].is_string() && ack["created_at"].is_string());
    assert_eq!(ack["duplicate"], Value::Null);
    for socket in [&mut ada, &mut other_device, &mut bob] {
        let entry = socket.expect("entry").await;
        assert_eq!((&entry["rev"], &entry["kind"]), (&json!(2), &json!("message")));
        assert_eq!(entry["message"]["text"], "hi");
        assert_eq!(entry["message"]["created_at"], ack["created_at"]);
    }
    let again = ada.ask(message).await;
    assert_eq!((&again["seq"], &again["duplicate"]), (&json!(1), &json!(true)));
    served.delivered().await;
    assert!(eve.drained().await.is_empty(), "a frame for members reaches nobody else");
    assert!(bob.drained().await.is_empty(), "a repeat brings nothing");
}

#[tokio::test]
async fn an_entry_is_what_history_has_byte_for_byte() {
    let (served, conversation) = in_a_group().await;
    let mut bob = served.open("bob").await;
    let ruling = served.world.say(conversation, "ada", "spaces  and \"quotes\" \u{1F600}");
    use futures_util::StreamExt;
    let text = bob.ws.next().await.unwrap().unwrap().into_text().unwrap();
    let entry = serde_json::to_string(&ruling.content().unwrap().entry).unwrap();
    assert_eq!(text.as_str(), format!(r#"{{"type":"entry",{}"#, &entry[1..]));
    assert!(text.contains("1.50"), "no number is rounded");
}

#[tokio::test]
async fn sends_are_submitted_in_the_order_of_their_frames() {
    let (served, conversation) = in_a_group().await;
    let mut ada = served.open("ada").await;
    for number in 0..300u64 {
        ada.send(json!({
            "type": "send", "conversation_id": conversation, "id": id(number),
            "text": number.to_string(), "ref": number.to_string(),
        }))
        .await;
    }
    let (mut acks, mut entries) = (0, 0);
    while acks < 300 || entries < 300 {
        let frame = ada.next().await;
        if frame["type"] == "ack" {
            let number: u64 = frame["ref"].as_str().unwrap().parse().unwrap();
            assert_eq!(frame["seq"], number + 1);
            acks += 1;
        } else {
            entries += 1;
            assert_eq!(frame["rev"], entries + 1, "no hole");
        }
    }
}

#[tokio::test]
async fn a_socket_with_much_in_flight_is_not_read() {
    let world = World::new(1);
    let served = Served::with(world.clone(), GatewayConfig { in_flight: 3, ..config() }).await;
    let conversation = group(&world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    let mut ada = served.open("ada").await;
    let let_go = Arc::new(Notify::new());
    (0..3).for_each(|_| world.script(Script::Held(let_go.clone())));
    for number in 0..5u64 {
        ada.send(json!({
            "type": "send", "conversation_id": conversation, "id": id(number), "text": "x",
            "ref": number.to_string(),
        }))
        .await;
    }
    let submitted = || world.submitted.lock().unwrap().len();
    served.until(|_| submitted() == 3).await;
    tokio::task::yield_now().await;
    assert_eq!(submitted(), 3, "the others wait");
    let_go.notify_one();
    let refused = ada.until("error").await;
    assert_eq!(refused["code"], "outcome_unknown");
    served.until(|_| submitted() >= 4).await;
    let_go.notify_waiters();
    let mut answered = 0;
    while answered < 4 {
        answered += usize::from(ada.next().await["ref"].is_string());
    }
}

#[tokio::test]
async fn refusals_carry_what_the_table_says() {
    let (served, conversation) = in_a_group().await;
    let mut ada = served.open("ada").await;
    let message = json!({
        "type": "send", "conversation_id": conversation, "id": id(1), "text": "hi",
    });
    let limited = Problem::new(Code::RateLimited).retry_after_ms(50);
    served.world.script(Script::Refused(limited));
    let refused = ada.ask(message.clone()).await;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("rate_limited")));
    assert_eq!((&refused["retry"], &refused["retry_after_ms"]), (&json!("same_id"), &json!(50)));
    served.world.script(Script::Pending);
    let unknown = ada.ask(message.clone()).await;
    assert_eq!(
        (&unknown["code"], &unknown["retry"]),
        (&json!("outcome_unknown"), &json!("same_id"))
    );
    assert_eq!(ada.ask(message.clone()).await["duplicate"], true, "it was stored");

    served.world.script(Script::Refused(Code::StaleId.into()));
    let stale = ada.ask(message).await;
    assert_eq!((&stale["code"], &stale["message"]["seq"]), (&json!("stale_id"), &json!(1)));
    served.world.script(Script::Refused(Code::StaleId.into()));
    let lost = json!({
        "type": "send", "conversation_id": conversation, "id": id(9), "text": "hi",
    });
    let stale = ada.ask(lost).await;
    assert!(stale.as_object().unwrap().contains_key("message") && stale["message"].is_null());
    let mut eve = served.open("eve").await;
    let outside = json!({
        "type": "send", "conversation_id": conversation, "id": id(2), "text": "let me in",
    });
    assert_eq!(eve.ask(outside).await["code"], "conversation_not_found");
}

#[tokio::test]
async fn fetch_gives_pages_and_says_where_they_end() {
    let world = World::new(2);
    let served =
        Served::with(world.clone(), GatewayConfig { fetch_bytes: 1_000, ..config() }).await;
    let conversation = group(&world, 1);
    world.create(Kind::Group, conversation, "ada", &["bob"]);
    for number in 0..9 {
        world.say(conversation, "ada", &number.to_string());
    }
    let mut bob = served.open("bob").await;
    let (mut after, mut revs) = (json!(0), Vec::new());
    loop {
        let fetch = json!({"type": "fetch", "conversation_id": conversation, "after": after});
        let page = bob.ask(fetch).await;
        assert_eq!((&page["type"], &page["head_rev"]), (&json!("entries"), &json!(10)));
        let items = page["items"].as_array().unwrap();
        assert!(!items.is_empty());
        revs.extend(items.iter().map(|entry| entry["rev"].as_u64().unwrap()));
        after = page["next"].clone();
        if after.is_null() {
            break;
        }
    }
    assert_eq!(revs, (1..=10).collect::<Vec<_>>());
    let fetch = json!({"type": "fetch", "conversation_id": conversation, "after": 10});
    let end = bob.ask(fetch).await;
    assert_eq!((&end["items"], &end["next"]), (&json!([]), &Value::Null));
    let mut eve = served.open("eve").await;
    let fetch = json!({"type": "fetch", "conversation_id": conversation, "after": 0});
    assert_eq!(eve.ask(fetch).await["code"], "conversation_not_found");
}

/// With null the client would send the message again under a new id, and it would stand twice.
#[tokio::test]
async fn g3_a_stale_id_is_not_called_unsent_while_history_lags() {
    let (served, conversation) = in_a_group().await;
    let mut ada = served.open("ada").await;
    let message = json!({
        "type": "send", "conversation_id": conversation, "id": id(1), "text": "hi",
    });
    served.world.hold(Projection::History, 1);
    assert_eq!(ada.ask(message.clone()).await["seq"], 1);
    served.world.script(Script::Refused(Code::StaleId.into()));
    let lagging = ada.ask(message.clone()).await;
    assert_eq!((&lagging["code"], &lagging["retry"]), (&json!("behind"), &json!("same_id")));
    served.world.release(Projection::History, 1);
    served.world.script(Script::Refused(Code::StaleId.into()));
    let stale = ada.ask(message).await;
    assert_eq!((&stale["code"], &stale["message"]["seq"]), (&json!("stale_id"), &json!(1)));
}

#[tokio::test]
async fn fetch_waits_for_history_one_at_a_time() {
    let (served, conversation) = in_a_group().await;
    let world = &served.world;
    let mut bob = served.open("bob").await;
    world.hold(Projection::History, 1);
    world.say(conversation, "ada", "not in history yet");
    bob.expect("entry").await;
    let fetch = |reference: &str| json!({"type": "fetch", "conversation_id": conversation, "after": 1, "ref": reference});
    bob.send(fetch("one")).await;
    bob.send(fetch("two")).await;
    let second = bob.next().await;
    assert_eq!((&second["ref"], &second["code"]), (&json!("two"), &json!("rate_limited")));
    let first = bob.next().await;
    assert_eq!((&first["ref"], &first["code"]), (&json!("one"), &json!("behind")));
    bob.send(fetch("three")).await;
    world.release(Projection::History, 1);
    let third = bob.next().await;
    assert_eq!((&third["ref"], &third["items"][0]["rev"]), (&json!("three"), &json!(2)));
}

#[tokio::test]
async fn typing_goes_to_the_others_only_and_not_too_often() {
    let (served, conversation) = in_a_group().await;
    let mut ada = served.open("ada").await;
    let mut laptop = served.open("ada@laptop").await;
    let mut bob = served.open("bob").await;
    let typing = json!({"type": "typing", "conversation_id": conversation});
    ada.send(typing.clone()).await;
    ada.send(typing.clone()).await;
    assert!(ada.drained().await.is_empty());
    assert!(laptop.drained().await.is_empty());
    let seen = bob.drained().await;
    assert_eq!(
        seen,
        [json!({
            "type": "typing", "conversation_id": conversation, "user_id": "ada",
        })]
    );
    served.pass(std::time::Duration::from_secs(2)).await;
    ada.send(typing.clone()).await;
    assert_eq!(bob.expect("typing").await["user_id"], "ada");
    let mut eve = served.open("eve").await;
    eve.send(typing).await;
    assert_eq!(eve.expect("error").await["code"], "conversation_not_found");
    assert!(bob.drained().await.is_empty());
}

#[tokio::test]
async fn commands_are_what_the_frames_say() {
    let (served, conversation) = in_a_group().await;
    let mut ada = served.open("ada").await;
    ada.ask(json!({
        "type": "send", "conversation_id": conversation, "id": id(1), "text": "hi",
    }))
    .await;
    let submitted = served.world.submitted.lock().unwrap().clone();
    let [EventBody::MessageSent(sent)] = submitted.as_slice() else { panic!("{submitted:?}") };
    assert_eq!((sent.text.as_str(), &sent.metadata), ("hi", &None));
}
