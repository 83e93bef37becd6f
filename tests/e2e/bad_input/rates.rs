//! Rates: above them the answer says when to come back.

use anyhow::Result;
use serde_json::json;
use verbatim_tests::{Socket, new_id};

use super::target::Target;

#[tokio::test]
async fn g9_sends_above_their_rate() -> Result<()> {
    let env = [("VERBATIM_RATES_SENDS_PER_SECOND", "1"), ("VERBATIM_RATES_SEND_BURST", "5")];
    let target = Target::start(&env).await?;
    let mut limited = None;
    for _ in 0..10 {
        let answer = target.ada.send(&target.id, "x").await?;
        if answer.status != 201 {
            limited = Some(answer.expect(429));
            break;
        }
    }
    let limited = limited.expect("ten at once are above a burst of five");
    assert_eq!(limited.code(), "rate_limited");
    let wait = limited.json()["retry_after_ms"].as_u64().unwrap_or_default();
    assert!((1..=1_000).contains(&wait), "{}", limited.text);
    assert_eq!(limited.header("retry-after"), Some("1"));
    assert_eq!(limited.json()["retry"], "same_id");

    // A socket that does not listen is closed after a hundred of them.
    let mut socket = Socket::open(&target.ada).await?;
    let ids: Vec<String> = (0..130).map(|_| new_id()).collect();
    for id in &ids {
        let frame = json!({
            "type": "send", "conversation_id": target.id, "id": id, "text": "x", "ref": id,
        });
        if socket.send(frame).await.is_err() {
            break;
        }
    }
    let error = socket.expect("error").await?;
    assert_eq!((&error["code"], &error["retry"]), (&json!("rate_limited"), &json!("same_id")));
    assert!(error["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0), "{error}");
    assert_eq!(socket.expect("bye").await?["code"], "rate_limited");
    assert_eq!(socket.closed().await?, Some(4029));

    // Others do not feel it, and neither does Ada when she comes back.
    let bob = verbatim_tests::Client::sign_in(&target.server, "bob").await?;
    bob.send(&target.id, "I am not ada").await?.expect(201);
    let mut again = target.ada.send(&target.id, "later").await?;
    for _ in 0..10 {
        if again.status == 201 {
            return Ok(());
        }
        let wait = again.json()["retry_after_ms"].as_u64().unwrap_or_default();
        tokio::time::sleep(std::time::Duration::from_millis(wait)).await;
        again = target.ada.send(&target.id, "later").await?;
    }
    anyhow::bail!("the time that was given was not enough: {}", again.text);
}

#[tokio::test]
async fn g9_creations_above_their_rate() -> Result<()> {
    let target = Target::start(&[]).await?;
    // One was made at the start.
    let mut made = 1;
    let refused = loop {
        let path = format!("/v1/conversations/{}", new_id());
        let answer = target.ada.put(&path, json!({"kind": "group", "name": "x"})).await?;
        if answer.status != 201 {
            break answer.expect(429);
        }
        made += 1;
        assert!(made <= 61, "sixty an hour, and what grows back meanwhile");
    };
    assert!((60..=61).contains(&made), "{made}");
    assert_eq!(refused.code(), "rate_limited");
    assert!(refused.json()["retry_after_ms"].as_u64().is_some_and(|wait| wait > 1_000));
    let direct = target.ada.call(reqwest::Method::PUT, "/v1/direct/cid", None).await?;
    direct.expect(429);
    // Opening what is there is free.
    for _ in 0..5 {
        let path = "/v1/direct/bob";
        target.ada.call(reqwest::Method::PUT, path, None).await?.expect(200);
    }
    target.serves().await
}
