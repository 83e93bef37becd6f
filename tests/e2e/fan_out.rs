//! One message to a thousand sockets.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, crowd::NO_RATES, metrics};

/// Members, the sender among them.
const MEMBERS: usize = 100;
/// Sockets of each.
const SOCKETS: usize = 10;
/// Messages.
const MESSAGES: u64 = 3;

const ENCODED: &str = "verbatim_gateway_entries_encoded_total";

#[tokio::test(flavor = "multi_thread")]
async fn g2_a_thousand_sockets_get_the_same_bytes_and_each_entry_is_encoded_once() -> Result<()> {
    let free = metrics::free()?;
    let env = [
        NO_RATES,
        &[("VERBATIM_METRICS_LISTEN", free.as_str()), ("VERBATIM_WS_SOCKETS_PER_ADDRESS", "1000")],
    ]
    .concat();
    let server = Server::start_with(&[], &env).await?;
    let names: Vec<_> = (0..MEMBERS).map(|number| format!("user-{number}")).collect();
    let sign_in = |name| Client::sign_in(&server, name);
    let mut clients = try_join_all(names.iter().map(|name| sign_in(name))).await?;
    let ada = clients[0].clone();
    let others: Vec<_> = names[1..].iter().map(String::as_str).collect();
    let id = ada.group(&others).await?;
    let settled = ada.send(&id, "first").await?.expect(201);
    clients.iter_mut().for_each(|client| client.after = Some(settled.position()));
    try_join_all(clients.iter().map(|client| client.get("/v1/conversations"))).await?;
    let mut sockets = Vec::new();
    for client in &clients {
        sockets.extend(try_join_all((0..SOCKETS).map(|_| Socket::open(client))).await?);
    }
    assert_eq!(sockets.len(), 1_000);

    let before = metrics::read(&free, ENCODED).await?;
    for number in 0..MESSAGES {
        ada.send(&id, &format!("to all: {number}")).await?.expect(201);
    }
    let read = |socket: &mut Socket| {
        let entries = socket.seen.iter().filter(|text| text.contains(r#""type":"entry""#));
        entries.cloned().collect::<Vec<_>>()
    };
    let mut first = None;
    for socket in &mut sockets {
        for number in 0..MESSAGES {
            let entry = socket.wait_for(|frame| frame["type"] == "entry").await?;
            assert_eq!(
                (&entry["rev"], &entry["message"]["seq"]),
                (&json!(number + 3), &json!(number + 2))
            );
        }
        let entries = read(socket);
        assert_eq!(&entries, first.get_or_insert_with(|| entries.clone()), "byte for byte");
    }
    assert_eq!(first.context("no socket")?.len() as u64, MESSAGES);
    assert_eq!(metrics::read(&free, ENCODED).await? - before, MESSAGES as f64);
    Ok(())
}
