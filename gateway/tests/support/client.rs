//! A client that knows the protocol.

use std::{collections::VecDeque, net::SocketAddr, time::Duration};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Error, Message,
        client::IntoClientRequest,
        http::{HeaderName, HeaderValue, Response, StatusCode},
    },
};

/// Long enough for the slowest machine; nothing waits for it but a failing test.
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Socket {
    pub ws: WebSocketStream<MaybeTlsStream<TcpStream>>,
    seen: VecDeque<Value>,
    pub welcome: Value,
    pub heads: Vec<Value>,
    next_ref: u64,
}

/// What the server answered instead of 101.
pub type Refusal = Response<Option<Vec<u8>>>;

impl Socket {
    /// Opens a socket without a frame.
    pub async fn raw(
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, Box<Refusal>> {
        let mut request = format!("ws://{address}/v1/ws").into_client_request().unwrap();
        for (name, value) in headers {
            let value = HeaderValue::from_str(value).unwrap();
            request.headers_mut().insert(HeaderName::from_static(name), value);
        }
        match tokio::time::timeout(PATIENCE, connect_async(request)).await.unwrap() {
            Ok((ws, _)) => Ok(Self {
                ws,
                seen: VecDeque::new(),
                welcome: Value::Null,
                heads: Vec::new(),
                next_ref: 0,
            }),
            Err(Error::Http(response)) => Err(response),
            Err(error) => panic!("{error}"),
        }
    }

    /// The status that a handshake is refused with, and the problem's code.
    pub async fn refused(
        address: SocketAddr,
        headers: &[(&'static str, &str)],
    ) -> (StatusCode, String) {
        let Err(response) = Self::raw(address, headers).await else { panic!("it was opened") };
        let body: Value =
            serde_json::from_slice(response.body().as_deref().unwrap_or(b"{}")).unwrap_or_default();
        (response.status(), body["code"].as_str().unwrap_or_default().to_owned())
    }

    /// Opens a socket with a token, up to the first `heads`.
    pub async fn open(address: SocketAddr, token: &str, since: Option<&str>) -> Self {
        let authorization = format!("Bearer {token}");
        let Ok(mut socket) = Self::raw(address, &[("authorization", &authorization)]).await else {
            panic!("the handshake was refused")
        };
        socket.send(json!({"type": "hello", "since": since})).await;
        socket.greet().await;
        socket
    }

    pub async fn greet(&mut self) {
        self.welcome = self.expect("welcome").await;
        loop {
            let frame = self.expect("heads").await;
            let items = frame["items"].as_array().unwrap();
            self.heads.extend(items.iter().cloned());
            if items.len() < 200 {
                break;
            }
        }
    }

    pub fn position(&self) -> &str {
        self.welcome["position"].as_str().unwrap()
    }

    pub async fn send(&mut self, frame: Value) {
        self.text(&frame.to_string()).await;
    }

    pub async fn text(&mut self, text: &str) {
        self.ws.send(Message::text(text)).await.unwrap();
    }

    /// Sends a frame and waits for its answer; what comes before it is kept.
    pub async fn ask(&mut self, mut frame: Value) -> Value {
        self.next_ref += 1;
        let reference = format!("r{}", self.next_ref);
        frame["ref"] = json!(reference);
        self.send(frame).await;
        let mut before = VecDeque::new();
        loop {
            let frame = self.next().await;
            if frame["ref"] == reference.as_str() {
                before.append(&mut self.seen);
                self.seen = before;
                return frame;
            }
            before.push_back(frame);
        }
    }

    /// The next frame that is text.
    pub async fn next(&mut self) -> Value {
        match self.incoming().await {
            Ok(frame) => frame,
            Err(code) => panic!("closed with {code}"),
        }
    }

    async fn incoming(&mut self) -> Result<Value, u16> {
        if let Some(frame) = self.seen.pop_front() {
            return Ok(frame);
        }
        loop {
            let message = tokio::time::timeout(PATIENCE, self.ws.next()).await;
            match message.expect("nothing came") {
                Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => {
                    return Err(frame.map_or(1005, |frame| frame.code.into()));
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(1006),
            }
        }
    }

    /// The next frame, which has to be of this type.
    pub async fn expect(&mut self, frame_type: &str) -> Value {
        let frame = self.next().await;
        assert_eq!(frame["type"], frame_type, "{frame}");
        frame
    }

    /// Reads on until a frame of this type.
    pub async fn until(&mut self, frame_type: &str) -> Value {
        loop {
            let frame = self.next().await;
            if frame["type"] == frame_type {
                return frame;
            }
        }
    }

    /// The last frame and the code that the server closes with.
    pub async fn closed(&mut self) -> (Value, u16) {
        let mut last = Value::Null;
        loop {
            match self.incoming().await {
                Ok(frame) => last = frame,
                Err(code) => return (last, code),
            }
        }
    }

    /// Sees to it that everything the server has put out so far was read, and gives it: what a ping
    /// of the application's own layer would do.
    pub async fn drained(&mut self) -> Vec<Value> {
        let ack = self.ask(json!({"type": "unwatch", "users": []})).await;
        assert_eq!(ack["type"], "ack", "{ack}");
        self.seen.drain(..).collect()
    }
}
