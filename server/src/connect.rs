//! `verbatim connect`: a WebSocket on the command line, for trying things out.

use std::io::{BufRead, Write};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures_util::{SinkExt, StreamExt};
use reqwest::Url;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{ClientRequestBuilder, Message};
use verbatim_schemas::rest::DevToken;

use crate::cli::ConnectArgs;

/// Lines of standard input that may wait to be sent.
const WAITING_LINES: usize = 16;

/// The longest time for the token and the handshake.
const OPEN_LIMIT: Duration = Duration::from_secs(10);

/// The longest time that a server may take to answer a close.
const CLOSE_LIMIT: Duration = Duration::from_secs(2);

/// Opens a socket, says hello, and prints frames until the time is over or the server closes.
pub async fn run(args: ConnectArgs) -> anyhow::Result<()> {
    let base: Url = args.url.parse().context("--url is no URL")?;
    ensure!(base.scheme() == "http", "--url must begin with http://: connect speaks no TLS");
    let opening = tokio::time::timeout(OPEN_LIMIT, Box::pin(open(&args, &base)));
    let mut socket = opening.await.context("the server does not answer")??;
    let mut hello = json!({"type": "hello"});
    if let Some(since) = &args.since {
        hello["since"] = json!(since);
    }
    socket.send(Message::text(hello.to_string())).await?;
    let outcome = talk(&mut socket, args.seconds.map(u64::from).map(Duration::from_secs)).await;
    let _ = tokio::time::timeout(CLOSE_LIMIT, socket.close(None)).await;
    outcome
}

async fn open(args: &ConnectArgs, base: &Url) -> anyhow::Result<WebSocketStream<TcpStream>> {
    let token = match (&args.token, &args.user) {
        (Some(token), _) => token.clone(),
        (None, Some(user)) => dev_token(base, user).await?,
        (None, None) => bail!("name --user or --token"),
    };
    let host = base.host_str().context("--url has no host")?;
    let port = base.port_or_known_default().context("--url has no port")?;
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port))
        .await
        .with_context(|| format!("cannot connect to {host}:{port}"))?;
    let mut url = base.join("/v1/ws").context("--url takes no path")?;
    let _ = url.set_scheme("ws");
    let request = ClientRequestBuilder::new(url.as_str().parse().context("--url is no URL")?)
        .with_header("Authorization", format!("Bearer {token}"))
        .with_sub_protocol("verbatim.v1");
    let (socket, _) = tokio_tungstenite::client_async(request, stream)
        .await
        .context("the server refused the socket")?;
    Ok(socket)
}

async fn dev_token(base: &Url, user: &str) -> anyhow::Result<String> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let url = base.join("/v1/dev/tokens")?;
    let answer = client.post(url).json(&json!({"user_id": user})).send().await;
    let answer = answer.context("cannot get a token")?;
    if !answer.status().is_success() {
        let (status, body) = (answer.status(), answer.text().await.unwrap_or_default());
        bail!("the server gives no token ({status}): is it in development mode? {body}");
    }
    Ok(answer.json::<DevToken>().await.context("the answer holds no token")?.token)
}

async fn talk(
    socket: &mut WebSocketStream<TcpStream>,
    limit: Option<Duration>,
) -> anyhow::Result<()> {
    let mut lines = standard_input();
    let mut lines_end = false;
    let over = async {
        match limit {
            Some(limit) => tokio::time::sleep(limit).await,
            None => std::future::pending().await,
        }
    };
    tokio::pin!(over);
    loop {
        tokio::select! {
            () = &mut over => return Ok(()),
            _ = tokio::signal::ctrl_c() => return Ok(()),
            line = lines.recv(), if !lines_end => match line {
                Some(line) => socket.send(Message::text(line)).await?,
                None => lines_end = true,
            },
            frame = socket.next() => match frame {
                Some(Ok(Message::Text(text))) => print_line(&text)?,
                Some(Ok(Message::Close(Some(close)))) => {
                    bail!("the server closed: {} {}", u16::from(close.code), close.reason)
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("the connection broke"),
                None => bail!("the server closed"),
            },
        }
    }
}

/// Lines of standard input. The thread ends with it, or with the process.
fn standard_input() -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel(WAITING_LINES);
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if !line.trim().is_empty() && sender.blocking_send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

fn print_line(text: &str) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()
}
