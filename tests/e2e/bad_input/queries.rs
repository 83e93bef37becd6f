//! Query strings and ids in paths.

use std::time::Duration;

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use tokio::{io::AsyncWriteExt, net::TcpSocket, time::timeout};
use verbatim_tests::{Socket, crowd::NO_RATES, new_id};

use super::target::{Target, refused};

#[tokio::test]
async fn g9_pages_out_of_bounds() -> Result<()> {
    let target = Target::start(&[]).await?;
    target.serves().await?;
    let inside = |rest: &str| format!("/v1/conversations/{}/{rest}", target.id);
    for path in ["messages?", "entries?", "members?", "receipts?", ""] {
        let path = if path.is_empty() { "/v1/conversations?".to_owned() } else { inside(path) };
        for limit in ["0", "201", "-1", "x", "", "1.5", "99999999999999999999", "%31%00", "+1"] {
            let reply = target.ask(&format!("GET {path}limit={limit}"), &[], b"").await?;
            refused(&format!("{path}limit={limit}"), &reply, 422, "invalid", Some("limit"));
        }
        for limit in ["1", "200"] {
            let reply = target.ask(&format!("GET {path}limit={limit}"), &[], b"").await?;
            assert_eq!(reply.status, 200, "{path}limit={limit}");
        }
        let reply = target.ask(&format!("GET {path}limit=1&limit=1"), &[], b"").await?;
        refused("twice", &reply, 422, "invalid", Some("limit"));
        let reply = target.ask(&format!("GET {path}limits=1"), &[], b"").await?;
        refused("unknown", &reply, 422, "unknown_field", Some("limits"));
        let takes_cursor = !path.contains("messages") && !path.contains("entries");
        for cursor in ["x", "%ff", "!!!!", "AAAA", &"A".repeat(513), ""] {
            let reply = target.ask(&format!("GET {path}cursor={cursor}"), &[], b"").await?;
            let (code, field) =
                if takes_cursor { ("invalid", "cursor") } else { ("unknown_field", "cursor") };
            refused(&format!("{path}cursor={cursor}"), &reply, 422, code, Some(field));
        }
    }
    for (rest, field) in [
        ("messages?before=1&after=1", "after"),
        ("messages?before=x", "before"),
        ("messages?after=-1", "after"),
        ("messages?after=9007199254740992", "after"),
        ("entries?after=9007199254740992", "after"),
        ("entries?after=%zz", "after"),
    ] {
        let reply = target.ask(&format!("GET {}", inside(rest)), &[], b"").await?;
        refused(rest, &reply, 422, "invalid", Some(field));
    }
    for rest in
        ["messages?before=0", "messages?after=9007199254740991", "entries?after=9007199254740991"]
    {
        let reply = target.ask(&format!("GET {}", inside(rest)), &[], b"").await?;
        assert_eq!((reply.status, &reply.json()["items"]), (200, &serde_json::json!([])), "{rest}");
    }
    target.serves().await
}

/// What a page of entries holds in its items, and where the next goes on.
fn page(page: &Value) -> Result<(usize, usize, Option<u64>)> {
    let items = page["items"].as_array().context("no items")?;
    let bytes = items.iter().map(|item| item.to_string().len()).sum();
    Ok((items.len(), bytes, page["next"].as_u64()))
}

#[tokio::test]
async fn g9_pages_are_bounded_in_bytes_and_go_on_to_the_end() -> Result<()> {
    const MESSAGES: usize = 200;
    let target = Target::start(NO_RATES).await?;
    // JSON writes six bytes for each of these.
    let text = "\u{1}".repeat(5_000);
    for _ in 0..MESSAGES / 50 {
        let sent = try_join_all((0..50).map(|_| target.ada.send(&target.id, &text))).await?;
        sent.into_iter().for_each(|answer| drop(answer.expect(201)));
    }
    for (what, all) in [("entries", MESSAGES + 1), ("messages", MESSAGES)] {
        let (mut after, mut count) = (Some(0), 0);
        while let Some(last) = after {
            let path = format!("/v1/conversations/{}/{what}?limit=200&after={last}", target.id);
            let (items, bytes, next) = page(&target.ada.get(&path).await?.expect(200).json())?;
            assert!(items > 0 && bytes <= 1024 * 1024, "{items} {what}, {bytes} bytes in a page");
            (after, count) = (next, count + items);
        }
        assert_eq!(count, all, "each once");
    }
    let mut socket = Socket::open(&target.ada).await?;
    let (mut after, mut count) = (Some(0), 0);
    while let Some(last) = after {
        let fetch = json!({"type": "fetch", "conversation_id": target.id, "after": last});
        let (items, bytes, next) = page(&socket.ask(fetch).await?)?;
        assert!(items > 0 && bytes <= 64 * 1024, "{items} entries, {bytes} bytes in a frame");
        (after, count) = (next, count + items);
        socket.seen.clear();
    }
    assert_eq!(count, MESSAGES + 1, "the creation, too");
    target.serves().await
}

#[tokio::test]
async fn g9_presence_of_too_many_or_of_nobody() -> Result<()> {
    let target = Target::start(&[]).await?;
    let query =
        |count: usize| (0..count).map(|n| format!("user=u{n}")).collect::<Vec<_>>().join("&");
    for query in [query(0), query(101), query(5_00), "user=".into(), "user=a%20b".into()] {
        let reply = target.ask(&format!("GET /v1/presence?{query}"), &[], b"").await?;
        assert_eq!((reply.status, reply.code().as_str()), (422, "invalid"), "{query}: {reply:?}");
    }
    let reply = target.ask(&format!("GET /v1/presence?{}", query(100)), &[], b"").await?;
    assert_eq!(reply.json()["items"].as_array().map(Vec::len), Some(100));
    target.serves().await
}

#[tokio::test]
async fn g9_what_is_no_id_is_a_conversation_that_does_not_exist() -> Result<()> {
    let target = Target::start(&[]).await?;
    let missing = target.ask(&format!("GET /v1/conversations/{}", new_id()), &[], b"").await?;
    let long = "x".repeat(4_000);
    for id in [
        "x",
        "%00",
        "%ff",
        "9f1c2f0e-3b0a-4b6e-8a53-0d1f0a5d3c11",
        "..%2f..%2fetc",
        &target.id.to_uppercase(),
        &long,
        "%7B%7D",
    ] {
        for rest in ["", "/messages", "/entries", "/members", "/receipts"] {
            let path = format!("GET /v1/conversations/{id}{rest}");
            let reply = target.ask(&path, &[], b"").await?;
            assert_eq!(reply.essence(), missing.essence(), "{path}");
        }
    }
    target.serves().await
}

/// Whoever asks and does not read costs a few megabytes, and is told so.
#[tokio::test]
async fn g9_answers_that_are_not_read_are_bounded() -> Result<()> {
    let target = Target::start(NO_RATES).await?;
    let text = "\u{1}".repeat(10_000);
    for _ in 0..25 {
        target.ada.send(&target.id, &text).await?.expect(201);
    }
    let settled = target.ada.send(&target.id, "all there").await?.expect(201).position();
    let path = format!("/v1/conversations/{}/messages?limit=200", target.id);
    let (name, bearer) = target.bearer();
    let request = format!(
        "GET {path} HTTP/1.1\r\nhost: verbatim\r\n{name}: {bearer}\r\nverbatim-after: {settled}\r\n\r\n"
    );
    let mut unread = Vec::new();
    for _ in 0..40 {
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        let mut stream = socket.connect(target.server.address().parse()?).await?;
        // More than the kernel takes.
        stream.write_all(request.repeat(10).as_bytes()).await?;
        unread.push(stream);
    }
    let mut refused = None;
    for _ in 0..200 {
        let answer = target.ada.get(&path).await?;
        if answer.status != 200 {
            refused = Some(answer.expect(429));
            break;
        }
    }
    let refused = refused.context("forty answers of a megabyte lie unread")?;
    assert_eq!(refused.code(), "rate_limited");
    assert!(refused.header("retry-after").is_some());
    let bob = verbatim_tests::Client::sign_in(&target.server, "bob").await?;
    bob.get(&path).await?.expect(200);
    drop(unread);
    // The server finds out about each connection by itself.
    let served = async {
        while target.ada.get(&path).await?.status != 200 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    timeout(Duration::from_secs(60), served).await.context("room does not come back")??;
    target.serves().await
}
