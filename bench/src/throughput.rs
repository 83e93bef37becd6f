//! Durable sends a second.

use anyhow::{Result, bail};
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, new_id, socket::Incoming};

use crate::{
    baseline::{TEXT_BYTES, now, sqlite_rows},
    report::row,
};

const CLIENTS: usize = 50;
const WINDOW: usize = 16;

/// Settings that lift the bounds on one user, which are not what is measured.
pub const UNLIMITED: &[(&str, &str)] = &[
    ("VERBATIM_RATES_SENDS_PER_SECOND", "1000000"),
    ("VERBATIM_RATES_SEND_BURST", "1000000"),
    ("VERBATIM_RATES_CONVERSATIONS_PER_HOUR", "1000000"),
    ("VERBATIM_WS_SOCKETS_PER_ADDRESS", "20000"),
];

pub async fn measure(rounds: usize, messages: usize) -> Result<String> {
    let server = Server::start_with(&[], UNLIMITED).await?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        bare.push(
            tokio::task::spawn_blocking(move || sqlite_rows(messages, CLIENTS * WINDOW, "FULL"))
                .await??,
        );
        ours.push(sends(&server, &format!("round-{round}"), messages).await?);
    }
    let name = format!("durable sends/s, {CLIENTS} clients, window {WINDOW} (bare SQLite batches)");
    Ok(row(&name, "/s", bare, ours))
}

/// Acknowledged sends a second of all clients together.
pub async fn sends(server: &Server, name: &str, messages: usize) -> Result<f64> {
    let each = messages / CLIENTS;
    let mut sockets = Vec::new();
    for n in 0..CLIENTS {
        let client = Client::sign_in(server, &format!("{name}-{n}")).await?;
        let conversation = client.direct(&format!("{name}-{n}-peer")).await?;
        sockets.push((Socket::open(&client).await?, conversation));
    }
    let begin = now();
    let tasks: Vec<_> = sockets
        .into_iter()
        .map(|(socket, conversation)| tokio::spawn(send_all(socket, conversation, each)))
        .collect();
    for task in tasks {
        task.await??;
    }
    #[expect(clippy::cast_precision_loss, reason = "a count of messages, for a rate")]
    Ok((each * CLIENTS) as f64 / now().duration_since(begin).as_secs_f64())
}

async fn send_all(mut socket: Socket, conversation: String, count: usize) -> Result<()> {
    let text = "x".repeat(TEXT_BYTES);
    let (mut sent, mut acknowledged) = (0, 0);
    while acknowledged < count {
        while sent < count && sent - acknowledged < WINDOW {
            socket
                .send(json!({
                    "type": "send", "conversation_id": conversation, "id": new_id(), "text": text,
                }))
                .await?;
            sent += 1;
        }
        match socket.incoming().await? {
            Incoming::Frame(frame) if frame["type"] == "ack" => acknowledged += 1,
            Incoming::Frame(frame) if frame["type"] == "error" => bail!("refused: {frame}"),
            Incoming::Frame(_) => {}
            Incoming::Closed(code) => bail!("closed with {code:?}"),
        }
    }
    Ok(())
}
