//! A second signal ends the process at once, whatever still hangs.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use rustix::process::{Pid, Signal, kill_process};
use verbatim_server::config::{Config, Flags};
use verbatim_server::serve::{self, Services, Shell};

/// Tells the child that it is one, and where its data is.
const CHILD: &str = "SECOND_SIGNAL_DATA";

async fn stuck(_: Arc<Shell>) -> anyhow::Result<Services> {
    let never = async || {
        std::io::stdout().write_all(b"entered\n").unwrap();
        std::future::pending::<()>().await;
    };
    let stop = Box::pin(async { Ok(()) });
    Ok(Services { router: Router::new().route("/stuck", get(never)), stop })
}

/// The server that the test below starts as a process of its own; by itself it does nothing.
#[tokio::test]
async fn child() {
    let Ok(data) = std::env::var(CHILD) else { return };
    let listen = Some("127.0.0.1:0".to_owned());
    let flags = Flags { dev: true, data: Some(data), listen, ..Flags::default() };
    let config = Config::load_for_serving(&flags, std::iter::empty()).unwrap();
    let announced = config.clone();
    let ready = |address| serve::announce(address, &announced);
    serve::run(config, stuck, ready).await.unwrap();
}

#[test]
fn a_second_signal_leaves_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--nocapture"])
        .env(CHILD, folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let address = lines
        .find_map(|line| line.split_once("listening on http://").map(|(_, rest)| rest.to_owned()))
        .unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(b"GET /stuck HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    lines.find(|line| line.contains("entered")).unwrap();

    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    // Draining has begun when no connection is taken any more.
    let address = stream.peer_addr().unwrap();
    while TcpStream::connect(address).is_ok() {
        std::thread::yield_now();
    }
    assert_eq!(child.try_wait().unwrap(), None);
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut rest = Vec::new();
    assert_eq!(stream.read_to_end(&mut rest).unwrap_or_default(), 0);
}
