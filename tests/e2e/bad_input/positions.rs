//! Positions that are none, of another log, or that nothing reaches.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::{Value, json};
use verbatim_domain::Position;
use verbatim_schemas::routes::ROUTES;
use verbatim_tests::Socket;

use super::target::{Target, refused};

const FAR: u64 = 1 << 60;

fn token(generation: u32, offsets: &[(u32, u64)]) -> String {
    Position { generation, offsets: BTreeMap::from_iter(offsets.iter().copied()) }.token()
}

/// Every read that takes a position, by the table.
fn reads(target: &Target) -> Vec<String> {
    let reads = ROUTES.iter().filter(|route| route.after);
    reads
        .map(|route| {
            let query = if route.operation == "getPresence" { "?user=bob" } else { "" };
            format!("GET {}{query}", route.path.replace("{id}", &target.id))
        })
        .collect()
}

#[tokio::test]
async fn g5_g9_positions_that_are_none_are_refused_by_every_read() -> Result<()> {
    let target = Target::start(&[]).await?;
    let sent = target.ada.send(&target.id, "x").await?.expect(201).position();
    let generation = Position::parse(&sent)?.generation;
    let (seventeen, sixteen) =
        (vec![sent.as_str(); 17].join(","), vec![sent.as_str(); 16].join(","));
    let large = format!("{sent}{}", ",".repeat(4_096));
    let long = "A".repeat(1_025);
    let other = token(generation + 1, &[(0, 1)]);
    let beyond = token(generation, &[(4_000, 1)]);
    for line in reads(&target) {
        for after in ["x", "!", "AA", "_____w", &seventeen, &large, &long, &other, &beyond] {
            let reply = target.ask(&line, &[("verbatim-after", after)], b"").await?;
            refused(&format!("{line} after {after}"), &reply, 400, "bad_position", None);
        }
        let headers = vec![("verbatim-after", sent.as_str()); 17];
        let reply = target.ask(&line, &headers, b"").await?;
        refused("17 lines", &reply, 400, "bad_position", None);
        for after in [&sent, &sixteen] {
            let reply = target.ask(&line, &[("verbatim-after", after)], b"").await?;
            assert_eq!(reply.status, 200, "{line}: {reply:?}");
        }
        for wait in ["x", "-1", "10001", "1.5", "", "1 000", "99999999999999999999999"] {
            let reply = target.ask(&line, &[("verbatim-wait", wait)], b"").await?;
            refused(&format!("{line} waits {wait}"), &reply, 422, "invalid", Some("Verbatim-Wait"));
        }
        let twice = [("verbatim-wait", "1"), ("verbatim-wait", "1")];
        let reply = target.ask(&line, &twice, b"").await?;
        refused("waits twice", &reply, 422, "invalid", Some("Verbatim-Wait"));
    }
    target.serves().await
}

#[tokio::test]
async fn g5_a_position_that_nothing_reaches_is_behind_after_the_bounded_wait() -> Result<()> {
    let target = Target::start(&[]).await?;
    let sent = target.ada.send(&target.id, "x").await?.expect(201).position();
    let position = Position::parse(&sent)?;
    let partition = *position.offsets.keys().next().unwrap_or(&0);
    let far = token(position.generation, &[(partition, FAR)]);
    let asks = reads(&target).into_iter().flat_map(|line| {
        ["0", "150"].map(|wait| {
            let (line, far, target) = (line.clone(), far.clone(), &target);
            async move {
                let headers = [("verbatim-after", far.as_str()), ("verbatim-wait", wait)];
                let reply = target.ask(&line, &headers, b"").await?;
                refused(&line, &reply, 503, "behind", None);
                assert!(reply.header("retry-after").is_some(), "{line} says when to come back");
                anyhow::Ok(())
            }
        })
    });
    futures_util::future::try_join_all(asks).await?;
    target.serves().await
}

#[tokio::test]
async fn g9_a_socket_since_a_position_that_is_none_or_far_away() -> Result<()> {
    let target = Target::start(&[]).await?;
    let ticket = target.ada.post("/v1/ws/tickets", json!({})).await?.expect(201).json();
    let mut socket = Socket::raw(&target.ada, &[]).await?;
    for since in ["x".to_owned(), "A".repeat(2_000)] {
        let hello = json!({"type": "hello", "ticket": ticket["ticket"], "since": since});
        let error = socket.ask(hello).await?;
        assert_eq!((&error["code"], &error["field"]), (&json!("bad_position"), &json!("since")));
    }
    // The ticket was not used up by them; a foreign position does no harm.
    let since = token(77, &[(3, FAR)]);
    socket.send(json!({"type": "hello", "ticket": ticket["ticket"], "since": since})).await?;
    socket.expect("welcome").await?;
    let heads: Value = socket.expect("heads").await?;
    assert!(heads["items"].is_array());
    let ack = socket.say(&target.id, "hello").await?;
    assert_eq!(ack["type"], "ack");
    target.serves().await
}
