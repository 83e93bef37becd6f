//! Readers that stop reading cost at most their bound, and nobody else anything.

use anyhow::{Context, Result};
use futures_util::future::try_join_all;
use serde_json::{Value, json};
use verbatim_tests::{Client, Server, Socket, crowd::NO_RATES, metrics, socket::Incoming};

/// Sockets that are not read.
const SLOW: usize = 8;
/// Bytes of a message's text.
const TEXT: usize = 16_000;
/// What may wait for a socket, as documented.
const BACKLOG: usize = 256 * 1024;
/// Messages sent at once.
const WAVE: usize = 50;
/// Far more than the kernel takes for a socket that is not read (10 MB), in waves.
const WAVES: usize = 60;
/// What the server may grow by, generously: caches of the databases fill up, the backlogs are 2 MB.
const GROWTH: u64 = 128 * 1024 * 1024;

/// The memory that a process has, in bytes.
fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes * 1024)
}

/// Reads on to the end, from rev 2: how far it came without a hole, `bye`, and the close code.
async fn drain(socket: &mut Socket) -> Result<(u64, Value, Option<u16>)> {
    let (mut rev, mut bye) = (2, Value::Null);
    loop {
        match socket.incoming().await? {
            Incoming::Closed(code) => return Ok((rev, bye, code)),
            Incoming::Frame(frame) if frame["type"] == "bye" => bye = frame,
            Incoming::Frame(frame) if frame["type"] == "entry" => {
                rev += 1;
                assert_eq!(frame["rev"], rev, "no hole up to the end");
            }
            Incoming::Frame(_) => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn g9_readers_that_stop_reading_are_closed_and_cost_at_most_their_bound() -> Result<()> {
    let free = metrics::free()?;
    let env = [NO_RATES, &[("VERBATIM_METRICS_LISTEN", free.as_str())]].concat();
    let server = Server::start_with(&[], &env).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let cid = Client::sign_in(&server, "cid").await?;
    let id = ada.group(&["bob", "cid"]).await?;
    let settled = ada.send(&id, "first").await?.expect(201);
    let mut reader = cid.clone();
    reader.after = Some(settled.position());
    reader.get("/v1/conversations").await?.expect(200);
    let mut slow = Vec::new();
    for _ in 0..SLOW {
        slow.push(Socket::open(&bob).await?);
    }
    let mut quick = Socket::open(&cid).await?;
    assert_eq!(quick.heads[0]["head_rev"], 2);
    let text = "x".repeat(TEXT);
    let before = resident(server.pid().context("no server")?)?;

    let (mut rev, mut waves) = (2, 0);
    while metrics::read(&free, "verbatim_gateway_slow_consumers_total").await? < SLOW as f64 {
        assert!(waves < WAVES, "{waves} waves of {WAVE} messages, and some are still open");
        waves += 1;
        let sent = try_join_all((0..WAVE).map(|_| ada.send(&id, &text))).await?;
        sent.into_iter().for_each(|answer| drop(answer.expect(201)));
        // The one that reads gets everything meanwhile.
        for _ in 0..WAVE {
            rev += 1;
            assert_eq!(quick.expect("entry").await?["rev"], rev);
        }
        quick.seen.clear();
    }
    let growth = resident(server.pid().context("no server")?)?.saturating_sub(before);
    assert!(growth < GROWTH, "the server grew by {growth} bytes");

    let drained = try_join_all(slow.iter_mut().map(drain)).await?;
    for (last, bye, code) in &drained {
        assert_eq!((&bye["code"], *code), (&json!("slow_consumer"), Some(4008)), "at {last}");
    }
    // What the last one to be closed was sent and did not get is what its backlog held.
    let furthest = drained.iter().map(|(last, ..)| *last).max().unwrap_or_default();
    let held = usize::try_from(rev - furthest)?;
    assert!(held <= BACKLOG / TEXT + WAVE + 2, "{held} messages of {TEXT} bytes were kept for it");
    // Whoever comes back goes on where it was.
    let last = drained[0].0;
    let since = slow[0].welcome["position"].as_str().map(str::to_owned);
    let mut again = Socket::open_since(&bob, since.as_deref()).await?;
    assert_eq!(again.heads[0]["head_rev"], rev);
    let fetch = json!({"type": "fetch", "conversation_id": id, "after": last});
    assert_eq!(again.ask(fetch).await?["items"][0]["rev"], last + 1);
    Ok(())
}
