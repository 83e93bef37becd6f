//! Against tungstenite as the client, over loopback sockets: hyper takes the upgrade, our handshake
//! judges it, and a small echo session runs on [`Socket`].

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::{Request, Response, StatusCode};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async};

use super::super::handshake::upgrade;
use super::super::{
    CloseCode, Decoder, Event, PING, ReadError, ReadOutcome, Socket, Transport, encode_close,
    encode_ping, encode_pong, encode_text,
};
use super::{FIN, TEXT, frame};

const PATIENCE: Duration = Duration::from_secs(20);

/// Echoes texts; some of them are orders.
#[derive(Default)]
struct Echo {
    queue: VecDeque<Bytes>,
    offset: usize,
    closing: bool,
    blocked: usize,
}

impl Echo {
    fn receive(&mut self, event: Event<'_>) -> ControlFlow<()> {
        match event {
            Event::Text(text) => match text.split_once(' ') {
                Some(("burst", count)) => {
                    let numbers = 0..count.parse::<u32>().unwrap();
                    self.queue.extend(numbers.map(|n| encode_text(numbered(n).as_bytes())));
                }
                Some(("ping", "")) => self.queue.push_back(PING),
                Some(("ping", payload)) => self.queue.push_back(encode_ping(payload.as_bytes())),
                Some(("close", reason)) => {
                    self.queue.push_back(encode_close(Some(CloseCode::RESTART), reason));
                }
                _ => self.queue.push_back(encode_text(text.as_bytes())),
            },
            Event::Ping(payload) => self.queue.push_back(encode_pong(&payload)),
            Event::Pong => self.queue.push_back(encode_text(b"pong seen")),
            Event::Close { code, reason } => {
                self.queue.push_back(encode_close(code, &reason));
                self.closing = true;
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Reads and writes what is possible; ready when both sides have ended.
    fn poll<S: AsyncRead + AsyncWrite + Unpin>(
        &mut self,
        socket: &mut Socket<S>,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            match socket.poll_events(cx, |event| self.receive(event)) {
                Poll::Pending => break,
                Poll::Ready(Ok(ReadOutcome::Eof)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(ReadError::Io(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(Err(ReadError::Decode(error))) => {
                    let close = encode_close(Some(error.close_code()), &error.to_string());
                    self.queue.push_back(close);
                    self.closing = true;
                }
            }
        }
        let written = socket.poll_write_queue(cx, &mut self.queue, &mut self.offset)?;
        self.blocked += usize::from(!written.done);
        if written.done && self.closing {
            // The waker stays with the read, which sees the client's end.
            let _ended = socket.poll_shutdown(cx)?;
        }
        Poll::Pending
    }
}

/// What a server tells about one connection.
#[derive(Debug)]
struct Report {
    /// Bytes that the upgrade had read already.
    leftover: usize,
    ended: io::Result<()>,
    /// What the socket kept.
    buffered: usize,
    /// How often the stream was full.
    blocked: usize,
}

/// A text of 500 bytes.
fn numbered(number: u32) -> String {
    format!("{number:0>500}")
}

/// A server for one connection on a port of its own.
async fn serve(tls: Option<TlsAcceptor>) -> (SocketAddr, oneshot::Receiver<Report>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (report, reported) = oneshot::channel();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let transport = match tls {
            None => Transport::Plain(stream),
            Some(tls) => Transport::Tls(Box::new(tls.accept(stream).await.unwrap())),
        };
        let report = Arc::new(std::sync::Mutex::new(Some(report)));
        let service = service_fn(move |request| answer(request, report.clone()));
        let http = hyper::server::conn::http1::Builder::new();
        let _served = http.serve_connection(TokioIo::new(transport), service).with_upgrades().await;
    });
    (address, reported)
}

type Reporter = Arc<std::sync::Mutex<Option<oneshot::Sender<Report>>>>;

async fn answer(
    mut request: Request<Incoming>,
    report: Reporter,
) -> Result<Response<Empty<Bytes>>, http::Error> {
    let mut response = Response::new(Empty::new());
    match upgrade(request.method(), request.headers()) {
        Ok(granted) => {
            *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
            *response.headers_mut() = granted.headers();
            let upgraded = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let parts = upgraded.await.unwrap().downcast::<TokioIo<Transport>>().unwrap();
                let leftover = parts.read_buf.len();
                let transport = parts.io.into_inner();
                let mut socket = Socket::new(transport, Decoder::default(), parts.read_buf);
                let mut echo = Echo::default();
                let ended = poll_fn(|cx| echo.poll(&mut socket, cx)).await;
                let reporter = report.lock().unwrap().take().unwrap();
                let (buffered, blocked) = (socket.buffered(), echo.blocked);
                reporter.send(Report { leftover, ended, buffered, blocked }).unwrap();
            });
        }
        Err(error) => {
            *response.status_mut() = error.status();
            *response.headers_mut() = error.headers();
        }
    }
    Ok(response)
}

trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}
impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

type Client = WebSocketStream<Box<dyn Stream>>;

async fn connect(tls: bool) -> (Client, oneshot::Receiver<Report>) {
    let (stream, reported) = if tls {
        let (acceptor, connector) = tls_pair();
        let (address, reported) = serve(Some(acceptor)).await;
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = connector.connect(name, tcp).await.unwrap();
        (Box::new(stream) as Box<dyn Stream>, reported)
    } else {
        let (address, reported) = serve(None).await;
        (Box::new(TcpStream::connect(address).await.unwrap()) as Box<dyn Stream>, reported)
    };
    let mut request = "ws://localhost/v1/ws".into_client_request().unwrap();
    let offered = "other, verbatim.v1".parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", offered);
    let (client, response) = client_async(request, stream).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "verbatim.v1");
    (client, reported)
}

fn tls_pair() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

async fn patiently<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.expect("within the time")
}

async fn next(client: &mut Client) -> Message {
    patiently(client.next()).await.unwrap().unwrap()
}

async fn send(client: &mut Client, message: Message) {
    patiently(client.send(message)).await.unwrap();
}

/// Closes from the client's side, and checks that the server ended well and kept nothing.
async fn close(mut client: Client, reported: oneshot::Receiver<Report>) -> Report {
    let close = CloseFrame { code: 1000.into(), reason: "done".into() };
    send(&mut client, Message::Close(Some(close.clone()))).await;
    assert_eq!(next(&mut client).await, Message::Close(Some(close)));
    assert!(matches!(patiently(client.next()).await, None | Some(Err(Error::ConnectionClosed))));
    drop(client);
    let report = patiently(reported).await.unwrap();
    assert!(report.ended.is_ok() && report.buffered == 0, "{report:?}");
    report
}

async fn everything_is_understood(tls: bool) {
    let (mut client, reported) = connect(tls).await;
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 128 * 1024] {
        let text = "ä".repeat(length / 2) + &"x".repeat(length % 2);
        send(&mut client, Message::text(&text)).await;
        assert_eq!(next(&mut client).await, Message::text(text));
    }

    send(&mut client, Message::Ping(Bytes::from_static(b"are you there"))).await;
    assert_eq!(next(&mut client).await, Message::Pong(Bytes::from_static(b"are you there")));

    // The client answers pings by itself.
    for payload in ["", "payload"] {
        send(&mut client, Message::text(format!("ping {payload}"))).await;
        assert_eq!(next(&mut client).await, Message::Ping(payload.into()));
        assert_eq!(next(&mut client).await, Message::text("pong seen"));
    }

    let pieces = ["one ", "two ", "three"];
    for (index, piece) in pieces.iter().enumerate() {
        let kind = if index == 0 { Data::Text } else { Data::Continue };
        let frame = Frame::message(*piece, OpCode::Data(kind), index == 2);
        send(&mut client, Message::Frame(frame)).await;
    }
    assert_eq!(next(&mut client).await, Message::text("one two three"));
    close(client, reported).await;
}

async fn a_burst_arrives_in_order(tls: bool) {
    let (mut client, reported) = connect(tls).await;
    // More than the kernel buffers, so that frames are written in part.
    send(&mut client, Message::text("burst 40000")).await;
    for number in 0..40_000 {
        assert_eq!(next(&mut client).await, Message::text(numbered(number)));
    }
    assert!(close(client, reported).await.blocked > 0);
}

#[tokio::test]
async fn a_plain_socket_understands_everything() {
    everything_is_understood(false).await;
}

#[tokio::test]
async fn a_tls_socket_understands_everything() {
    everything_is_understood(true).await;
}

#[tokio::test]
async fn a_burst_that_fills_a_plain_socket_arrives_in_order() {
    a_burst_arrives_in_order(false).await;
}

#[tokio::test]
async fn a_burst_that_fills_a_tls_socket_arrives_in_order() {
    a_burst_arrives_in_order(true).await;
}

#[tokio::test]
async fn the_server_can_close_first() {
    let (mut client, reported) = connect(false).await;
    send(&mut client, Message::text("close come back")).await;
    let close = CloseFrame { code: 1012.into(), reason: "come back".into() };
    assert_eq!(next(&mut client).await, Message::Close(Some(close)));
    let _flushed = patiently(client.close(None)).await;
    drop(client);
    assert!(patiently(reported).await.unwrap().ended.is_ok());
}

#[tokio::test]
async fn what_is_not_accepted_is_closed_with_its_code() {
    for (message, code) in [
        (Message::binary(vec![1]), 1003),
        (Message::text("x".repeat(128 * 1024 + 1)), 1009),
        (Message::Frame(Frame::message(vec![0xff], OpCode::Data(Data::Text), true)), 1007),
        (Message::Frame(Frame::message("a", OpCode::Data(Data::Continue), true)), 1002),
    ] {
        let (mut client, reported) = connect(false).await;
        send(&mut client, message).await;
        let Message::Close(Some(close)) = next(&mut client).await else { panic!("no close") };
        assert_eq!(u16::from(close.code), code);
        drop(client);
        assert_eq!(patiently(reported).await.unwrap().buffered, 0);
    }
}

const REQUEST: &str = "GET /v1/ws HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\n\
    connection: upgrade\r\nsec-websocket-version: 13\r\n\
    sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

#[tokio::test]
async fn frames_right_behind_the_request_are_not_lost() {
    let (address, reported) = serve(None).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let mut bytes = format!("{REQUEST}\r\n").into_bytes();
    let early = frame(FIN | TEXT, b"early");
    let (whole, cut) = (early.clone(), &early[..4]);
    bytes.extend(whole);
    bytes.extend(cut);
    stream.write_all(&bytes).await.unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\x81\x05early") {
        assert!(patiently(stream.read_buf(&mut answer)).await.unwrap() > 0);
    }
    stream.write_all(&early[4..]).await.unwrap();
    let mut second = [0; 7];
    patiently(stream.read_exact(&mut second)).await.unwrap();
    assert_eq!(&second, b"\x81\x05early");
    drop(stream);
    let report = patiently(reported).await.unwrap();
    assert_eq!(report.leftover, early.len() + 4);
    assert!(report.ended.is_ok());
}

#[tokio::test]
async fn a_refused_upgrade_gets_its_answer() {
    let (address, _reported) = serve(None).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = REQUEST.replace("version: 13", "version: 8") + "connection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    patiently(stream.read_to_string(&mut answer)).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
    assert!(answer.contains("sec-websocket-version: 13\r\n"), "{answer}");
}
