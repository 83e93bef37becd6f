use std::time::Duration;

use futures_util::SinkExt;
use serde_json::json;
use tokio_tungstenite::tungstenite::{
    Bytes, Message,
    protocol::{
        CloseFrame,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};
use verbatim_gateway::GatewayConfig;
use verbatim_schemas::{Code, Kind};

use crate::support::{Served, Socket, World, config, group, world::Script};

async fn raw(served: &Served) -> Socket {
    Socket::raw(served.address, &[("authorization", "Bearer ada")]).await.unwrap()
}

#[tokio::test]
async fn no_hello_in_time() {
    let served = Served::start().await;
    let mut socket = raw(&served).await;
    served.until(|gateway| gateway.status().sockets == 1).await;
    served.pass(Duration::from_secs(4)).await;
    socket.send(json!({"type": "unwatch", "users": [], "ref": "a"})).await;
    let early = socket.expect("error").await;
    assert_eq!((&early["code"], &early["ref"]), (&json!("unauthenticated"), &json!("a")));
    served.pass(Duration::from_secs(3)).await;
    let (bye, code) = socket.closed().await;
    assert_eq!((&bye["code"], code), (&json!("unauthenticated"), 4001));
}

#[tokio::test]
async fn wrong_content_stays_open_until_there_is_too_much() {
    let served = Served::start().await;
    let mut socket = served.open("ada").await;
    for (frame, code, field) in [
        (r#"{"type":"nonsense","ref":"r"}"#, "invalid", "type"),
        (r#"{"type":"hello"}"#, "invalid", "type"),
        (r#"{"type":"typing"}"#, "invalid", "conversation_id"),
        (r#"{"type":"unwatch","users":[],"more":1}"#, "unknown_field", "more"),
        (r#"{"type":"unwatch","users":[],"users":[]}"#, "malformed", ""),
        (r#"[]"#, "invalid", ""),
        (r#"{"users":[]}"#, "invalid", "type"),
    ] {
        socket.text(frame).await;
        let error = socket.expect("error").await;
        assert_eq!(error["code"], code, "{frame}");
        if !field.is_empty() {
            assert_eq!(error["field"], field, "{frame}");
        }
    }
    assert_eq!(socket.ask(json!({"type": "unwatch", "users": []})).await["type"], "ack");
    for _ in 0..9 {
        socket.text("{}").await;
        socket.expect("error").await;
    }
    socket.ask(json!({"type": "unwatch", "users": []})).await;
    for _ in 0..10 {
        socket.text("{}").await;
    }
    let (bye, code) = socket.closed().await;
    assert_eq!((&bye["type"], code), (&json!("bye"), 1008));
}

#[tokio::test]
async fn frames_that_end_a_socket() {
    let served = Served::start().await;
    let not_utf8 = Frame::message(vec![0xff], OpCode::Data(Data::Text), true);
    let alone = Frame::message(Bytes::new(), OpCode::Data(Data::Continue), true);
    for (message, code) in [
        (Message::text("not json"), 1007),
        (Message::text(r#"{"type":"send""#), 1007),
        (Message::Frame(not_utf8), 1007),
        (Message::binary(vec![1]), 1003),
        (Message::Frame(alone), 1002),
        (Message::text("x".repeat(128 * 1024 + 1)), 1009),
    ] {
        let mut socket = served.open("ada").await;
        socket.ws.send(message.clone()).await.unwrap();
        let (bye, closed) = socket.closed().await;
        assert_eq!((&bye["type"], closed), (&json!("bye"), code), "{message:?}");
    }
    let mut socket = served.open("ada").await;
    let first = Frame::message("{", OpCode::Data(Data::Text), false);
    socket.ws.send(Message::Frame(first)).await.unwrap();
    for _ in 0..64 {
        let more = Frame::message(" ", OpCode::Data(Data::Continue), false);
        socket.ws.send(Message::Frame(more)).await.unwrap();
    }
    assert_eq!(socket.closed().await.1, 1009, "too many fragments");
}

#[tokio::test]
async fn a_client_that_closes_gets_its_code_back() {
    let served = Served::start().await;
    let mut socket = served.open("ada").await;
    let frame = CloseFrame { code: 4500.into(), reason: "done".into() };
    socket.ws.close(Some(frame)).await.unwrap();
    assert_eq!(socket.closed().await.1, 4500);
    drop(socket);
    served.until(|gateway| gateway.status().sockets == 0).await;
}

#[tokio::test]
async fn pings_are_answered_and_too_many_end_it() {
    use futures_util::StreamExt;
    let served = Served::start().await;
    let mut socket = served.open("ada").await;
    socket.ws.send(Message::Ping("hello".into())).await.unwrap();
    let pong = socket.ws.next().await.unwrap().unwrap();
    assert_eq!(pong, Message::Pong("hello".into()));
    for _ in 0..10 {
        socket.ws.send(Message::Ping(Bytes::new())).await.unwrap();
    }
    let (bye, code) = socket.closed().await;
    assert_eq!((&bye["code"], code), (&json!("rate_limited"), 4029));
}

#[tokio::test]
async fn a_hundred_refusals_for_rate_in_a_row_end_it() {
    let served = Served::start().await;
    let conversation = group(&served.world, 1);
    served.world.create(Kind::Group, conversation, "ada", &[]);
    let mut socket = served.open("ada").await;
    let receipt = json!({"type": "send", "conversation_id": conversation, "text": "x",
        "id": "01a31a6d-7400-7000-8000-000000000001"});
    for _ in 0..99 {
        served.world.script(Script::Refused(Code::RateLimited.into()));
        assert_eq!(socket.ask(receipt.clone()).await["code"], "rate_limited");
    }
    assert_eq!(socket.ask(json!({"type": "unwatch", "users": []})).await["type"], "ack");
    served.world.script(Script::Refused(Code::RateLimited.into()));
    socket.send(receipt).await;
    let (bye, code) = socket.closed().await;
    assert_eq!((&bye["code"], code), (&json!("rate_limited"), 4029));
}

#[tokio::test]
async fn an_idle_socket_is_pinged_and_a_silent_one_closed() {
    use futures_util::StreamExt;
    let served = Served::start().await;
    let mut alive = served.open("ada").await;
    let mut silent = served.open("bob").await;
    served.pass(Duration::from_secs(31)).await;
    // The client's library answers the ping as it reads it.
    let ping = alive.ws.next().await.unwrap().unwrap();
    assert_eq!(ping, Message::Ping(Bytes::new()));
    alive.drained().await;
    served.pass(Duration::from_secs(46)).await;
    let (bye, code) = silent.closed().await;
    assert_eq!((&bye["code"], code), (&json!("timeout"), 1001));
    assert!(alive.drained().await.is_empty());
}

#[tokio::test]
async fn a_token_ends_and_can_be_renewed() {
    let served = Served::start().await;
    let mut renewed = served.open("ada@phone@60").await;
    let mut ends = served.open("bob@phone@60").await;
    for (token, code) in [
        ("bob@phone@600", "forbidden"),
        ("ada@laptop@600", "forbidden"),
        ("bad", "unauthenticated"),
        ("down", "unavailable"),
    ] {
        let refused = renewed.ask(json!({"type": "renew", "token": token})).await;
        assert_eq!(refused["code"], code);
    }
    let ack = renewed.ask(json!({"type": "renew", "token": "ada@phone@600"})).await;
    assert_eq!(ack["type"], "ack");
    served.pass(Duration::from_secs(62)).await;
    let (bye, code) = ends.closed().await;
    assert_eq!((&bye["code"], code), (&json!("token_ended"), 4003));
    assert!(renewed.drained().await.is_empty());
}

#[tokio::test]
async fn a_closing_client_that_does_not_go_is_dropped() {
    let served = Served::with(World::new(1), config()).await;
    let socket = served.open("ada").await;
    // It never reads the close frame, nor ends its side.
    let drained = served.gateway.drain(Duration::from_millis(1)).await;
    assert!(drained <= 1);
    served.pass(Duration::from_secs(7)).await;
    served.until(|gateway| gateway.status().sockets == 0).await;
    drop(socket);
}

#[tokio::test]
async fn bounds_are_those_of_the_configuration() {
    let small = GatewayConfig { message_bytes: 100, wrong_in_a_row: 2, ..config() };
    let served = Served::with(World::new(1), small).await;
    let mut socket = served.open("ada").await;
    assert_eq!(socket.welcome["limits"]["message_bytes"], 100);
    socket.text("{}").await;
    socket.text("{}").await;
    assert_eq!(socket.closed().await.1, 1008);
}
