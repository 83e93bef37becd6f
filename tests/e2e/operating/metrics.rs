//! `/metrics` on an address of its own.

use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;
use verbatim_tests::{
    Client, Server, Socket,
    metrics::{free, value},
};

#[tokio::test]
async fn metrics_measure_and_name_nobody() -> Result<()> {
    let address = free()?;
    let server = Server::start_with(&[], &[("VERBATIM_METRICS_LISTEN", &address)]).await?;
    let ada = Client::sign_in(&server, "canary-ada").await?;
    let id = ada.direct("canary-bob").await?;
    let mut socket = Socket::open(&ada).await?;
    for n in 0..3 {
        socket.say(&id, &format!("canary text {n}")).await?;
    }
    ada.send(&id, "canary text by REST").await?.expect(201);
    ada.get("/v1/canary-route").await?.expect(404);
    ada.get(&format!("/v1/conversations/{id}/messages")).await?.expect(200);
    socket.ask(json!({"type": "view", "conversation_id": "x"})).await?;
    let metrics = Client::anonymous(&format!("http://{address}"));
    // Sockets are counted with the gateway's next tick.
    let mut asked = 0;
    let answer = loop {
        asked += 1;
        assert!(asked < 200, "the socket is never counted");
        let answer = metrics.get("/metrics").await?.expect(200);
        if value(&answer.text, "verbatim_gateway_sockets", &[]) == Some(1.0) {
            break answer;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let text = &answer.text;
    assert!(answer.header("content-type").is_some_and(|media| media.starts_with("text/plain")));
    let own = value(text, "verbatim_http_requests_total", &["messages", "201"]);
    assert_eq!(own, Some(1.0), "rates: {text}");
    assert!(value(text, "verbatim_gateway_send_ack_seconds_count", &[]) >= Some(3.0), "latencies");
    assert!(value(text, "verbatim_http_request_duration_seconds_count", &[]) > Some(3.0));
    for name in [
        "verbatim_projection_lag_records",
        "verbatim_commands_in_flight",
        "verbatim_command_waiters",
        "verbatim_log_waiting_records",
    ] {
        value(text, name, &[]).with_context(|| format!("{name} is missing in {text}"))?;
    }
    for hidden in ["canary", &id, ada.token.as_deref().unwrap_or("no token")] {
        assert!(!text.contains(hidden), "{hidden}: {text}");
    }
    // Every series says what it is.
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap_or_default();
        let known = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let described = |name: &str| text.contains(&format!("# TYPE {name} "));
        assert!(name.is_empty() || described(name) || known.is_some_and(described), "{line}");
    }
    metrics.get("/v1/unread").await?.expect(404);
    ada.get("/metrics").await?.expect(404);
    Ok(())
}
