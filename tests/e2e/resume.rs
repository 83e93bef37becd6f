//! Sockets break at any moment while others send and members come and go: heads, fetch and live
//! together give each entry once, in order.

use std::{path::Path, time::Duration};

use anyhow::Result;
use serde_json::{Value, json};
use verbatim_tests::{
    Client, Server, Socket,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
    new_id,
    socket::Incoming,
};

#[tokio::test(flavor = "multi_thread")]
async fn g6_sockets_cut_at_random_get_each_entry_once_in_order() -> Result<()> {
    let mut dice = Dice::of_test("resume", 89);
    let server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, Some(12));
    let (room, _) = crowd.rooms[0].clone();
    let founder = crowd.clients[0].clone();
    for _ in 0..12 {
        crowd.acks(30).await?;
        // Somebody is removed and comes back, their socket cut or not.
        let names: Vec<&str> = crowd.clients[1..].iter().map(|client| &*client.user).collect();
        let path = format!("/v1/conversations/{room}/members/{}", dice.pick(&names));
        founder.delete(&path).await?.expect(204);
        crowd.acks(1 + dice.below(25)).await?;
        founder.put(&path, json!({"role": "member"})).await?.expect(201);
    }
    crowd.acks(30).await?;
    let record = crowd.rest().await?;
    let sockets = record.views.iter().filter(|view| view.name == "socket").count();
    println!("{} sent, {sockets} views of sockets", record.asked.len());
    assert!(sockets > 100, "sockets were cut: {sockets}");
    assert_eq!(check(&record), []);
    Ok(())
}

#[tokio::test]
async fn g6_what_was_left_meanwhile_is_named() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let gone = ada.group(&["bob"]).await?;
    let back = ada.group(&["bob"]).await?;
    let kept = ada.group(&["bob"]).await?;
    let last = ada.send(&kept, "before").await?.expect(201);
    let mut reader = bob.clone();
    reader.after = Some(last.position());
    reader.get("/v1/conversations").await?.expect(200);
    let socket = Socket::open(&bob).await?;
    assert_eq!(socket.heads.len(), 3);
    let since = socket.welcome["position"].as_str().unwrap_or_default().to_owned();
    drop(socket);

    let member = |id: &str| format!("/v1/conversations/{id}/members/bob");
    ada.delete(&member(&gone)).await?.expect(204);
    ada.delete(&member(&back)).await?.expect(204);
    ada.send(&gone, "not for bob").await?.expect(201);
    ada.put(&member(&back), json!({"role": "member"})).await?.expect(201);
    ada.send(&back, "for bob again").await?.expect(201);

    let mut socket = Socket::open_since(&bob, Some(&since)).await?;
    let named: Vec<_> = socket.heads.iter().map(|head| head["conversation_id"].clone()).collect();
    assert_eq!(named, [json!(back)], "what changed and is still bob's");
    assert_eq!(socket.expect("left").await?["conversation_id"], gone.as_str());
    let fetch = json!({"type": "fetch", "conversation_id": gone, "after": 1});
    assert_eq!(socket.ask(fetch).await?["code"], "conversation_not_found");
    let fetch = json!({"type": "fetch", "conversation_id": back, "after": 1});
    let entries = socket.ask(fetch).await?;
    let revs: Vec<_> =
        entries["items"].as_array().into_iter().flatten().map(|e| &e["rev"]).collect();
    assert_eq!(revs, [3, 4], "from bob's own return on");
    ada.send(&gone, "still not for bob").await?.expect(201);
    ada.send(&kept, "for bob").await?.expect(201);
    let Some(Incoming::Frame(next)) = socket.within(Duration::from_secs(15)).await? else {
        anyhow::bail!("nothing came");
    };
    assert_eq!((&next["type"], &next["rev"]), (&json!("entry"), &json!(3)), "{next}");

    let fresh = Socket::open(&bob).await?;
    assert_eq!(fresh.heads.len(), 2, "a client that brings nothing is told of what there is");
    Ok(())
}

/// Heads come in frames of 200, the latest first; beyond 500 REST has the rest.
#[tokio::test]
async fn g6_g9_more_heads_than_a_frame_or_a_welcome_holds() -> Result<()> {
    let server =
        Server::start_with(&[], &[("VERBATIM_RATES_CONVERSATIONS_PER_HOUR", "100000")]).await?;
    let mut ada = Client::sign_in(&server, "ada").await?;
    let mut groups = Vec::new();
    for _ in 0..505 {
        let id = new_id();
        let path = format!("/v1/conversations/{id}");
        let created = ada.put(&path, json!({"kind": "group", "name": "one of many"})).await?;
        ada.after = Some(created.expect(201).position());
        groups.push(id);
    }
    ada.get("/v1/unread").await?.expect(200);
    let socket = Socket::open(&ada).await?;
    let mut frames = Vec::new();
    for text in socket.seen.iter().filter(|text| text.contains(r#""type":"heads""#)) {
        let frame: Value = serde_json::from_str(text)?;
        frames.push((frame["items"].as_array().map(Vec::len), frame["more"].clone()));
    }
    let frame = |heads| (Some(heads), json!(true));
    assert_eq!(frames, [frame(200), frame(200), frame(100)]);
    let told: Vec<_> = socket.heads.iter().map(|head| head["conversation_id"].clone()).collect();
    // Those of one millisecond are in the order of their ids, which the groups' creation is too.
    let latest: Vec<_> = groups.iter().rev().take(500).map(|id| json!(id)).collect();
    assert_eq!(told, latest, "the latest first");
    Ok(())
}

/// A position of the future, of nowhere, or of another server's log does no harm.
#[tokio::test]
async fn g6_a_position_that_is_none_is_as_none() -> Result<()> {
    let (server, other) = (Server::start().await?, Server::start().await?);
    let ada = Client::sign_in(&server, "ada").await?;
    let stranger = Client::sign_in(&other, "ada").await?;
    let far = stranger.direct("bob").await?;
    for n in 0..20 {
        stranger.send(&far, &format!("{n}")).await?.expect(201);
    }
    let id = ada.direct("bob").await?;
    ada.send(&id, "here").await?.expect(201);
    let there = Socket::open(&stranger).await?;
    let position = there.welcome["position"].as_str().unwrap_or_default().to_owned();
    let mut socket = Socket::open_since(&ada, Some(&position)).await?;
    assert_eq!(socket.welcome["resumed"], false);
    assert_eq!(socket.heads[0]["conversation_id"], id.as_str(), "all is told");
    ada.send(&id, "there").await?.expect(201);
    let entry = socket.expect("entry").await?;
    assert_eq!(entry["message"]["text"], "there");
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    for file in std::fs::read_dir(from)? {
        let file = file?;
        if file.file_type()?.is_file() {
            std::fs::copy(file.path(), to.join(file.file_name()))?;
        }
    }
    Ok(())
}

/// Whoever was ahead of a copy that was restored is told everything, not nothing.
#[tokio::test]
async fn g6_a_position_beyond_a_log_that_was_restored_from_a_copy() -> Result<()> {
    let mut server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let id = ada.direct("bob").await?;
    ada.send(&id, "kept").await?.expect(201);
    server.stop().await?;
    let backup = tempfile::tempdir()?;
    copy(server.data(), backup.path())?;
    server.resume().await?;
    for n in 0..10 {
        ada.send(&id, &format!("lost {n}")).await?.expect(201);
    }
    let before = Socket::open(&bob).await?;
    let since = before.welcome["position"].as_str().unwrap_or_default().to_owned();
    let used = Socket::open_since(&bob, Some(&since)).await?;
    assert_eq!(used.welcome["resumed"], true);
    server.stop().await?;
    std::fs::read_dir(server.data())?.try_for_each(|file| {
        let file = file?;
        if file.file_type()?.is_file() { std::fs::remove_file(file.path()) } else { Ok(()) }
    })?;
    copy(backup.path(), server.data())?;
    server.resume().await?;
    ada.send(&id, "new").await?.expect(201);
    let socket = Socket::open_since(&bob, Some(&since)).await?;
    assert_eq!((&socket.welcome["resumed"], socket.heads.len()), (&json!(false), 1));
    assert_eq!(socket.heads[0]["head_seq"], 2);
    Ok(())
}

/// More than a greeting can name: all is told instead.
#[tokio::test]
async fn g6_g9_more_was_left_than_a_greeting_names() -> Result<()> {
    let env = [("VERBATIM_RATES_CONVERSATIONS_PER_HOUR", "100000")];
    let server = Server::start_with(&[], &env).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let mut bob = Client::sign_in(&server, "bob").await?;
    let kept = ada.group(&["bob"]).await?;
    let first = Socket::open(&bob).await?;
    let since = first.welcome["position"].as_str().unwrap_or_default().to_owned();
    for count in [500, 1] {
        for _ in 0..count {
            let id = ada.group(&["bob"]).await?;
            let path = format!("/v1/conversations/{id}/members/bob");
            bob.after = Some(ada.delete(&path).await?.expect(204).position());
            bob.get("/v1/unread").await?.expect(200);
        }
        let mut socket = Socket::open_since(&bob, Some(&since)).await?;
        let named = count == 500;
        assert_eq!(socket.welcome["resumed"], named);
        if named {
            for _ in 0..500 {
                socket.expect("left").await?;
            }
        } else {
            assert_eq!(socket.heads.len(), 1);
            assert_eq!(socket.heads[0]["conversation_id"], kept.as_str());
            assert_eq!(socket.within(Duration::from_millis(200)).await?, None);
        }
    }
    Ok(())
}
