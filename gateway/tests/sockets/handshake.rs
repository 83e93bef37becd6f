use serde_json::{Value, json};
use verbatim_gateway::GatewayConfig;

use crate::support::{Served, Socket, World, config};

#[tokio::test]
async fn what_is_not_ours_is_refused_before_the_upgrade() {
    let served = Served::with(
        World::new(1),
        GatewayConfig { origins: vec!["https://app.example".into()], ..config() },
    )
    .await;
    for (header, value, status, code) in [
        ("authorization", "Bearer bad", 401, "unauthenticated"),
        ("authorization", "Basic x", 401, "unauthenticated"),
        ("authorization", "Bearer down", 503, "unavailable"),
        ("origin", "https://evil.example", 403, "forbidden"),
        ("sec-websocket-protocol", "chat", 400, "malformed"),
    ] {
        let (refused, problem) = Socket::refused(served.address, &[(header, value)]).await;
        assert_eq!((refused.as_u16(), problem.as_str()), (status, code), "{header}: {value}");
    }
    let own = format!("http://{}", served.address);
    for origin in [own.as_str(), "https://app.example"] {
        assert!(Socket::raw(served.address, &[("origin", origin)]).await.is_ok());
    }
    let chosen = [("sec-websocket-protocol", "other, verbatim.v1")];
    assert!(Socket::raw(served.address, &chosen).await.is_ok());
}

#[tokio::test]
async fn a_ticket_opens_one_socket() {
    let served = Served::start().await;
    let world = &served.world;
    let actor =
        verbatim_ports::auth::Authenticator::authenticate(&*world.parts, "ada@laptop").await;
    let tickets: &dyn verbatim_ports::auth::Tickets = &*world.parts;
    let ticket = tickets.issue(actor.unwrap()).await.unwrap();

    let mut socket = Socket::raw(served.address, &[]).await.unwrap();
    socket.send(json!({"type": "hello", "ticket": ticket})).await;
    socket.greet().await;
    assert_eq!(socket.welcome["user_id"], "ada");
    assert_eq!(socket.welcome["device"], "laptop");
    assert_eq!(socket.welcome["limits"]["message_bytes"], 131_072);
    assert_eq!(socket.welcome["ping_interval_ms"], 30_000);

    for hello in [json!({"type": "hello", "ticket": ticket}), json!({"type": "hello"})] {
        let mut socket = Socket::raw(served.address, &[]).await.unwrap();
        socket.send(hello).await;
        let (bye, code) = socket.closed().await;
        assert_eq!((&bye["type"], &bye["code"]), (&json!("bye"), &json!("unauthenticated")));
        assert_eq!(code, 4001);
    }
}

#[tokio::test]
async fn tickets_are_issued_to_whoever_is_signed_in() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let served = Served::start().await;
    for (header, status) in [("Authorization: Bearer ada\r\n", "201"), ("", "401")] {
        let mut stream = tokio::net::TcpStream::connect(served.address).await.unwrap();
        let request = format!(
            "POST /v1/ws/tickets HTTP/1.1\r\nHost: x\r\n{header}Connection: close\r\n\
             Content-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
        let body: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(body["ticket"].is_string(), status == "201");
    }
}

#[tokio::test]
async fn an_address_has_so_many_sockets() {
    let served =
        Served::with(World::new(1), GatewayConfig { sockets_per_address: 2, ..config() }).await;
    let one = served.open("ada").await;
    let _two = Socket::raw(served.address, &[]).await.unwrap();
    let (status, code) = Socket::refused(served.address, &[]).await;
    assert_eq!((status.as_u16(), code.as_str()), (429, "too_many_connections"));
    drop(one);
    served.until(|gateway| gateway.status().sockets == 1).await;
    assert!(Socket::raw(served.address, &[]).await.is_ok(), "a place is free again");
}

#[tokio::test]
async fn a_storm_of_sockets_that_are_not_signed_in_is_turned_away() {
    let served = Served::with(World::new(1), GatewayConfig { connecting: 1, ..config() }).await;
    let waiting = Socket::raw(served.address, &[]).await.unwrap();
    let Err(response) = Socket::raw(served.address, &[]).await else { panic!("opened") };
    assert_eq!(response.status().as_u16(), 503);
    assert!(response.headers().contains_key("retry-after"));
    drop(waiting);
    served.until(|gateway| gateway.status().sockets == 0).await;
    let _signed_in = served.open("ada").await;
    assert!(Socket::raw(served.address, &[]).await.is_ok(), "who is signed in does not count");
}

#[tokio::test]
async fn the_oldest_socket_of_a_user_goes() {
    let served =
        Served::with(World::new(1), GatewayConfig { sockets_per_user: 2, ..config() }).await;
    let mut first = served.open("ada@one").await;
    let mut second = served.open("ada@two").await;
    let mut other = served.open("bob").await;
    let mut third = served.open("ada@three").await;
    let (bye, code) = first.closed().await;
    assert_eq!((&bye["code"], code), (&json!("replaced"), 4009));
    for socket in [&mut second, &mut third, &mut other] {
        assert!(socket.drained().await.is_empty());
    }
}

#[tokio::test]
async fn tls_carries_sockets() {
    use std::sync::Arc;
    use tokio_rustls::{TlsAcceptor, TlsConnector};
    let served = Served::start().await;
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = served.gateway.router();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let stream = TlsAcceptor::from(Arc::new(server)).accept(stream).await.unwrap();
        // As the server's own accept loop has it.
        let (stream, _holder) = verbatim_http::Held::new(stream);
        let service = hyper_util::service::TowerToHyperService::new(router);
        hyper::server::conn::http1::Builder::new()
            .serve_connection(hyper_util::rt::TokioIo::new(stream), service)
            .with_upgrades()
            .await
            .unwrap();
    });
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let name = rustls::pki_types::ServerName::try_from("localhost").unwrap();
    let stream = TlsConnector::from(Arc::new(client)).connect(name, stream).await.unwrap();
    let mut request =
        tokio_tungstenite::tungstenite::client::IntoClientRequest::into_client_request(
            "wss://localhost/v1/ws",
        )
        .unwrap();
    request.headers_mut().insert("authorization", "Bearer ada".parse().unwrap());
    let (mut ws, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    use futures_util::{SinkExt, StreamExt};
    ws.send(r#"{"type":"hello"}"#.into()).await.unwrap();
    let welcome = ws.next().await.unwrap().unwrap().into_text().unwrap();
    assert!(welcome.contains("welcome"), "{welcome}");
}
