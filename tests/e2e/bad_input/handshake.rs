//! Sockets that are not opened, or not for long.

use anyhow::Result;
use serde_json::json;
use verbatim_tests::{
    Client, Server, Socket,
    wire::{self, Wire},
};

use super::target::{Target, refused};

#[tokio::test]
async fn g9_handshakes_that_are_refused() -> Result<()> {
    let allowed = [("VERBATIM_HTTP_ALLOWED_ORIGINS", "https://app.example")];
    let target = Target::start(&allowed).await?;
    let address = target.server.address();
    let own = format!("http://{address}");
    let open = async |headers: &[(&str, &str)]| {
        let opened = Wire::open(address, headers).await;
        opened.err().map(|error| error.to_string()).unwrap_or_else(|| "open".to_owned())
    };
    for origin in
        ["https://evil.example", "null", "", "https://app.example.evil.example", "file://"]
    {
        let answer = open(&[("origin", origin)]).await;
        assert!(answer.starts_with("HTTP/1.1 403 "), "{origin}: {answer}");
        assert!(answer.contains("forbidden") || answer.ends_with("\r\n\r\n"), "{answer}");
    }
    for origin in [own.as_str(), "https://app.example"] {
        assert_eq!(open(&[("origin", origin)]).await, "open", "{origin}");
    }
    for protocol in ["verbatim.v2", "chat", "Verbatim.V1"] {
        let answer = open(&[("sec-websocket-protocol", protocol)]).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{protocol}: {answer}");
    }
    for protocol in ["verbatim.v1", "chat, verbatim.v1"] {
        assert_eq!(open(&[("sec-websocket-protocol", protocol)]).await, "open", "{protocol}");
    }
    // A plain request to the socket's route.
    let plain = target.ask("GET /v1/ws", &[], b"").await?;
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")));
    assert_eq!(plain.json()["status"], 426, "the body says what the status line says");
    let upgrade = [("upgrade", "websocket"), ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==")];
    let old: Vec<_> = upgrade.iter().copied().chain([("sec-websocket-version", "8")]).collect();
    let reply = wire::request(address, "GET /v1/ws", &old, b"").await?;
    assert_eq!(reply.status, 426);
    target.serves().await
}

#[tokio::test]
async fn g9_no_hello_a_bad_ticket_and_a_used_one() -> Result<()> {
    let target = Target::start(&[("VERBATIM_WS_HELLO_TIMEOUT", "300ms")]).await?;
    let mut silent = Socket::raw(&target.ada, &[]).await?;
    assert_eq!(silent.expect("bye").await?["code"], "unauthenticated");
    assert_eq!(silent.closed().await?, Some(4001), "no hello");
    let ticket = target.ada.post("/v1/ws/tickets", json!({})).await?.expect(201).json();
    let mut first = Socket::raw(&target.ada, &[]).await?;
    first.send(json!({"type": "hello", "ticket": ticket["ticket"]})).await?;
    first.greet().await?;
    for bad in [ticket["ticket"].clone(), json!("x"), json!(""), json!("0".repeat(64)), json!(null)]
    {
        let mut socket = Socket::raw(&target.ada, &[]).await?;
        socket.send(json!({"type": "hello", "ticket": bad})).await?;
        assert_eq!(socket.expect("bye").await?["code"], "unauthenticated", "{bad}");
        assert_eq!(socket.closed().await?, Some(4001), "{bad}");
    }
    assert_eq!(first.say(&target.id, "still here").await?["type"], "ack");
    target.serves().await
}

#[tokio::test]
async fn g9_the_eleventh_socket_closes_the_oldest() -> Result<()> {
    let target = Target::start(&[]).await?;
    let mut sockets = Vec::new();
    for _ in 0..11 {
        sockets.push(Socket::open(&target.ada).await?);
    }
    assert_eq!(sockets[0].expect("bye").await?["code"], "replaced");
    assert_eq!(sockets[0].closed().await?, Some(4009));
    for socket in &mut sockets[1..] {
        let ack = socket.ask(json!({"type": "unwatch", "users": []})).await?;
        assert_eq!(ack["type"], "ack", "the ten others stay");
    }
    target.serves().await
}

#[tokio::test]
async fn g9_sockets_of_one_address() -> Result<()> {
    let env =
        [("VERBATIM_WS_SOCKETS_PER_ADDRESS", "3"), ("VERBATIM_HTTP_TRUSTED_PROXIES", "127.0.0.1")];
    let server = Server::start_with(&[], &env).await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let address = server.address();
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(Wire::open(address, &[]).await?);
    }
    let upgrade = [
        ("upgrade", "websocket"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    // Not with `Connection: close`, which is no upgrade.
    let head = format!("GET /v1/ws HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade, close\r\n");
    let lines: String =
        upgrade.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let reply = wire::exchange(address, &[head.as_bytes(), lines.as_bytes(), b"\r\n"]).await?;
    refused("the fourth", &reply, 429, "too_many_connections", None);
    // Another client behind the proxy has its own places; a forged address of nobody's has none.
    held.push(Wire::open(address, &[("x-forwarded-for", "203.0.113.7")]).await?);
    drop(held);
    ada.get("/v1/unread").await?.expect(200);
    Ok(())
}
