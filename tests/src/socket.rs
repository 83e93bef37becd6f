//! A WebSocket client that knows api.md.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest, protocol::CloseFrame},
};

use crate::Client;

/// How long a frame may take before a test gives up; far above what it takes.
const FRAME: Duration = Duration::from_secs(15);

/// A connection, with or without TLS.
trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// An open socket.
pub struct Socket {
    stream: Box<WebSocketStream<Box<dyn Io>>>,
    /// The `welcome` frame.
    pub welcome: Value,
    /// The `heads` items that came with it.
    pub heads: Vec<Value>,
    /// Whether these were not all, because some partitions lag: their heads follow.
    pub behind: bool,
    /// Every text frame that came, byte for byte.
    pub seen: Vec<String>,
    /// Frames that came while another was awaited.
    pending: std::collections::VecDeque<Value>,
    refs: u64,
}

/// What a socket brought.
#[derive(Debug, Clone, PartialEq)]
pub enum Incoming {
    /// A frame.
    Frame(Value),
    /// It was closed, with a code where there was one.
    Closed(Option<u16>),
}

impl Socket {
    /// Opens a socket with a ticket, up to its first `heads`.
    pub async fn open(client: &Client) -> Result<Self> {
        Self::open_since(client, None).await
    }

    /// Opens a socket that continues after a position.
    pub async fn open_since(client: &Client, since: Option<&str>) -> Result<Self> {
        let answer = client.post("/v1/ws/tickets", json!({})).await?;
        if answer.status != 201 {
            bail!("no ticket: {}", answer.text);
        }
        let mut socket = Self::raw(client, &[]).await?;
        let mut hello = json!({"type": "hello", "ticket": answer.json()["ticket"]});
        if let Some(since) = since {
            hello["since"] = since.into();
        }
        socket.send(hello).await?;
        socket.greet().await?;
        Ok(socket)
    }

    /// Opens a socket and sends nothing.
    pub async fn raw(client: &Client, headers: &[(&'static str, &str)]) -> Result<Self> {
        // `https` becomes `wss`, and `http` becomes `ws`.
        let url = format!("{}/v1/ws", client.base.replacen("http", "ws", 1));
        let mut request = url.into_client_request()?;
        request.headers_mut().insert("sec-websocket-protocol", "verbatim.v1".parse()?);
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse()?);
        }
        let opened = async {
            let io = connect(client).await?;
            anyhow::Ok(tokio_tungstenite::client_async(request, io).await?)
        };
        let (stream, _) = timeout(FRAME, Box::pin(opened)).await.context("no handshake")??;
        Ok(Self {
            stream: Box::new(stream),
            welcome: Value::Null,
            heads: Vec::new(),
            behind: false,
            seen: Vec::new(),
            pending: std::collections::VecDeque::new(),
            refs: 0,
        })
    }

    /// Reads `welcome` and the first `heads`.
    pub async fn greet(&mut self) -> Result<()> {
        self.welcome = self.expect("welcome").await?;
        loop {
            let heads = self.expect("heads").await?;
            let items = heads["items"].as_array().context("heads without items")?;
            self.behind |= heads["behind"] == true;
            self.heads.extend(items.iter().cloned());
            if items.len() < 200 || self.heads.len() >= 500 {
                return Ok(());
            }
        }
    }

    /// Sends a frame.
    pub async fn send(&mut self, frame: Value) -> Result<()> {
        self.send_raw(Message::text(frame.to_string())).await
    }

    /// Sends any message.
    pub async fn send_raw(&mut self, message: Message) -> Result<()> {
        Ok(self.stream.send(message).await?)
    }

    /// Sends the beginning of a frame, as a network that fails in the middle of it does.
    pub async fn send_half_a_frame(&mut self) -> Result<()> {
        // A masked text frame of 256 bytes, of which two come.
        let begun = [0x81, 0xFE, 0x01, 0x00, 1, 2, 3, 4, b'{' ^ 1, b'"' ^ 2];
        Ok(self.stream.get_mut().write_all(&begun).await?)
    }

    /// Sends a frame with a `ref` and waits for its answer (`ack`, `error` or `entries`); what comes
    /// before it is kept for later.
    pub async fn ask(&mut self, mut frame: Value) -> Result<Value> {
        self.refs += 1;
        let reference = format!("r{}", self.refs);
        frame["ref"] = reference.clone().into();
        self.send(frame).await?;
        self.wait_for(|frame| frame["ref"] == reference.as_str()).await
    }

    /// Sends a message and waits for its answer.
    pub async fn say(&mut self, conversation: &str, text: &str) -> Result<Value> {
        self.say_as(conversation, &crate::new_id(), text).await
    }

    /// As [`Self::say`], under an id.
    pub async fn say_as(&mut self, conversation: &str, id: &str, text: &str) -> Result<Value> {
        self.ask(json!({"type": "send", "conversation_id": conversation, "id": id, "text": text}))
            .await
    }

    /// The next frame of a type; others are kept for later.
    pub async fn expect(&mut self, frame_type: &str) -> Result<Value> {
        self.wait_for(|frame| frame["type"] == frame_type)
            .await
            .with_context(|| format!("waiting for {frame_type}"))
    }

    /// The next frame that fits; others are kept for later, in order.
    pub async fn wait_for(&mut self, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        if let Some(place) = self.pending.iter().position(&fits) {
            return self.pending.remove(place).context("it was just there");
        }
        loop {
            match self.incoming().await? {
                Incoming::Frame(frame) if fits(&frame) => return Ok(frame),
                Incoming::Frame(frame) => self.pending.push_back(frame),
                Incoming::Closed(code) => bail!("closed with {code:?}; had {:?}", self.pending),
            }
        }
    }

    /// What comes next from the wire.
    pub async fn incoming(&mut self) -> Result<Incoming> {
        timeout(FRAME, self.read()).await.context("nothing came")?
    }

    /// What comes within a while; none when nothing does.
    pub async fn within(&mut self, wait: Duration) -> Result<Option<Incoming>> {
        if let Some(frame) = self.pending.pop_front() {
            return Ok(Some(Incoming::Frame(frame)));
        }
        match timeout(wait, self.read()).await {
            Ok(incoming) => incoming.map(Some),
            Err(_) => Ok(None),
        }
    }

    /// Reads until the socket is closed; the code.
    pub async fn closed(&mut self) -> Result<Option<u16>> {
        loop {
            if let Incoming::Closed(code) = self.incoming().await? {
                return Ok(code);
            }
        }
    }

    async fn read(&mut self) -> Result<Incoming> {
        loop {
            return Ok(match self.stream.next().await {
                Some(Ok(Message::Text(text))) => {
                    self.seen.push(text.to_string());
                    Incoming::Frame(serde_json::from_str(&text)?)
                }
                Some(Ok(Message::Close(frame))) => {
                    Incoming::Closed(frame.map(|CloseFrame { code, .. }| code.into()))
                }
                Some(Ok(_)) => continue,
                Some(Err(_)) | None => Incoming::Closed(None),
            });
        }
    }

    /// Closes the socket in good order.
    pub async fn close(mut self) -> Result<()> {
        self.stream.close(None).await?;
        while let Some(Ok(_)) = self.stream.next().await {}
        Ok(())
    }
}

async fn connect(client: &Client) -> Result<Box<dyn Io>> {
    let (_, address) = client.base.split_once("://").context("no address")?;
    let stream = TcpStream::connect(address).await?;
    let Some(tls) = client.tls() else { return Ok(Box::new(stream)) };
    let (host, _) = address.rsplit_once(':').context("no port")?;
    let name = host.to_owned().try_into()?;
    Ok(Box::new(TlsConnector::from(tls).connect(name, stream).await?))
}
