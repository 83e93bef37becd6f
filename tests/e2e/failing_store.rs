//! A store that fails for long, because somebody else holds its file.

use std::time::Duration;

use anyhow::{Context, Result};
use rusqlite::Connection;
use tokio::time::{sleep, timeout};
use verbatim_tests::{Client, Server};

/// Far longer than readiness takes to notice, and to come back.
const PATIENCE: Duration = Duration::from_secs(60);

async fn becomes(client: &Client, status: u16) -> Result<String> {
    let wait = async {
        loop {
            let ready = client.get("/v1/health/ready").await?;
            if ready.status == status {
                return Ok(ready.text);
            }
            sleep(Duration::from_millis(250)).await;
        }
    };
    timeout(PATIENCE, wait).await.with_context(|| format!("readiness does not become {status}"))?
}

#[tokio::test]
async fn readiness_fails_where_history_cannot_be_written_for_long() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let id = ada.direct("bob").await?;
    let sent = ada.send(&id, "before").await?.expect(201);
    let mut reader = ada.clone();
    reader.after = Some(sent.position());
    assert_eq!(reader.messages(&id).await?.len(), 1);
    becomes(&ada, 200).await?;

    let other = Connection::open(server.data().join("history-1.db"))?;
    other.execute_batch("BEGIN IMMEDIATE")?;
    let sent = ada.send(&id, "meanwhile").await?.expect(201);
    let why = becomes(&ada, 503).await?;
    assert!(why.contains("history") && why.contains("failing"), "{why}");
    drop(other);
    becomes(&ada, 200).await?;
    reader.after = Some(sent.position());
    assert_eq!(reader.messages(&id).await?.len(), 2);
    Ok(())
}
