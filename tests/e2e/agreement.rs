//! G4: what is pushed, what is fetched and what history holds are the same bytes. G5: whoever writes
//! reads their own writes.

use std::collections::HashMap;

use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json, value::RawValue};
use verbatim_tests::{Answer, Client, Server, Socket, new_id};

const POST: reqwest::Method = reqwest::Method::POST;

/// The items of a page, byte for byte.
fn items(page: &str) -> Result<Vec<String>> {
    let page: HashMap<String, Box<RawValue>> = serde_json::from_str(page)?;
    let items: Vec<Box<RawValue>> =
        serde_json::from_str(page.get("items").context("no items")?.get())?;
    Ok(items.iter().map(|item| item.get().to_owned()).collect())
}

/// An entry's message, byte for byte.
fn message(entry: &str) -> Result<Option<String>> {
    let entry: HashMap<String, Box<RawValue>> = serde_json::from_str(entry)?;
    Ok(entry.get("message").map(|message| message.get().to_owned()))
}

/// The entries that a socket saw of a conversation, byte for byte, without the frame's type.
fn pushed(socket: &Socket, conversation: &str) -> Vec<String> {
    let entries = socket.seen.iter().filter_map(|text| text.strip_prefix(r#"{"type":"entry","#));
    let own = format!(r#""conversation_id":"{conversation}""#);
    entries.filter(|entry| entry.contains(&own)).map(|entry| format!("{{{entry}")).collect()
}

#[tokio::test]
async fn g4_live_entries_entries_and_messages_agree_byte_for_byte() -> Result<()> {
    let server = Server::start().await?;
    let mut ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let mut sockets = [Socket::open(&ada).await?, Socket::open(&bob).await?];
    let id = ada.group(&["bob"]).await?;
    let path = format!("/v1/conversations/{id}");
    // Bytes that a careless encoder would write another way.
    let odd = [
        r#"{"text":"\u0041 caf\u00e9 \/ \ud83d\ude00 \u2028\u007f \" \\"}"#,
        r#"{"text":"x","metadata":{"z":1,"a":2,"n":123456789012345678901234567890,"f":1.0,"e":1E3}}"#,
        r#"{"text":"x","metadata":{ "s" : "\u0041\/" , "deep":[[[[ ]]]], "empty":{} }}"#,
        r#"{"text":"line\nbreak\ttab \u0001"}"#,
    ];
    for body in odd {
        let body = body.replacen('{', &format!(r#"{{"id":"{}","#, new_id()), 1);
        ada.call_with(POST, &format!("{path}/messages"), &[], Some(body)).await?.expect(201);
    }
    ada.put(&format!("{path}/members/cid"), json!({"role": "member"})).await?.expect(201);
    ada.put(&format!("{path}/members/cid"), json!({"role": "admin"})).await?.expect(200);
    ada.delete(&format!("{path}/members/cid")).await?.expect(204);
    let last = ada.send(&id, "the last").await?.expect(201);
    for socket in &mut sockets {
        socket.wait_for(|frame| frame["message"]["text"] == "the last").await?;
    }
    ada.after = Some(last.position());
    let stored = items(&ada.get(&format!("{path}/entries")).await?.expect(200).text)?;
    assert_eq!(stored.len(), 9, "created, four odd ones, three about cid, the last");
    for socket in &mut sockets {
        assert_eq!(pushed(socket, &id), stored, "as pushed, so stored");
        socket.ask(json!({"type": "fetch", "conversation_id": id, "after": 0})).await?;
        let frame = socket.seen.iter().find(|text| text.contains(r#""type":"entries""#));
        assert_eq!(items(frame.context("no entries")?)?, stored, "as stored, so fetched");
    }
    let messages = items(&ada.get(&format!("{path}/messages?after=0")).await?.expect(200).text)?;
    let inside: Vec<String> = stored
        .iter()
        .map(|entry| message(entry))
        .filter_map(Result::transpose)
        .collect::<Result<_>>()?;
    assert_eq!(messages, inside, "messages are those of the entries");
    assert_eq!(messages.last(), Some(&last.text), "and the sender's answer is the same again");
    let inbox = ada.get("/v1/conversations").await?.expect(200).text;
    assert!(inbox.contains(&last.text), "the inbox shows the same bytes: {inbox}");
    Ok(())
}

/// Reads with a position, and expects the answer to include it.
async fn read(client: &Client, after: &str, path: &str) -> Result<Answer> {
    let mut reader = client.clone();
    reader.after = Some(after.to_owned());
    let answer = reader.get(path).await?.expect(200);
    assert!(!answer.position().is_empty(), "{path} says how far it is");
    Ok(answer)
}

/// One who writes, and reads it by every route at once.
async fn writes_and_reads(owner: Client, other: Client, text: String) -> Result<()> {
    let id = new_id();
    let path = format!("/v1/conversations/{id}");
    let group = json!({"kind": "group", "name": text, "members": [other.user]});
    let created = owner.put(&path, group).await?.expect(201).position();
    let conversation = read(&other, &created, &path).await?.json();
    assert_eq!((&conversation["name"], &conversation["member_count"]), (&json!(text), &json!(2)));
    let sent = owner.send(&id, &text).await?.expect(201).position();
    let messages = read(&other, &sent, &format!("{path}/messages")).await?.json();
    assert_eq!(messages["items"][0]["text"], text);
    let entries = read(&other, &sent, &format!("{path}/entries?after=1")).await?.json();
    assert_eq!(entries["items"][0]["message"]["text"], text);
    let inbox = read(&other, &sent, "/v1/conversations?limit=200").await?.json();
    let inbox = inbox["items"].as_array().context("no items")?;
    let own = inbox.iter().find(|item| item["id"] == id.as_str()).context("not in the inbox")?;
    assert_eq!((&own["last_message"]["text"], &own["unread"]), (&json!(text), &json!(1)));
    let before = read(&other, &sent, "/v1/unread").await?.json();
    assert!(before["messages"].as_u64().is_some_and(|unread| unread >= 1), "{before}");
    let receipt = other.put(&format!("{path}/receipts"), json!({"read": 1})).await?.expect(200);
    let receipts = read(&owner, &receipt.position(), &format!("{path}/receipts")).await?.json();
    let receipts = receipts["items"].as_array().context("no items")?;
    let own = receipts.iter().find(|item| item["user_id"] == other.user.as_str());
    assert_eq!(own.map(|own| &own["read"]), Some(&json!(1)), "{receipts:?}");
    let member = format!("{path}/members/newcomer");
    let added = owner.put(&member, json!({"role": "member"})).await?.expect(201).position();
    let members: Value = read(&other, &added, &format!("{path}/members")).await?.json();
    assert_eq!(members["items"].as_array().map(Vec::len), Some(3));
    let removed = owner.delete(&format!("{path}/members/{}", other.user)).await?;
    let removed = removed.expect(204).position();
    let mut gone = other.clone();
    gone.after = Some(removed.clone());
    gone.get(&path).await?.expect(404);
    read(&other, &removed, &format!("/v1/presence?user={}", owner.user)).await?;
    Ok(())
}

#[tokio::test]
async fn g5_two_hundred_at_once_read_what_they_wrote_by_every_route() -> Result<()> {
    let env = [
        ("VERBATIM_RATES_CONVERSATIONS_PER_HOUR", "100000"),
        ("VERBATIM_RATES_SEND_BURST", "100000"),
        ("VERBATIM_RATES_MISSES_PER_MINUTE", "100000"),
    ];
    let server = Server::start_with(&[], &env).await?;
    let mut clients = Vec::new();
    for n in 0..10 {
        clients.push(Client::sign_in(&server, &format!("user-{n}")).await?);
    }
    let rounds = (0..200).map(|n| {
        let (owner, other) = (clients[n % 10].clone(), clients[(n + 1 + n / 10 % 9) % 10].clone());
        writes_and_reads(owner, other, format!("round {n}"))
    });
    stream::iter(rounds).buffer_unordered(40).try_collect::<Vec<()>>().await?;
    Ok(())
}
