//! Frames that break RFC 6455, and frames with the wrong content.

use anyhow::Result;
use serde_json::{Value, json};
use verbatim_tests::{
    Client, Socket, new_id,
    socket::Incoming,
    wire::{Wire, frame, unmasked},
};

use super::target::Target;

/// A signed-in socket below the frames' rules.
async fn wire(target: &Target) -> Result<Wire> {
    let mut wire = Wire::open(target.server.address(), &[target.bearer()]).await?;
    wire.write(&frame(true, 1, br#"{"type":"hello"}"#)).await?;
    Ok(wire)
}

#[tokio::test]
async fn g9_frames_that_break_the_protocol_close_with_their_code() -> Result<()> {
    let target = Target::start(&[]).await?;
    let large = vec![b' '; 128 * 1024 + 1];
    let mut fragments = frame(false, 1, b" ");
    (0..64).for_each(|_| fragments.extend(frame(false, 0, b" ")));
    let mut sum = frame(false, 1, &large[..100_000]);
    sum.extend(frame(true, 0, &large[..100_000]));
    // The length alone, before a byte of it came.
    let declared =
        [0x81, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4].to_vec();
    let mut reserved = frame(true, 1, b"{}");
    reserved[0] |= 0x40;
    for (what, bytes, code) in [
        ("binary", frame(true, 2, b"{}"), 1003),
        ("not UTF-8", frame(true, 1, b"{\"type\":\"\xff\"}"), 1007),
        ("not JSON", frame(true, 1, b"hello"), 1007),
        ("nothing", frame(true, 1, b""), 1007),
        ("truncated", frame(true, 1, b"{\"type\":\"view\""), 1007),
        ("too large", frame(true, 1, &large), 1009),
        ("too large in all", sum, 1009),
        ("declared too large", declared, 1009),
        ("65 fragments", fragments, 1009),
        ("not masked", unmasked(1, b"{}"), 1002),
        ("an unknown opcode", frame(true, 3, b"{}"), 1002),
        ("a reserved bit", reserved, 1002),
        ("a ping of 126 bytes", frame(true, 9, &[0; 126]), 1002),
        ("a ping in fragments", frame(false, 9, b"x"), 1002),
        ("a continuation of nothing", frame(true, 0, b"{}"), 1002),
        (
            "a message within a message",
            [frame(false, 1, b"{"), frame(true, 1, b"}")].concat(),
            1002,
        ),
        ("a close frame of one byte", frame(true, 8, &[3]), 1002),
        ("a close code that nobody may send", frame(true, 8, &1005u16.to_be_bytes()), 1002),
        ("a close reason that is not UTF-8", frame(true, 8, b"\x03\xe8\xff"), 1007),
    ] {
        let mut wire = wire(&target).await?;
        wire.write(&bytes).await?;
        let (frames, closed) = wire.closed().await?;
        assert_eq!(closed, Some(code), "{what}: {frames:?}");
        // Without a hello, too.
        let mut wire = Wire::open(target.server.address(), &[]).await?;
        wire.write(&bytes).await?;
        assert_eq!(wire.closed().await?.1, Some(code), "{what}, before hello");
    }
    let mut polite = wire(&target).await?;
    polite.write(&frame(true, 8, &1000u16.to_be_bytes())).await?;
    assert_eq!(polite.closed().await?.1, Some(1000));
    target.serves().await
}

#[tokio::test]
async fn g9_fragments_and_sizes_up_to_their_bounds_are_served() -> Result<()> {
    let target = Target::start(&[]).await?;
    let mut wire = wire(&target).await?;
    let mut text = json!({"type": "unwatch", "users": [], "ref": "64"}).to_string();
    text.push_str(&" ".repeat(128 * 1024 - text.len()));
    let step = text.len() / 64;
    for n in 0..64 {
        let part = &text.as_bytes()[n * step..(n + 1) * step];
        wire.write(&frame(n == 63, u8::from(n == 0), part)).await?;
        if n == 30 {
            wire.write(&frame(true, 9, &[7; 125])).await?;
        }
    }
    wire.write(&frame(true, 8, &1000u16.to_be_bytes())).await?;
    let (frames, code) = wire.closed().await?;
    assert_eq!(code, Some(1000));
    assert!(
        frames.iter().any(|frame| frame["type"] == "ack" && frame["ref"] == "64"),
        "{frames:?}"
    );
    target.serves().await
}

#[tokio::test]
async fn g9_pings_above_their_rate() -> Result<()> {
    let target = Target::start(&[]).await?;
    let mut wire = wire(&target).await?;
    for _ in 0..11 {
        wire.write(&frame(true, 9, b"x")).await?;
    }
    let (frames, code) = wire.closed().await?;
    assert_eq!(code, Some(4029), "{frames:?}");
    let bye = frames.iter().find(|frame| frame["type"] == "bye").cloned().unwrap_or_default();
    assert_eq!(bye["code"], "rate_limited");
    target.serves().await
}

/// Frames with the wrong content: each with the field that is wrong.
fn wrong(id: &str) -> Vec<(Value, &'static str, &'static str)> {
    let send = |field: &str, value: Value| {
        let mut frame = json!({"type": "send", "conversation_id": id, "id": new_id(), "text": "x"});
        frame[field] = value;
        frame
    };
    let users: Vec<String> = (0..501).map(|n| format!("u{n}")).collect();
    vec![
        (json!({}), "invalid", "type"),
        (json!({"type": "teleport"}), "invalid", "type"),
        (json!({"type": "welcome"}), "invalid", "type"),
        (json!({"type": "hello"}), "invalid", "type"),
        (send("text", json!("")), "invalid", "text"),
        (send("text", json!("x".repeat(16_385))), "invalid", "text"),
        (send("text", json!("a\0")), "invalid", "text"),
        (send("id", json!("x")), "invalid", "id"),
        (send("conversation_id", json!("x")), "invalid", "conversation_id"),
        (send("metadata", json!([])), "invalid", "metadata"),
        (send("more", json!(1)), "unknown_field", "more"),
        (json!({"type": "fetch", "conversation_id": id, "after": -1}), "invalid", "after"),
        (json!({"type": "fetch", "conversation_id": id}), "invalid", "after"),
        (json!({"type": "receipt", "conversation_id": id}), "invalid", ""),
        (json!({"type": "receipt", "conversation_id": id, "read": "1"}), "invalid", "read"),
        (json!({"type": "watch", "users": users}), "invalid", "users"),
        (json!({"type": "watch", "users": ["a b"]}), "invalid", "users[0]"),
        (json!({"type": "watch", "users": "ada"}), "invalid", "users"),
        (json!({"type": "view"}), "invalid", "conversation_id"),
        (json!({"type": "renew"}), "invalid", "token"),
    ]
}

#[tokio::test]
async fn g9_wrong_content_is_answered_and_ten_in_a_row_close() -> Result<()> {
    let target = Target::start(&[]).await?;
    let mut socket = Socket::open(&target.ada).await?;
    for (frame, code, field) in wrong(&target.id) {
        let error = socket.ask(frame.clone()).await?;
        assert_eq!((&error["type"], &error["code"]), (&json!("error"), &json!(code)), "{frame}");
        if !field.is_empty() {
            assert_eq!(error["field"], field, "{frame}: {error}");
        }
        let fine = socket.ask(json!({"type": "unwatch", "users": []})).await?;
        assert_eq!(fine["type"], "ack", "open after {frame}");
    }
    // What is not content that a `ref` could be read from.
    for text in [
        r#"{"type":"view","ref":"x","ref":"x"}"#.to_owned(),
        format!(r#"{{"type":"view","x":{}{}}}"#, "[".repeat(32), "]".repeat(32)),
        format!(r#"{{"type":"unwatch","users":[],"ref":"{}"}}"#, "r".repeat(65)),
        r#"{"type":"unwatch","users":[],"ref":1}"#.to_owned(),
        "[]".to_owned(),
        "1".to_owned(),
    ] {
        socket.send_raw(text.clone().into()).await?;
        let error = socket.expect("error").await?;
        assert!(matches!(error["code"].as_str(), Some("malformed" | "invalid")), "{text}: {error}");
        let ack = socket.ask(json!({"type": "unwatch", "users": []})).await?;
        assert_eq!(ack["type"], "ack");
    }
    for n in 0..10 {
        let frame = json!({"type": "teleport", "ref": n.to_string()});
        socket.send(frame).await?;
    }
    for _ in 0..10 {
        socket.expect("error").await?;
    }
    assert_eq!(socket.closed().await?, Some(1008));
    target.serves().await
}

#[tokio::test]
async fn g9_before_hello_nothing_but_hello() -> Result<()> {
    let target = Target::start(&[]).await?;
    let anonymous = Client::anonymous(&target.ada.base);
    let mut socket = Socket::raw(&anonymous, &[]).await?;
    for _ in 0..9 {
        let error = socket.say(&target.id, "let me in").await?;
        assert_eq!(error["code"], "unauthenticated");
    }
    socket.send(json!({"type": "typing", "conversation_id": target.id})).await?;
    assert_eq!(socket.closed().await?, Some(1008), "ten in a row");
    target.serves().await
}

#[tokio::test]
async fn g9_views_and_watches_up_to_their_bounds() -> Result<()> {
    let target = Target::start(&[]).await?;
    let mut socket = Socket::open(&target.ada).await?;
    let users =
        |range: std::ops::Range<u32>| -> Vec<String> { range.map(|n| format!("u{n}")).collect() };
    let watch = |users: Vec<String>| json!({"type": "watch", "users": users});
    assert_eq!(socket.ask(watch(users(0..500))).await?["type"], "ack");
    assert_eq!(socket.ask(watch(users(0..500))).await?["type"], "ack", "the same again");
    assert_eq!(socket.ask(watch(users(500..501))).await?["code"], "invalid");
    let unwatch = json!({"type": "unwatch", "users": users(0..1)});
    assert_eq!(socket.ask(unwatch).await?["type"], "ack");
    assert_eq!(socket.ask(watch(users(500..501))).await?["type"], "ack");
    let mut channels = Vec::new();
    for n in 0..11 {
        let channel = json!({"kind": "channel", "name": format!("News {n}")});
        channels.push(target.ada.create(channel).await?);
    }
    let view = |id: &str| json!({"type": "view", "conversation_id": id});
    for id in &channels[..10] {
        assert_eq!(socket.ask(view(id)).await?["type"], "ack");
    }
    let error = socket.ask(view(&channels[10])).await?;
    assert_eq!((&error["code"], &error["field"]), (&json!("invalid"), &json!("conversation_id")));
    let unview = json!({"type": "unview", "conversation_id": channels[0]});
    assert_eq!(socket.ask(unview).await?["type"], "ack");
    assert_eq!(socket.ask(view(&channels[10])).await?["type"], "ack");
    let _: Option<Incoming> = socket.within(std::time::Duration::from_millis(1)).await?;
    target.serves().await
}
