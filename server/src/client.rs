//! `verbatim connect` and `verbatim id`: a socket for people with a terminal.

use std::time::Duration;

use anyhow::{Context, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};
use verbatim_ports::clock::{Clock, new_command_id};

use crate::{
    cli::ConnectArgs,
    clock::{SystemClock, SystemEntropy},
};

/// Opens a socket, prints each frame that comes as a line, and sends each line of standard input as a
/// frame, until either side ends it or the time is over.
pub async fn connect(args: ConnectArgs) -> anyhow::Result<()> {
    let base = args.url.trim_end_matches('/');
    let token = match (args.token, args.user) {
        (Some(token), _) => token,
        (None, Some(user)) => {
            let asked = post(&format!("{base}/v1/dev/tokens"), None, json!({ "user_id": user }));
            text(&asked.await?, "token")?
        }
        (None, None) => bail!("say who you are: --user NAME (development mode) or --token JWT"),
    };
    let ticket = post(&format!("{base}/v1/ws/tickets"), Some(&token), json!({})).await?;
    let hello = json!({"type": "hello", "ticket": text(&ticket, "ticket")?, "since": args.since});
    let url = format!("{}/v1/ws", base.replacen("http", "ws", 1));
    let mut request = url.into_client_request().context("--url is not an address")?;
    request
        .headers_mut()
        .insert("sec-websocket-protocol", http::HeaderValue::from_static("verbatim.v1"));
    let (mut socket, _) = Box::pin(tokio_tungstenite::connect_async(request))
        .await
        .context("the socket was refused")?;
    socket.send(Message::text(without_nulls(hello).to_string())).await?;
    relay(socket, args.seconds).await
}

async fn relay<S>(mut socket: S, seconds: Option<u64>) -> anyhow::Result<()>
where
    S: StreamExt<Item = Result<Message, tokio_tungstenite::tungstenite::Error>>
        + SinkExt<Message, Error = tokio_tungstenite::tungstenite::Error>
        + Unpin,
{
    // A hundred years stand for no end.
    let end = tokio::time::sleep(Duration::from_secs(seconds.unwrap_or(3_155_760_000)));
    tokio::pin!(end);
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut reading = true;
    loop {
        tokio::select! {
            () = &mut end => break,
            line = lines.next_line(), if reading => match line? {
                Some(line) => socket.send(Message::text(line)).await?,
                None => reading = false,
            },
            message = socket.next() => match message {
                Some(Ok(Message::Text(frame))) => say(&frame),
                Some(Ok(Message::Close(reason))) => {
                    let code = reason.map_or(1005, |reason| u16::from(reason.code));
                    bail!("the server closed the socket with {code}");
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error).context("the socket broke"),
                None => bail!("the server closed the socket"),
            },
        }
    }
    Ok(socket.close().await?)
}

/// Prints a new id for a message or an `Idempotency-Key`.
pub fn id() {
    say(&new_command_id(&SystemEntropy, SystemClock.now()).to_string());
}

async fn post(url: &str, token: Option<&str>, body: Value) -> anyhow::Result<Value> {
    let mut request = reqwest::Client::new()
        .post(url)
        .header("content-type", "application/json")
        .body(body.to_string());
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let response = request.send().await.with_context(|| format!("no answer from {url}"))?;
    let status = response.status();
    let answer: Value =
        serde_json::from_str(&response.text().await?).unwrap_or(Value::Null);
    if !status.is_success() {
        let detail = answer["detail"].as_str().unwrap_or("no reason was given");
        bail!("{url} answered {status}: {detail}");
    }
    Ok(answer)
}

fn text(answer: &Value, field: &str) -> anyhow::Result<String> {
    let text = answer[field].as_str().with_context(|| format!("the answer has no `{field}`"))?;
    Ok(text.to_owned())
}

fn without_nulls(mut frame: Value) -> Value {
    if let Some(fields) = frame.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    frame
}

#[expect(clippy::print_stdout, reason = "frames are the command's output")]
fn say(line: &str) {
    println!("{line}");
}
