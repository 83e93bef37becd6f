//! Running out of open files: the accept loop waits and goes on.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

use std::time::Duration;

use axum::Router;
use axum::routing::get;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use verbatim_http::BodyLimits;
use verbatim_server::accept::{AcceptLimits, Acceptor, TrustedProxies};
use verbatim_server::shutdown;

const SECOND: Duration = Duration::from_secs(1);

/// Files that the process may open beyond those it has.
const ROOM: u64 = 9;

fn open_files() -> u64 {
    std::fs::read_dir("/proc/self/fd").unwrap().count() as u64
}

async fn ask(mut stream: TcpStream) -> String {
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let mut answer = String::new();
    let asking = async {
        stream.write_all(request).await.unwrap();
        stream.read_to_string(&mut answer).await.unwrap();
    };
    tokio::time::timeout(10 * SECOND, asking).await.unwrap();
    answer
}

/// The only test here: the limit is the whole process's.
#[tokio::test]
async fn it_goes_on_when_files_are_to_be_had_again() {
    if !std::path::Path::new("/proc/self/fd").exists() {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (_trigger, shutdown) = shutdown::channel();
    let acceptor = Acceptor {
        router: Router::new().route("/", get(async || "here")),
        tls: None,
        proxies: TrustedProxies::default(),
        limits: AcceptLimits {
            connections: 1000,
            header_limit: 16 * 1024,
            header_timeout: 60 * SECOND,
            handshake_timeout: SECOND,
            body: BodyLimits::default(),
        },
    };
    let serving = tokio::spawn(acceptor.serve(listener, shutdown, SECOND));

    let before = getrlimit(Resource::Nofile);
    let tight = Rlimit { current: Some(open_files() + ROOM), maximum: before.maximum };
    setrlimit(Resource::Nofile, tight).unwrap();
    // Each connection takes a file here and one in the server, which so comes to fail first.
    let mut clients = Vec::new();
    while let Ok(stream) = TcpStream::connect(address).await {
        clients.push(stream);
        // Lets the server accept, and fail, in turn with the client.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(clients.len() >= 3, "{}", clients.len());
    assert!(!serving.is_finished());
    setrlimit(Resource::Nofile, before).unwrap();
    for client in clients {
        let answer = ask(client).await;
        assert!(answer.ends_with("here"), "{answer}");
    }
    let answer = ask(TcpStream::connect(address).await.unwrap()).await;
    assert!(answer.ends_with("here"), "{answer}");
    assert!(!serving.is_finished());
}
