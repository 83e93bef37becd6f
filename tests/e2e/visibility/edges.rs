//! What belongs to one user does not serve another.

use std::time::Duration;

use anyhow::Result;
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, new_id, socket::Incoming};

#[tokio::test]
async fn g7_a_ticket_opens_a_socket_of_whoever_asked_for_it_once() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let eve = Client::sign_in(&server, "eve").await?;
    let id = ada.direct("bob").await?;
    let ticket = eve.post("/v1/ws/tickets", json!({})).await?.expect(201).json();
    let mut socket = Socket::raw(&ada, &[]).await?;
    socket.send(json!({"type": "hello", "ticket": ticket["ticket"]})).await?;
    socket.greet().await?;
    assert_eq!(socket.welcome["user_id"], "eve", "a ticket is its user's");
    let refused = socket.say(&id, "hello").await?;
    assert_eq!(refused["code"], "conversation_not_found");
    let mut again = Socket::raw(&eve, &[]).await?;
    again.send(json!({"type": "hello", "ticket": ticket["ticket"]})).await?;
    assert_eq!(again.closed().await?, Some(4001), "once");

    // A socket stays its user's, and goes on after a foreign token.
    let renew = json!({"type": "renew", "token": ada.token});
    assert_eq!(socket.ask(renew).await?["code"], "forbidden");
    let refused = socket.ask(json!({"type": "fetch", "conversation_id": id, "after": 0})).await?;
    assert_eq!(refused["code"], "conversation_not_found");
    Ok(())
}

#[tokio::test]
async fn g7_a_header_and_a_ticket_of_two_users_do_not_mix() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let eve = Client::sign_in(&server, "eve").await?;
    ada.direct("bob").await?;
    let ticket = ada.post("/v1/ws/tickets", json!({})).await?.expect(201).json();
    let token = format!("Bearer {}", eve.token.clone().unwrap_or_default());
    let mut socket = Socket::raw(&eve, &[("authorization", &token)]).await?;
    socket.send(json!({"type": "hello", "ticket": ticket["ticket"]})).await?;
    while let Some(Incoming::Frame(frame)) = socket.within(Duration::from_millis(300)).await? {
        assert_ne!(frame["user_id"], "ada", "whoever signed the handshake stays");
        if frame["type"] == "heads" {
            assert_eq!(frame["items"], json!([]));
        }
    }
    Ok(())
}

#[tokio::test]
async fn g9_misses_of_membership_are_bounded_and_members_do_not_feel_it() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let eve = Client::sign_in(&server, "eve").await?;
    let id = ada.direct("bob").await?;
    let mut limited = None;
    for _ in 0..40 {
        let answer = eve.send(&id, "let me in").await?;
        match answer.status {
            404 => assert!(limited.is_none(), "once limited, limited"),
            _ => limited = limited.or(Some(answer)),
        }
    }
    let limited = limited.expect("40 misses in a minute are too many").expect(429);
    assert_eq!(limited.code(), "rate_limited");
    assert!(limited.json()["retry_after_ms"].as_u64().is_some_and(|wait| wait > 0));
    assert!(limited.header("retry-after").is_some());
    // As if it did not exist, here too.
    let missing = eve.send(&new_id(), "let me in").await?.expect(429);
    assert_eq!(missing.json()["detail"], limited.json()["detail"]);
    ada.send(&id, "still here").await?.expect(201);
    let own = eve.group(&[]).await?;
    eve.send(&own, "my own").await?.expect(201);
    Ok(())
}
