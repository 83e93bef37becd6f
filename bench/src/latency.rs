//! send -> acknowledged -> delivered to another socket.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context, Result};
use serde_json::json;
use verbatim_tests::{Client, Server, Socket, new_id};

use crate::{
    baseline::{TEXT_BYTES, append_and_echo, now},
    report::{quantile, row},
};

const RATE: u32 = 200;

pub async fn measure(rounds: usize, seconds: u64) -> Result<String> {
    let server = Server::start_with(&[], crate::throughput::UNLIMITED).await?;
    let (mut p50, mut p99) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    for round in 0..rounds {
        let mut bare =
            tokio::task::spawn_blocking(move || append_and_echo(RATE, seconds)).await??;
        let mut ours = deliver(&server, round, seconds).await?;
        p50.0.push(quantile(&mut bare, 0.5));
        p50.1.push(quantile(&mut ours, 0.5));
        p99.0.push(quantile(&mut bare, 0.99));
        p99.1.push(quantile(&mut ours, 0.99));
    }
    let name = format!("send → ack → delivered, {RATE}/s, durable");
    Ok(row(&format!("{name}, p50 (fdatasync + echo)"), "ms", p50.0, p50.1)
        + "\n"
        + &row(&format!("{name}, p99 (fdatasync + echo)"), "ms", p99.0, p99.1))
}

/// Milliseconds from when each message was to be sent until it was acknowledged to its sender and
/// delivered to the other, whichever came last.
async fn deliver(server: &Server, round: usize, seconds: u64) -> Result<Vec<f64>> {
    let (from, to) = (format!("from-{round}"), format!("to-{round}"));
    let sender = Client::sign_in(server, &from).await?;
    let receiver = Client::sign_in(server, &to).await?;
    let conversation = sender.direct(&to).await?;
    let mut sending = Socket::open(&sender).await?;
    let mut receiving = Socket::open(&receiver).await?;
    let count = usize::try_from(u64::from(RATE) * seconds)?;
    let text = "x".repeat(TEXT_BYTES);
    let ids: Vec<String> = (0..count).map(|_| new_id()).collect();
    let begin = now() + Duration::from_millis(50);
    let due = |n: usize| begin + Duration::from_secs(1) * u32::try_from(n).unwrap_or(0) / RATE;
    let delivered = tokio::spawn(async move {
        let mut times = HashMap::with_capacity(count);
        while times.len() < count {
            let entry = receiving.expect("entry").await?;
            if let Some(id) = entry["message"]["id"].as_str() {
                times.insert(id.to_owned(), now());
            }
        }
        anyhow::Ok(times)
    });
    let mut acknowledged = HashMap::with_capacity(count);
    let mut sent = 0;
    while acknowledged.len() < count {
        tokio::select! {
            () = tokio::time::sleep_until(due(sent).into()), if sent < count => {
                let id = &ids[sent];
                sending.send(json!({
                    "type": "send", "conversation_id": conversation, "id": id, "text": text,
                })).await?;
                sent += 1;
            }
            incoming = sending.incoming() => {
                if let verbatim_tests::socket::Incoming::Frame(frame) = incoming?
                    && frame["type"] == "ack"
                    && let Some(id) = frame["id"].as_str()
                {
                    acknowledged.insert(id.to_owned(), now());
                }
            }
        }
    }
    let delivered = delivered.await??;
    ids.iter()
        .enumerate()
        .map(|(n, id)| {
            let last =
                delivered.get(id).max(acknowledged.get(id)).context("a message is missing")?;
            Ok(last.duration_since(due(n)).as_secs_f64() * 1_000.0)
        })
        .collect()
}
