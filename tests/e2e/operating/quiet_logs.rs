//! Logs hold no bodies and no tokens, however much is logged.

use std::sync::PoisonError;

use anyhow::Result;
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, new_id, wire};

#[tokio::test]
async fn logs_at_level_trace_hold_no_bodies_and_no_tokens() -> Result<()> {
    let env = [("VERBATIM_LOG_LEVEL", "trace"), ("VERBATIM_LOG_FORMAT", "json")];
    let (mut server, log) = Server::start_logged(&[], &env).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let token = ada.token.clone().unwrap_or_default();
    let id = ada.group(&["bob"]).await?;
    let named = json!({"kind": "group", "name": "canary-name"});
    ada.put(&format!("/v1/conversations/{}", new_id()), named).await?.expect(201);
    let path = format!("/v1/conversations/{id}/messages");
    let body =
        json!({"id": new_id(), "text": "canary-text", "metadata": {"canary-key": "canary-value"}});
    ada.post(&path, body).await?.expect(201);
    // What is refused is not logged either.
    let wrong = json!({"id": new_id(), "text": 1, "canary-field": "canary-wrong"});
    ada.post(&path, wrong).await?.expect(422);
    let ticket = ada.post("/v1/ws/tickets", json!({})).await?.expect(201).json();
    let ticket = ticket["ticket"].as_str().unwrap_or_default().to_owned();
    let mut socket = Socket::raw(&ada, &[]).await?;
    socket.send(json!({"type": "hello", "ticket": ticket})).await?;
    socket.greet().await?;
    socket.say(&id, "canary-socket-text").await?;
    socket.ask(json!({"type": "fetch", "conversation_id": id, "after": 0})).await?;
    socket.ask(json!({"type": "renew", "token": token})).await?;
    socket.ask(json!({"type": "renew", "token": "canary.bad.token"})).await?;
    socket.send(json!({"type": "canary-frame", "text": "canary-frame-text"})).await?;
    socket.expect("error").await?;
    let bearer = "Bearer canary.forged.token";
    let forged = [("authorization", bearer)];
    wire::request(server.address(), "GET /v1/unread?canary=query", &forged, b"").await?;
    ada.get(&format!("{path}?after=0")).await?.expect(200);
    // What is no HTTP is told at level debug.
    wire::exchange(server.address(), &[b"canary of no protocol\r\n\r\n"]).await?;
    socket.close().await?;
    assert_eq!(server.stop().await?, Some(0));

    let log = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
    assert!(log.lines().count() > 10, "there is a log: {log}");
    assert!(log.contains("\"DEBUG\""), "of every level: {log}");
    for line in log.lines() {
        serde_json::from_str::<serde_json::Value>(line)?;
    }
    let signature = token.rsplit('.').next().unwrap_or_default();
    let claims = token.split('.').nth(1).unwrap_or_default();
    for hidden in ["canary", token.as_str(), signature, claims, ticket.as_str()] {
        let line = log.lines().find(|line| line.contains(hidden));
        assert_eq!(line, None, "the log shows {hidden}");
    }
    Ok(())
}
