//! Users whose next socket comes while the last one goes.

use anyhow::Result;
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use verbatim_tests::{Client, Server, Socket, crowd::NO_RATES};

const USERS: usize = 60;
const ROUNDS: usize = 8;

/// Says hello on the next socket and closes the last one at the same time, as a page that is reloaded does.
async fn reconnect(client: &Client) -> Result<Socket> {
    let mut socket = Socket::open(client).await?;
    for _ in 0..ROUNDS {
        let ticket = client.post("/v1/ws/tickets", json!({})).await?.expect(201).json();
        let mut next = Socket::raw(client, &[]).await?;
        let closing = tokio::spawn(async move { socket.close().await });
        next.send(json!({"type": "hello", "ticket": ticket["ticket"]})).await?;
        next.greet().await?;
        closing.await??;
        socket = next;
    }
    Ok(socket)
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reconnects_stays_online() -> Result<()> {
    let env = [NO_RATES, &[("VERBATIM_WS_SOCKETS_PER_ADDRESS", "1000")]].concat();
    let server = Server::start_with(&[], &env).await?;
    let viewer = Client::sign_in(&server, "viewer").await?;
    let names: Vec<String> = (0..USERS).map(|n| format!("user-{n}")).collect();
    let mut clients = Vec::new();
    for name in &names {
        clients.push(Client::sign_in(&server, name).await?);
    }
    let last = Client::sign_in(&server, "last").await?;
    let members: Vec<&str> = names.iter().map(String::as_str).chain(["last"]).collect();
    viewer.group(&members).await?;
    let mut watching = Socket::open(&viewer).await?;
    watching.ask(json!({"type": "watch", "users": ["last"]})).await?;
    let leaving = Socket::open(&last).await?;
    let told = |online: bool| {
        move |frame: &Value| frame["type"] == "presence" && frame["online"] == online
    };
    watching.wait_for(told(true)).await?;
    let sockets = try_join_all(clients.iter().map(reconnect)).await?;
    // Whoever went before is told of no later than who goes last.
    leaving.close().await?;
    watching.wait_for(told(false)).await?;
    let query: Vec<String> = names.iter().map(|name| format!("user={name}")).collect();
    let path = format!("/v1/presence?{}", query.join("&"));
    let seen = viewer.get(&path).await?.expect(200).json();
    let offline: Vec<&Value> = seen["items"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|presence| presence["online"] != true)
        .collect();
    assert_eq!(offline, [] as [&Value; 0], "each has an open socket");
    assert_eq!(sockets.len(), USERS);
    Ok(())
}
