//! Each projector stands still for a while, and the rest serves on.

use std::time::Duration;

use anyhow::Result;
use reqwest::Method;
use serde_json::{Value, json};
use verbatim_tests::{
    Client, Server, Socket,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
    new_id, operator,
};

async fn switch(server: &Server, word: &str, projection: &str) -> Result<()> {
    operator::run(&["projection", word, projection], server.data()).await?;
    Ok(())
}

/// Waits not at all for what a read is to include.
const AT_ONCE: (&str, &str) = ("verbatim-wait", "0");

async fn read_at_once(client: &Client, path: &str) -> Result<verbatim_tests::Answer> {
    client.call_with(Method::GET, path, &[AT_ONCE], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn g4_g5_with_history_paused_sends_and_live_delivery_go_on_and_reads_say_behind() -> Result<()>
{
    let server = Server::start_with(&[], NO_RATES).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let mut bob = Client::sign_in(&server, "bob").await?;
    let id = ada.direct("bob").await?;
    let before = ada.send(&id, "before").await?.expect(201);
    let mut ada_socket = Socket::open(&ada).await?;
    let mut bob_socket = Socket::open(&bob).await?;
    let (messages, entries) =
        (format!("/v1/conversations/{id}/messages"), format!("/v1/conversations/{id}/entries"));
    bob.after = Some(before.position());
    bob.get(&messages).await?.expect(200);

    switch(&server, "pause", "history").await?;
    let sent = ada.send(&id, "over REST").await?.expect(201);
    let ack = ada_socket.say(&id, "over a socket").await?;
    assert_eq!((&ack["type"], &ack["seq"]), (&json!("ack"), &json!(3)));
    for text in ["over REST", "over a socket"] {
        assert_eq!(bob_socket.expect("entry").await?["message"]["text"], text, "live goes on");
    }
    // Without a position a read may lag; it does.
    bob.after = None;
    assert_eq!(bob.messages(&id).await?.len(), 1);
    let members = format!("/v1/conversations/{id}/members");
    let receipts = format!("/v1/conversations/{id}/receipts");
    for position in [sent.position(), ack["position"].as_str().unwrap_or_default().to_owned()] {
        bob.after = Some(position);
        for path in [&messages, &entries, &members, &receipts, &format!("/v1/conversations/{id}")] {
            let behind = read_at_once(&bob, path).await?.expect(503);
            assert_eq!(behind.code(), "behind", "{path}");
            let after = behind.header("retry-after").and_then(|after| after.parse::<u64>().ok());
            assert!(after.is_some_and(|seconds| seconds >= 1), "{path}: {after:?}");
        }
    }
    let fetch = json!({"type": "fetch", "conversation_id": id, "after": 0});
    let refused = bob_socket.ask(fetch.clone()).await?;
    assert_eq!((&refused["type"], &refused["code"]), (&json!("error"), &json!("behind")));
    assert!(refused["retry_after_ms"].is_u64(), "{refused}");
    // A socket opened now is served from the inbox, which does not lag.
    let fresh = Socket::open(&bob).await?;
    assert_eq!((&fresh.heads[0]["head_seq"], &fresh.heads[0]["unread"]), (&json!(3), &json!(3)));

    switch(&server, "resume", "history").await?;
    let texts: Vec<Value> =
        bob.messages(&id).await?.iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, ["before", "over REST", "over a socket"]);
    let fetched = bob_socket.ask(fetch).await?;
    assert_eq!(fetched["items"].as_array().map(Vec::len), Some(4));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn g5_with_the_inbox_paused_sends_and_history_go_on() -> Result<()> {
    let server = Server::start_with(&[], NO_RATES).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let mut bob = Client::sign_in(&server, "bob").await?;
    let id = ada.direct("bob").await?;
    let first = ada.send(&id, "first").await?.expect(201);
    bob.after = Some(first.position());
    bob.get("/v1/unread").await?.expect(200);
    let mut socket = Socket::open(&bob).await?;

    switch(&server, "pause", "inbox").await?;
    let second = ada.send(&id, "second").await?.expect(201);
    assert_eq!(socket.expect("entry").await?["message"]["text"], "second");
    bob.after = Some(second.position());
    assert_eq!(bob.messages(&id).await?.len(), 2);
    // The list is history's; the totals are the inbox's.
    let listed = read_at_once(&bob, "/v1/conversations").await?.expect(200).json();
    assert_eq!(listed["items"][0]["unread"], 2);
    assert_eq!(read_at_once(&bob, "/v1/unread").await?.expect(503).code(), "behind");
    // A socket opened now is live all the same.
    let mut fresh = Socket::open(&bob).await?;
    ada.send(&id, "third").await?.expect(201);

    switch(&server, "resume", "inbox").await?;
    let unread = bob.get("/v1/unread").await?.expect(200).json();
    assert!(unread["messages"].as_u64() >= Some(2), "{unread}");
    assert_eq!(socket.expect("entry").await?["message"]["text"], "third");
    // Head and live together leave nothing out.
    let mut head = fresh.heads.first().cloned();
    while head.is_none() {
        head = fresh.expect("heads").await?["items"].as_array().and_then(|i| i.first()).cloned();
    }
    let mut seq = head.as_ref().and_then(|head| head["head_seq"].as_u64());
    while seq != Some(3) {
        let next = fresh.expect("entry").await?["message"]["seq"].as_u64();
        assert_eq!(next, seq.map(|seq| seq + 1));
        seq = next;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn g3_with_the_timeline_paused_sends_are_durable_and_are_ruled_on_later() -> Result<()> {
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let id = ada.direct("bob").await?;
    ada.send(&id, "ruled").await?.expect(201);
    let mut socket = Socket::open(&bob).await?;

    switch(&server, "pause", "timeline").await?;
    let (message, path) = (new_id(), format!("/v1/conversations/{id}/messages"));
    let body = json!({"id": message, "text": "proposed"}).to_string();
    let quick = [("prefer", "respond-async")];
    let pending = ada.call_with(Method::POST, &path, &quick, Some(body)).await?.expect(202);
    assert_eq!(pending.json()["conversation_id"], id.as_str());
    assert_eq!(bob.messages(&id).await?.len(), 1, "reads go on");
    assert_eq!(socket.within(Duration::from_millis(200)).await?, None, "nothing is shown unruled");

    // A socket is told after a while that nobody knows yet.
    let (unknown, mut sender) = (new_id(), Socket::open(&ada).await?);
    let told = sender.say_as(&id, &unknown, "unknown").await?;
    assert_eq!((&told["code"], &told["retry"]), (&json!("outcome_unknown"), &json!("same_id")));

    // It counts however the process ends.
    server.kill().await?;
    server.resume().await?;
    let mut reader = bob.clone();
    reader.after = Some(pending.position());
    let seen = reader.messages(&id).await?;
    assert_eq!((&seen[1]["id"], &seen[1]["seq"]), (&json!(message), &json!(2)));
    let again = ada.send_as(&id, &message, "proposed").await?.expect(200);
    assert_eq!(again.json(), seen[1]);
    let repeated = Socket::open(&ada).await?.say_as(&id, &unknown, "unknown").await?;
    assert_eq!((&repeated["type"], &repeated["seq"]), (&json!("ack"), &json!(3)));
    Ok(())
}

/// Projectors stop and go on at random under a crowd.
#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g3_g4_a_crowd_while_projectors_stop_and_go_on() -> Result<()> {
    let mut dice = Dice::of_test("paused", 55);
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    for round in 0..9 {
        let projection = ["history", "inbox", "timeline"][round % 3];
        crowd.acks(15).await?;
        switch(&server, "pause", projection).await?;
        if projection != "timeline" {
            crowd.acks(15).await?;
        }
        if dice.below(3) == 0 {
            // A pause ends with the process.
            server.kill().await?;
            server.resume().await?;
        } else {
            switch(&server, "resume", projection).await?;
        }
    }
    crowd.acks(15).await?;
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);
    Ok(())
}
