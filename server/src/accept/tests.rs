use std::net::SocketAddr;

use axum::Extension;
use axum::routing::{get, post};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use verbatim_http::ClientAddr;

use super::*;
use crate::shutdown::{self, ShutdownTrigger};

const LIMITS: AcceptLimits = AcceptLimits {
    connections: 8,
    header_limit: 16 * 1024,
    header_timeout: Duration::from_millis(300),
    handshake_timeout: Duration::from_millis(300),
    body: BodyLimits { bytes: 1000, within: Duration::from_secs(10) },
};

/// No test waits longer for what must come.
const PATIENCE: Duration = Duration::from_secs(10);

struct Running {
    address: SocketAddr,
    trigger: ShutdownTrigger,
    ended: tokio::task::JoinHandle<Drained>,
}

async fn start(router: Router, tls: Option<Arc<TlsFiles>>, limits: AcceptLimits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let proxies = TrustedProxies::new(&["127.0.0.0/8".parse().unwrap()]);
    let acceptor = Acceptor { router, tls, proxies, limits };
    let drain = Duration::from_secs(5);
    let ended = tokio::spawn(acceptor.serve(listener, shutdown, drain));
    Running { address, trigger, ended }
}

fn routes() -> Router {
    let address = async |Extension(ClientAddr(address)): Extension<ClientAddr>| address.to_string();
    let bounds = async |Extension(limits): Extension<BodyLimits>| limits.bytes.to_string();
    Router::new()
        .route("/address", get(address))
        .route("/bounds", get(bounds))
        .route("/echo", post(async |body: String| body))
        .route("/upgrade", get(upgrade))
}

/// Switches protocols, takes the raw stream back and answers one line on it.
async fn upgrade(mut request: axum::extract::Request) -> axum::response::Response {
    let permit = request.extensions().get::<ConnectionPermit>().cloned();
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let upgraded = upgraded.await.unwrap();
        match upgraded.downcast::<PlainIo>() {
            Ok(parts) => {
                parts.io.into_inner().into_inner().unwrap().write_all(b"plain\n").await.unwrap()
            }
            Err(upgraded) => {
                let mut stream =
                    upgraded.downcast::<TlsIo>().unwrap().io.into_inner().into_inner().unwrap();
                stream.write_all(b"tls\n").await.unwrap();
                stream.flush().await.unwrap();
                stream.shutdown().await.unwrap();
            }
        }
        drop(permit);
    });
    let answer = axum::response::Response::builder().status(101);
    answer.header("connection", "upgrade").header("upgrade", "x").body("".into()).unwrap()
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

async fn all<S: AsyncRead + Unpin>(stream: &mut S) -> String {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut bytes)).await;
    // A reset after the answer is an end, too.
    let _ = read.expect("the server ends the connection");
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    stream.flush().await.unwrap();
    all(stream).await
}

/// Reads until the text has come; the connection stays open.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.contains(end) {
        let mut bytes = [0; 1024];
        let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await.unwrap().unwrap();
        assert!(read > 0, "ended after {text:?}");
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    text
}

const CLOSING: &str = "host: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn requests_carry_the_clients_address() {
    let server = start(routes(), None, LIMITS).await;
    let mut stream = connect(server.address).await;
    let answer = ask(&mut stream, &format!("GET /address HTTP/1.1\r\n{CLOSING}")).await;
    assert!(answer.ends_with("\r\n127.0.0.1"), "{answer}");
    let mut stream = connect(server.address).await;
    let request =
        format!("GET /address HTTP/1.1\r\nx-forwarded-for: 6.6.6.6, 192.0.2.7\r\n{CLOSING}");
    let answer = ask(&mut stream, &request).await;
    assert!(answer.ends_with("\r\n192.0.2.7"), "{answer}");
    let mut stream = connect(server.address).await;
    let answer = ask(&mut stream, &format!("GET /bounds HTTP/1.1\r\n{CLOSING}")).await;
    assert!(answer.ends_with("\r\n1000"), "{answer}");
}

#[tokio::test]
async fn large_headers_get_their_code() {
    let server = start(routes(), None, LIMITS).await;
    let with = |count: usize, size: usize| {
        let lines: String =
            (0..count).map(|n| format!("x-{n}: {}\r\n", "y".repeat(size))).collect();
        format!("GET /address HTTP/1.1\r\n{lines}{CLOSING}")
    };
    for (count, size) in [(1, 16_384), (60, 300), (1, 50_000)] {
        let answer = ask(&mut connect(server.address).await, &with(count, size)).await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{count} {size}: {answer}");
        assert!(answer.contains("application/problem+json"), "{answer}");
        assert!(answer.contains("\"headers_too_large\""), "{answer}");
    }
    let long = format!("GET /{} HTTP/1.1\r\n{CLOSING}", "a".repeat(16_384));
    assert!(ask(&mut connect(server.address).await, &long).await.starts_with("HTTP/1.1 431 "));
    for beyond in [with(1, 70_000), with(200, 10)] {
        let answer = ask(&mut connect(server.address).await, &beyond).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    let fitting = ask(&mut connect(server.address).await, &with(1, 15_000)).await;
    assert!(fitting.starts_with("HTTP/1.1 200 "), "{fitting}");
}

#[tokio::test]
async fn slow_headers_are_told_so_and_silence_is_not() {
    let server = start(routes(), None, LIMITS).await;
    assert_eq!(ask(&mut connect(server.address).await, "").await, "");
    let late = ask(&mut connect(server.address).await, "GET /address HTTP/1.1\r\nx-slow: ").await;
    assert!(late.starts_with("HTTP/1.1 408 ") && late.contains("\"timeout\""), "{late}");
    let whole = "GET /address HTTP/1.1\r\nhost: x\r\n\r\n";
    let idle = ask(&mut connect(server.address).await, whole).await;
    assert!(idle.ends_with("127.0.0.1"), "idle after an answer: {idle}");
    let mut kept = connect(server.address).await;
    kept.write_all(whole.as_bytes()).await.unwrap();
    until(&mut kept, "127.0.0.1").await;
    let second = ask(&mut kept, "GET").await;
    assert!(second.starts_with("HTTP/1.1 408 "), "{second}");
}

#[tokio::test]
async fn nonsense_is_answered_or_ended() {
    let server = start(routes(), None, LIMITS).await;
    for nonsense in [
        "\r\n\r\n\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "\u{16}\u{3}\u{1}\0\u{5}hello\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = ask(&mut connect(server.address).await, nonsense).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 4"), "{answer}");
    }
    let answer =
        ask(&mut connect(server.address).await, &format!("GET /address HTTP/1.1\r\n{CLOSING}"))
            .await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

#[tokio::test]
async fn one_connection_too_many_is_told_so() {
    let limits = AcceptLimits { connections: 1, header_timeout: PATIENCE, ..LIMITS };
    let server = start(routes(), None, limits).await;
    let mut first = connect(server.address).await;
    first.write_all(b"GET /address HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    until(&mut first, "127.0.0.1").await;
    let answer = all(&mut connect(server.address).await).await;
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("retry-after: 1") && answer.contains("\"unavailable\""), "{answer}");
    drop(first);
    // The place is free once the server has seen the first one's end.
    loop {
        let request = format!("GET /address HTTP/1.1\r\n{CLOSING}");
        let mut stream = connect(server.address).await;
        if ask(&mut stream, &request).await.starts_with("HTTP/1.1 200 ") {
            break;
        }
        tokio::task::yield_now().await;
    }
}

const UPGRADE: &str =
    "GET /upgrade HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

#[tokio::test]
async fn an_upgrade_gets_at_the_plain_stream() {
    let server = start(routes(), None, LIMITS).await;
    let answer = ask(&mut connect(server.address).await, UPGRADE).await;
    assert!(answer.starts_with("HTTP/1.1 101 ") && answer.ends_with("plain\n"), "{answer}");
}

struct Certificate {
    _folder: tempfile::TempDir,
    files: Arc<TlsFiles>,
    connector: tokio_rustls::TlsConnector,
}

fn certificate() -> Certificate {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let (cert, key) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    std::fs::write(&cert, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let files = Arc::new(TlsFiles::open(&cert, &key).unwrap());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Certificate { _folder: folder, files, connector: Arc::new(client).into() }
}

#[tokio::test]
async fn tls_serves_and_upgrades() {
    let certificate = certificate();
    let server = start(routes(), Some(Arc::clone(&certificate.files)), LIMITS).await;
    let name = ServerName::try_from("localhost").unwrap();
    let request = format!("POST /echo HTTP/1.1\r\ncontent-length: 2\r\n{CLOSING}hi");
    for (request, start, end) in
        [(request.as_str(), "HTTP/1.1 200 ", "hi"), (UPGRADE, "HTTP/1.1 101 ", "tls\n")]
    {
        let stream = connect(server.address).await;
        let mut stream = certificate.connector.connect(name.clone(), stream).await.unwrap();
        let answer = ask(&mut stream, request).await;
        assert!(answer.starts_with(start) && answer.ends_with(end), "{answer}");
    }
}

#[tokio::test]
async fn slow_headers_over_tls_are_told_so() {
    let certificate = certificate();
    let server = start(routes(), Some(Arc::clone(&certificate.files)), LIMITS).await;
    let name = ServerName::try_from("localhost").unwrap();
    let stream = connect(server.address).await;
    let mut stream = certificate.connector.connect(name, stream).await.unwrap();
    let late = ask(&mut stream, "GET /address").await;
    assert!(late.starts_with("HTTP/1.1 408 "), "{late}");
}

#[tokio::test]
async fn a_slow_or_plain_client_does_not_hold_a_tls_server() {
    let certificate = certificate();
    let server = start(routes(), Some(Arc::clone(&certificate.files)), LIMITS).await;
    assert_eq!(all(&mut connect(server.address).await).await, "");
    let answer = ask(&mut connect(server.address).await, "GET / HTTP/1.1\r\n\r\n").await;
    assert!(!answer.contains("HTTP"), "{answer}");
}

#[tokio::test]
async fn draining_lets_a_request_end_and_closes_the_idle() {
    let (entered, mut was_entered) = mpsc::channel::<()>(1);
    let gate = Arc::new(Semaphore::new(0));
    let waits = Arc::clone(&gate);
    let slow = async move || {
        entered.send(()).await.unwrap();
        let _ = waits.acquire().await;
        "done"
    };
    let limits = AcceptLimits { header_timeout: PATIENCE, ..LIMITS };
    let server = start(routes().route("/slow", get(slow)), None, limits).await;
    let mut idle = connect(server.address).await;
    idle.write_all(b"GET /address HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    until(&mut idle, "127.0.0.1").await;
    let mut busy = connect(server.address).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    was_entered.recv().await.unwrap();

    server.trigger.begin();
    assert_eq!(all(&mut idle).await, "");
    assert!(!server.ended.is_finished());
    gate.add_permits(1);
    let answer = all(&mut busy).await;
    assert!(answer.ends_with("done"), "{answer}");
    assert_eq!(server.ended.await.unwrap(), Drained::Fully);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn draining_has_its_limit() {
    let (entered, mut was_entered) = mpsc::channel::<()>(1);
    let stuck = async move || {
        entered.send(()).await.unwrap();
        std::future::pending::<()>().await;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (trigger, shutdown) = shutdown::channel();
    let router = Router::new().route("/", get(stuck));
    let acceptor =
        Acceptor { router, tls: None, proxies: TrustedProxies::default(), limits: LIMITS };
    let ended = tokio::spawn(acceptor.serve(listener, shutdown, Duration::from_millis(100)));
    let mut stream = connect(address).await;
    stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    was_entered.recv().await.unwrap();
    trigger.begin();
    assert_eq!(ended.await.unwrap(), Drained::CutOff(1));
}
