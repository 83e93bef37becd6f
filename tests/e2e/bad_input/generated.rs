//! Random bodies and random bytes: whatever comes, nothing breaks.

use anyhow::Result;
use serde_json::{Map, Value, json};
use verbatim_schemas::routes::ROUTES;
use verbatim_tests::{
    dice::Dice,
    new_id,
    wire::{self, Wire, frame},
};

use super::target::Target;

/// Makes what is wrong, the same for the same seed.
struct Maker(Dice);

impl Maker {
    fn next(&mut self) -> u64 {
        self.0.below(u64::MAX)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.0.below(bound.max(1) as u64)).unwrap_or_default()
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next().to_le_bytes()[0]).collect()
    }

    fn value(&mut self, depth: usize) -> Value {
        match self.below(if depth == 0 { 8 } else { 10 }) {
            0 => Value::Null,
            1 => json!(self.below(2) == 0),
            2 => json!(self.next()),
            3 => json!(-(i64::try_from(self.next() >> 1).unwrap_or_default())),
            4 => json!(1.5e300),
            5 => json!(String::from_utf8_lossy(&self.bytes(12))),
            6 => json!("x".repeat(self.below(20_000))),
            7 => json!(new_id()),
            8 => (0..self.below(4)).map(|_| self.value(depth - 1)).collect(),
            _ => {
                let fields = (0..self.below(4)).map(|n| (format!("k{n}"), self.value(depth - 1)));
                Value::Object(fields.collect::<Map<_, _>>())
            }
        }
    }

    /// A right body made wrong somewhere, or only made different.
    fn mutate(&mut self, right: &Value) -> Vec<u8> {
        let mut value = right.clone();
        if let Some(fields) = value.as_object_mut() {
            let names: Vec<String> = fields.keys().cloned().collect();
            for _ in 0..=self.below(2) {
                let name = names[self.below(names.len())].clone();
                match self.below(4) {
                    0 => drop(fields.remove(&name)),
                    1 => drop(fields.insert(format!("{name}s"), self.value(2))),
                    _ => drop(fields.insert(name, self.value(3))),
                }
            }
        }
        let mut bytes = value.to_string().into_bytes();
        match self.below(6) {
            0 => bytes.truncate(self.below(bytes.len())),
            1 => {
                let place = self.below(bytes.len());
                bytes[place] = self.next().to_le_bytes()[0];
            }
            2 => bytes.extend(self.bytes(3)),
            _ => {}
        }
        bytes
    }
}

/// A right body of each route that takes one.
fn right(operation: &str) -> Value {
    match operation {
        "createConversation" => json!({
            "kind": "group", "name": "Team", "members": ["bob"], "history": "all",
            "posting": "admins",
        }),
        "putMember" => json!({"role": "member"}),
        "sendMessage" => json!({"id": new_id(), "text": "x", "metadata": {"a": [1, {"b": null}]}}),
        "putReceipts" => json!({"read": 1, "delivered": 1}),
        "createDevToken" => json!({"user_id": "cid", "device": "phone", "roles": ["auditor"]}),
        unlisted => panic!("{unlisted} takes a body that nothing here tries"),
    }
}

#[tokio::test]
async fn g9_random_bodies_never_break_anything() -> Result<()> {
    let target = Target::start(&[("VERBATIM_RATES_CONVERSATIONS_PER_HOUR", "100000")]).await?;
    let group = target.ada.group(&["bob"]).await?;
    target.ada.send(&group, "one").await?.expect(201);
    let mut maker = Maker(Dice::of_test("random bodies", 0x5eed));
    for route in ROUTES.iter().filter(|route| route.body.is_some()) {
        let body = right(route.operation);
        for round in 0..300 {
            let bytes = maker.mutate(&body);
            let fresh = new_id();
            let id = if route.operation == "createConversation" { &fresh } else { &group };
            let path = route.path.replace("{id}", id).replace("{user_id}", "cid");
            let line = format!("{} {path}", route.method.as_str());
            let reply = target.json(&line, &bytes).await?;
            let text = String::from_utf8_lossy(&bytes);
            assert!((200..500).contains(&reply.status), "{round}: {line} {text}: {reply:?}");
            let explained = reply.status < 300 || !reply.code().is_empty();
            assert!(explained, "{round}: {line} {text}: {reply:?}");
        }
        target.serves().await?;
    }
    Ok(())
}

#[tokio::test]
async fn g9_random_bytes_on_a_connection_never_break_anything() -> Result<()> {
    let target = Target::start(&[("VERBATIM_HTTP_HEADER_TIMEOUT", "200ms")]).await?;
    let mut maker = Maker(Dice::of_test("random bytes", 0xb17e5));
    for _ in 0..60 {
        let count = 1 + maker.below(2_000);
        let bytes = maker.bytes(count);
        if let Ok(reply) = wire::exchange(target.server.address(), &[&bytes]).await {
            assert!(reply.status < 500 || reply.status == 505, "{bytes:?}: {reply:?}");
        }
    }
    target.serves().await
}

#[tokio::test]
async fn g9_random_frames_never_break_anything() -> Result<()> {
    let target = Target::start(&[]).await?;
    let mut maker = Maker(Dice::of_test("random frames", 0xf4a3e));
    let hello = frame(true, 1, br#"{"type":"hello"}"#);
    let bye = frame(true, 8, &1000u16.to_be_bytes());
    for round in 0..150 {
        let mut wire = Wire::open(target.server.address(), &[target.bearer()]).await?;
        if round % 3 > 0 {
            wire.write(&hello).await?;
        }
        for _ in 0..=maker.below(4) {
            let bytes = match maker.below(3) {
                0 => {
                    let count = 1 + maker.below(300);
                    maker.bytes(count)
                }
                1 => {
                    let (opcode, count) = (maker.next().to_le_bytes()[0] & 15, maker.below(200));
                    let payload = maker.bytes(count);
                    frame(maker.below(4) > 0, opcode, &payload)
                }
                _ => {
                    let send = json!({
                        "type": "send", "conversation_id": target.id, "id": new_id(), "text": "x",
                    });
                    frame(true, 1, &maker.mutate(&send))
                }
            };
            // It may be closed already.
            if wire.write(&bytes).await.is_err() {
                break;
            }
        }
        // Half a frame before it swallows this one; the connection ends all the same.
        let _ = wire.write(&bye).await;
        wire.half_close().await;
        let (frames, code) = wire.closed().await?;
        let known = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 4001, 4029];
        assert!(code.is_none_or(|code| known.contains(&code)), "{round}: {code:?} {frames:?}");
    }
    target.serves().await
}
