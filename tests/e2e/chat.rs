//! People chat: two in a direct conversation, five in a group, many in a channel.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};
use verbatim_tests::{Client, Server, Socket, new_id, socket::Incoming};

async fn two(server: &Server) -> Result<(Client, Client)> {
    Ok((Client::sign_in(server, "ada").await?, Client::sign_in(server, "bob").await?))
}

#[tokio::test]
async fn two_people_talk() -> Result<()> {
    let server = Server::start().await?;
    let (ada, bob) = two(&server).await?;
    let mut ada_socket = Socket::open(&ada).await?;
    let mut bob_socket = Socket::open(&bob).await?;
    assert_eq!(ada_socket.welcome["user_id"], "ada");
    assert!(ada_socket.heads.is_empty());

    let id = ada.direct("bob").await?;
    assert_eq!(bob.direct("ada").await?, id, "both sides get the same conversation");
    let opened = bob_socket.expect("entry").await?;
    assert_eq!((&opened["kind"], &opened["rev"]), (&json!("conversation_created"), &json!(1)));
    ada_socket.expect("entry").await?;

    let ack = ada_socket.say(&id, "hello bob").await?;
    assert_eq!((&ack["type"], &ack["seq"], &ack["rev"]), (&json!("ack"), &json!(1), &json!(2)));
    for socket in [&mut ada_socket, &mut bob_socket] {
        let entry = socket.expect("entry").await?;
        assert_eq!(entry["rev"], 2);
        assert_eq!(entry["message"]["text"], "hello bob");
        assert_eq!(entry["message"]["id"], ack["id"]);
        assert_eq!(entry["message"]["created_at"], ack["created_at"]);
    }

    let moved =
        bob_socket.ask(json!({"type": "receipt", "conversation_id": id, "delivered": 1})).await?;
    assert_eq!((&moved["delivered"], &moved["read"]), (&json!(1), &json!(0)));
    let tick = ada_socket
        .wait_for(|frame| frame["type"] == "receipt" && frame["user_id"] == "bob")
        .await?;
    assert_eq!((&tick["delivered"], &tick["read"]), (&json!(1), &json!(0)));
    bob_socket.ask(json!({"type": "receipt", "conversation_id": id, "read": 1})).await?;
    let tick =
        ada_socket.wait_for(|frame| frame["type"] == "receipt" && frame["read"] == 1).await?;
    assert_eq!(tick["user_id"], "bob");

    bob_socket.send(json!({"type": "typing", "conversation_id": id})).await?;
    assert_eq!(ada_socket.expect("typing").await?["user_id"], "bob");
    Ok(())
}

#[tokio::test]
async fn five_in_a_group_see_the_same_order() -> Result<()> {
    let server = Server::start().await?;
    let names = ["ada", "bob", "cid", "dee", "eve"];
    let mut clients = Vec::new();
    let mut sockets = Vec::new();
    for name in names {
        let client = Client::sign_in(&server, name).await?;
        sockets.push(Socket::open(&client).await?);
        clients.push(client);
    }
    let id = clients[0].group(&names[1..]).await?;
    for socket in &mut sockets {
        socket.expect("entry").await?;
    }
    // Everybody sends at once.
    let sends = clients.iter().flat_map(|client| {
        (0..10).map(|n| {
            let text = format!("{} {n}", client.user);
            let (client, id) = (client.clone(), id.clone());
            async move { client.send(&id, &text).await.map(|answer| answer.expect(201)) }
        })
    });
    let sent = futures_util::future::try_join_all(sends).await?;
    let mut orders = Vec::new();
    for socket in &mut sockets {
        let mut order = Vec::new();
        for rev in 2..52 {
            let entry = socket.expect("entry").await?;
            assert_eq!(entry["rev"], rev, "no gap");
            order.push(entry["message"].clone());
        }
        orders.push(order);
    }
    assert!(orders.iter().all(|order| *order == orders[0]));
    for answer in &sent {
        let message = answer.json();
        let seq = usize::try_from(message["seq"].as_u64().unwrap_or_default())?;
        assert_eq!(orders[0][seq - 1], message, "the answer, the entry and history agree");
    }
    let last = sent.iter().max_by_key(|answer| answer.json()["seq"].as_u64());
    clients[4].after = last.map(verbatim_tests::Answer::position);
    assert_eq!(clients[4].messages(&id).await?, orders[0]);
    Ok(())
}

#[tokio::test]
async fn members_come_and_go() -> Result<()> {
    let server = Server::start().await?;
    let (ada, bob) = two(&server).await?;
    let eve = Client::sign_in(&server, "eve").await?;
    let id = ada.group(&["bob"]).await?;
    ada.send(&id, "before eve").await?.expect(201);
    let mut eve_socket = Socket::open(&eve).await?;
    assert!(eve_socket.heads.is_empty());

    let path = format!("/v1/conversations/{id}/members/eve");
    bob.put(&path, json!({"role": "member"})).await?.expect(403);
    ada.put(&path, json!({"role": "member"})).await?.expect(201);
    ada.put(&path, json!({"role": "member"})).await?.expect(200);
    let joined = eve_socket.expect("entry").await?;
    assert_eq!((&joined["kind"], &joined["rev"]), (&json!("member_added"), &json!(3)));
    let counts = eve_socket.expect("unread").await?;
    assert_eq!(
        (&counts["read"], &counts["unread"]),
        (&json!(1), &json!(0)),
        "joining reads all before"
    );

    let sent = ada.send(&id, "with eve").await?.expect(201);
    assert_eq!(eve_socket.expect("entry").await?["message"]["text"], "with eve");
    let mut reader = eve.clone();
    reader.after = Some(sent.position());
    let seen = reader.messages(&id).await?;
    assert_eq!(seen.len(), 1, "what came before eve joined is not hers: {seen:?}");

    let removed = ada.delete(&path).await?.expect(204);
    assert_eq!(eve_socket.expect("left").await?["conversation_id"], id.as_str());
    ada.send(&id, "without eve").await?.expect(201);
    ada.delete(&path).await?.expect(204);
    reader.after = Some(removed.position());
    reader.get(&format!("/v1/conversations/{id}/messages")).await?.expect(404);
    let error = eve_socket.say(&id, "am I still here?").await?;
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("error"), &json!("conversation_not_found"))
    );
    let nothing = eve_socket.within(Duration::from_millis(300)).await?;
    assert_eq!(nothing, None, "nothing of it follows");
    Ok(())
}

#[tokio::test]
async fn a_channel_reaches_those_who_view_it() -> Result<()> {
    let server = Server::start().await?;
    let (ada, bob) = two(&server).await?;
    let channel = json!({
        "kind": "channel", "name": "News", "members": ["bob", "cid"], "posting": "admins",
    });
    let id = ada.create(channel).await?;
    let cid = Client::sign_in(&server, "cid").await?;
    let mut viewing = Socket::open(&bob).await?;
    let mut elsewhere = Socket::open(&cid).await?;
    let ack = viewing.ask(json!({"type": "view", "conversation_id": id})).await?;
    assert_eq!((&ack["head_rev"], &ack["head_seq"]), (&json!(1), &json!(0)));
    ada.send(&id, "news").await?.expect(201);
    assert_eq!(viewing.expect("entry").await?["message"]["text"], "news");
    let unread = elsewhere.expect("unread").await?;
    assert_eq!((&unread["head_seq"], &unread["unread"]), (&json!(1), &Value::Null));
    bob.send(&id, "me too").await?.expect(403);
    viewing.ask(json!({"type": "unview", "conversation_id": id})).await?;
    ada.send(&id, "more news").await?.expect(201);
    let next = viewing.wait_for(|frame| frame["type"] == "unread" || frame["type"] == "entry");
    assert_eq!(next.await?["type"], "unread");
    Ok(())
}

#[tokio::test]
async fn presence_is_told_to_those_who_share_a_conversation() -> Result<()> {
    let server = Server::start().await?;
    let (ada, bob) = two(&server).await?;
    let eve = Client::sign_in(&server, "eve").await?;
    ada.direct("bob").await?;
    let mut ada_socket = Socket::open(&ada).await?;
    let mut eve_socket = Socket::open(&eve).await?;
    for (socket, _) in [(&mut ada_socket, true), (&mut eve_socket, false)] {
        socket.ask(json!({"type": "watch", "users": ["bob"]})).await?;
        let first = socket.expect("presence").await?;
        assert_eq!((&first["online"], &first["last_seen"]), (&json!(false), &Value::Null));
    }
    let bob_socket = Socket::open(&bob).await?;
    assert_eq!(ada_socket.expect("presence").await?["online"], true);
    let seen = ada.get("/v1/presence?user=bob").await?.expect(200).json();
    assert_eq!(seen["items"][0]["online"], true, "{seen}");
    bob_socket.close().await?;
    let gone = ada_socket.expect("presence").await?;
    assert_eq!(gone["online"], false);
    assert!(gone["last_seen"].is_string());
    let hidden = eve.get("/v1/presence?user=bob").await?.expect(200).json();
    assert_eq!(
        (&hidden["items"][0]["online"], &hidden["items"][0]["last_seen"]),
        (&json!(false), &Value::Null)
    );
    assert_eq!(eve_socket.within(Duration::from_millis(300)).await?, None);
    Ok(())
}

#[tokio::test]
async fn the_inbox_counts_and_orders() -> Result<()> {
    let server = Server::start().await?;
    let (ada, mut bob) = two(&server).await?;
    let first = ada.direct("bob").await?;
    let second = ada.group(&["bob"]).await?;
    ada.send(&second, "one").await?.expect(201);
    let last = ada.send(&first, "two").await?.expect(201);
    let before = ada.send(&first, "three").await?.expect(201);
    bob.after = Some(format!("{},{}", last.position(), before.position()));
    let unread = bob.get("/v1/unread").await?.expect(200).json();
    assert_eq!((&unread["conversations"], &unread["messages"]), (&json!(2), &json!(3)));
    let inbox = bob.get("/v1/conversations").await?.expect(200).json();
    let ids: Vec<&str> = inbox["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|item| item["id"].as_str())
        .collect();
    assert_eq!(ids, [first.as_str(), second.as_str()], "latest first");
    assert_eq!(inbox["items"][0]["last_message"]["text"], "three");
    assert_eq!(inbox["items"][0]["peer"], "ada");
    let read = bob.put(&format!("/v1/conversations/{first}/receipts"), json!({"read": 2})).await?;
    assert_eq!(read.clone().expect(200).json(), json!({"delivered": 2, "read": 2}));
    bob.after = Some(read.position());
    let unread = bob.get("/v1/unread").await?.expect(200).json();
    assert_eq!((&unread["conversations"], &unread["messages"]), (&json!(1), &json!(1)));
    let mut socket = Socket::open(&bob).await?;
    assert_eq!(socket.heads.len(), 2);
    assert_eq!(socket.heads[0]["conversation_id"], first.as_str());
    assert_eq!((&socket.heads[0]["unread"], &socket.heads[0]["read"]), (&json!(0), &json!(2)));
    ada.send(&first, "four").await?.expect(201);
    let entry = socket.expect("entry").await?;
    assert_eq!(entry["rev"].as_u64(), socket.heads[0]["head_rev"].as_u64().map(|rev| rev + 1));
    Ok(())
}

#[tokio::test]
async fn a_repeat_is_the_same_message() -> Result<()> {
    let server = Server::start().await?;
    let (ada, mut bob) = two(&server).await?;
    let id = ada.direct("bob").await?;
    let message = new_id();
    let first = ada.send_as(&id, &message, "once").await?.expect(201);
    let again = ada.send_as(&id, &message, "once").await?.expect(200);
    assert_eq!(again.header("verbatim-duplicate"), Some("true"));
    assert_eq!(again.json(), first.json());
    let other = ada.send_as(&id, &message, "twice").await?.expect(409);
    assert_eq!(other.code(), "id_reused");
    let mut socket = Socket::open(&ada).await?;
    let ack = socket
        .ask(json!({"type": "send", "conversation_id": id, "id": message, "text": "once"}))
        .await?;
    assert_eq!((&ack["seq"], &ack["duplicate"]), (&json!(1), &json!(true)));
    bob.after = ack["position"].as_str().map(str::to_owned);
    assert_eq!(bob.messages(&id).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_restart_keeps_everything() -> Result<()> {
    let mut server = Server::start().await?;
    let (ada, mut bob) = two(&server).await?;
    let id = ada.direct("bob").await?;
    let mut socket = Socket::open(&bob).await?;
    for n in 0..20 {
        bob.after = Some(ada.send(&id, &format!("message {n}")).await?.expect(201).position());
    }
    assert_eq!(server.stop().await?, Some(0), "SIGTERM ends in good order");
    let bye = socket.expect("bye").await?;
    assert_eq!(bye["code"], "restart");
    assert_eq!(socket.closed().await?, Some(1012));
    server.resume().await?;
    let texts: Vec<Value> =
        bob.messages(&id).await?.iter().map(|message| message["text"].clone()).collect();
    assert_eq!(texts, (0..20).map(|n| json!(format!("message {n}"))).collect::<Vec<_>>());
    let mut socket = Socket::open(&bob).await?;
    assert_eq!(socket.heads[0]["unread"], 20);
    let entries = socket.ask(json!({"type": "fetch", "conversation_id": id, "after": 1})).await?;
    assert_eq!(entries["items"].as_array().map(Vec::len), Some(20));
    assert_eq!(entries["next"], Value::Null);
    let closed = socket.send(json!({"type": "renew", "token": ada.token})).await;
    assert!(closed.is_ok());
    let refused = socket.wait_for(|frame| frame["type"] == "error").await?;
    assert_eq!(refused["code"], "forbidden", "a socket stays its user's");
    let _: Option<Incoming> = socket.within(Duration::from_millis(50)).await?;
    Ok(())
}
