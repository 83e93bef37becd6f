//! Members who come, go and come back.

use anyhow::{Context, Result};
use serde_json::{Value, json};
use verbatim_tests::{Client, Server, Socket, socket::Incoming};

fn texts<'a>(items: impl IntoIterator<Item = &'a Value>) -> Vec<&'a str> {
    items.into_iter().filter_map(|message| message["text"].as_str()).collect()
}

async fn comes_back(history: &str, expected: &[&str]) -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let mut eve = Client::sign_in(&server, "eve").await?;
    let group = json!({"kind": "group", "name": "Team", "history": history});
    let id = ada.create(group).await?;
    let path = format!("/v1/conversations/{id}/members/eve");
    let role = json!({"role": "member"});
    ada.send(&id, "before").await?.expect(201);
    ada.put(&path, role.clone()).await?.expect(201);
    ada.send(&id, "first time").await?.expect(201);
    ada.delete(&path).await?.expect(204);
    ada.send(&id, "away").await?.expect(201);
    ada.put(&path, role).await?.expect(201);
    let last = ada.send(&id, "second time").await?.expect(201);
    eve.after = Some(last.position());

    assert_eq!(texts(&eve.messages(&id).await?), expected);
    let newest = eve.get(&format!("/v1/conversations/{id}/messages?before=5")).await?.json();
    let mut newest = texts(newest["items"].as_array().context("no items")?);
    newest.reverse();
    assert_eq!(newest, expected, "backwards as forwards");
    let entries = eve.get(&format!("/v1/conversations/{id}/entries")).await?.expect(200);
    let page = entries.json();
    let items = page["items"].as_array().context("no items")?;
    assert_eq!(texts(items.iter().map(|entry| &entry["message"])), expected);
    let mut socket = Socket::open(&eve).await?;
    let fetched = socket.ask(json!({"type": "fetch", "conversation_id": id, "after": 0})).await?;
    assert_eq!(fetched["items"], page["items"], "the socket and REST agree");
    if history == "since_join" {
        let bytes = format!("{}{}", entries.text, socket.seen.join("\n"));
        assert!(!bytes.contains("before") && !bytes.contains("away"), "{bytes}");
        // 1 created, 2 before, 3 added, 4 first time, 5 removed, 6 away, 7 added, 8 second time.
        let revs: Vec<_> = items.iter().map(|entry| entry["rev"].as_u64()).collect();
        assert_eq!(revs, [Some(3), Some(4), Some(7), Some(8)], "not even one's own removal");
    }
    Ok(())
}

#[tokio::test]
async fn g7_who_comes_back_sees_both_times_and_not_what_was_between() -> Result<()> {
    comes_back("since_join", &["first time", "second time"]).await
}

#[tokio::test]
async fn g7_who_comes_back_to_an_open_history_sees_everything() -> Result<()> {
    comes_back("all", &["before", "first time", "away", "second time"]).await
}

#[tokio::test]
async fn g7_a_removal_in_a_burst_of_messages_cuts_exactly_there() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let eve = Client::sign_in(&server, "eve").await?;
    for round in 0..6 {
        let id = ada.group(&["bob", "eve"]).await?;
        let mut socket = Socket::open(&eve).await?;
        let mut senders = Socket::open(&bob).await?;
        for n in 0..8 {
            let frame = json!({
                "type": "send", "conversation_id": id, "id": verbatim_tests::new_id(),
                "text": format!("{round} {n}"), "ref": n.to_string(),
            });
            senders.send(frame).await?;
            if n == round {
                let (path, ada) = (format!("/v1/conversations/{id}/members/eve"), ada.clone());
                tokio::spawn(async move { ada.delete(&path).await });
            }
        }
        socket.wait_for(|frame| frame["type"] == "left").await?;
        let removed = {
            let mut after = 0;
            loop {
                let path = format!("/v1/conversations/{id}/entries?after={after}");
                let page = ada.get(&path).await?.expect(200).json();
                let items = page["items"].as_array().cloned().unwrap_or_default();
                if let Some(found) = items.iter().find(|entry| entry["kind"] == "member_removed") {
                    break found["rev"].as_u64().context("no rev")?;
                }
                after = items.last().and_then(|entry| entry["rev"].as_u64()).unwrap_or(after);
            }
        };
        for n in 0..8 {
            senders.wait_for(|frame| frame["ref"] == n.to_string().as_str()).await?;
        }
        // The next message comes after all of these on eve's socket, if anything does.
        bob.send(&id, "after it all").await?.expect(201);
        let other = ada.direct("eve").await?;
        ada.send(&other, &format!("fence {round}")).await?.expect(201);
        let fence = format!("fence {round}");
        socket.wait_for(|frame| frame["message"]["text"] == fence.as_str()).await?;
        let mut revs = Vec::new();
        for text in &socket.seen {
            let frame: Value = serde_json::from_str(text)?;
            if frame["type"] == "entry" && frame["conversation_id"] == id.as_str() {
                revs.push(frame["rev"].as_u64().context("no rev")?);
            }
        }
        let missed: Vec<u64> = (removed..removed + 10).filter(|rev| revs.contains(rev)).collect();
        assert!(missed.is_empty(), "removed at {removed}, and saw {missed:?}");
        let head = socket.heads.iter().find(|head| head["conversation_id"] == id.as_str());
        let first = head.and_then(|head| head["head_rev"].as_u64()).unwrap_or(0) + 1;
        assert_eq!(revs, (first..removed).collect::<Vec<_>>(), "all that was hers, in order");
        socket.close().await?;
    }
    Ok(())
}

#[tokio::test]
async fn g7_presence_ends_with_the_last_shared_conversation() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let eve = Client::sign_in(&server, "eve").await?;
    let id = ada.group(&["eve"]).await?;
    let mut socket = Socket::open(&eve).await?;
    socket.ask(json!({"type": "watch", "users": ["ada"]})).await?;
    assert_eq!(socket.expect("presence").await?["online"], false);
    let ada_socket = Socket::open(&ada).await?;
    assert_eq!(socket.expect("presence").await?["online"], true);
    let removed = ada.delete(&format!("/v1/conversations/{id}/members/eve")).await?.expect(204);
    socket.expect("left").await?;
    let mut reader = eve.clone();
    reader.after = Some(removed.position());
    reader.get("/v1/unread").await?.expect(200);
    let seen = reader.get("/v1/presence?user=ada").await?.expect(200).json();
    let never = reader.get("/v1/presence?user=nobody").await?.expect(200).json();
    assert_eq!(seen["items"][0]["online"], never["items"][0]["online"]);
    assert_eq!(seen["items"][0]["last_seen"], never["items"][0]["last_seen"]);
    ada_socket.close().await?;
    let back = Socket::open(&ada).await?;
    back.close().await?;
    while let Some(incoming) = socket.within(std::time::Duration::from_millis(1_500)).await? {
        let Incoming::Frame(frame) = incoming else { anyhow::bail!("closed") };
        let told = frame["type"] == "presence"
            && (frame["online"] == true || !frame["last_seen"].is_null());
        assert!(!told, "nothing of ada is told any more: {frame}");
    }
    Ok(())
}
