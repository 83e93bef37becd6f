//! One connection, from its accept to its end or upgrade.

use std::convert::Infallible;
use std::future::Ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::future::RouteFuture;
use futures_util::future::Either;
use http::{HeaderMap, Request, Response, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use verbatim_http::{ConnectionPermit, Held, problem_response};
use verbatim_schemas::{Code, Problem};

use super::Acceptor;
use crate::shutdown::Shutdown;

/// The largest head that is read at all. Between the configured bound and this one a request gets
/// a full answer; beyond it a bare 431.
const HEAD_BUFFER: usize = 64 * 1024;

/// How long sent data may stay untaken (RFC 5482). Above the time that a WebSocket's backlog may
/// wait by default, so that a socket is closed by the gateway, with a reason.
const STALLED: Duration = Duration::from_secs(60);

/// How long an answer may take where no request was read.
const LAST_WORD: Duration = Duration::from_secs(1);

/// Starts a task for a connection, or turns it away when there is no room.
pub(super) fn admit(
    acceptor: &Arc<Acceptor>,
    room: &Arc<Semaphore>,
    stream: TcpStream,
    peer: SocketAddr,
    shutdown: &Shutdown,
    cut: &Shutdown,
) {
    let Ok(permit) = Arc::clone(room).try_acquire_owned() else {
        metrics::counter!("verbatim_connections_refused_total").increment(1);
        if acceptor.tls.is_none() {
            turn_away(&stream);
        }
        return;
    };
    // A client that is gone already makes no difference.
    let _ = stream.set_nodelay(true);
    end_when_stalled(&stream);
    let permit = ConnectionPermit::new(permit);
    let (acceptor, shutdown, mut cut) = (Arc::clone(acceptor), shutdown.clone(), cut.clone());
    tokio::spawn(async move {
        tokio::select! {
            () = run(acceptor, stream, peer, permit, shutdown) => {}
            () = cut.begun() => {}
        }
    });
}

async fn run(
    acceptor: Arc<Acceptor>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: ConnectionPermit,
    shutdown: Shutdown,
) {
    let service = Service { router: acceptor.router.clone(), peer, permit, acceptor };
    let Some(tls) = service.acceptor.tls.as_ref().map(|files| files.acceptor()) else {
        return serve(stream, service, shutdown).await;
    };
    let patience = service.acceptor.limits.handshake_timeout;
    match tokio::time::timeout(patience, Box::pin(tls.accept(stream))).await {
        Ok(Ok(stream)) => serve(stream, service, shutdown).await,
        Ok(Err(error)) => tracing::debug!("TLS handshake: {error}"),
        Err(_) => tracing::debug!("TLS handshake: too slow"),
    }
}

async fn serve<S>(stream: S, service: Service, mut shutdown: Shutdown)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (stream, holder) = Held::new(stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(service.acceptor.limits.header_timeout)
        .max_buf_size(HEAD_BUFFER)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = Box::pin(connection);
    let outcome = tokio::select! {
        outcome = connection.as_mut() => outcome,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    let Err(error) = outcome else { return };
    tracing::debug!("connection: {error}");
    if let Some(mut stream) = holder.unanswered().filter(|_| error.is_timeout()) {
        drop(connection);
        let late = bare_answer("408 Request Timeout", &Code::Timeout.into());
        let _ = tokio::time::timeout(LAST_WORD, async {
            stream.write_all(late.as_bytes()).await?;
            stream.shutdown().await
        })
        .await;
    }
}

/// Lets the kernel end a connection whose client takes nothing for [`STALLED`], so that nobody
/// holds a place by asking and not reading.
fn end_when_stalled(stream: &TcpStream) {
    #[cfg(target_os = "linux")]
    {
        let millis = u32::try_from(STALLED.as_millis()).unwrap_or(u32::MAX);
        let _ = rustix::net::sockopt::set_tcp_user_timeout(stream, millis);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = stream;
}

/// Answers 503 without reading anything. If the client's window is closed, it gets nothing.
fn turn_away(stream: &TcpStream) {
    let problem = Problem::new(Code::Unavailable)
        .detail("too many connections: try again in a second")
        .retry_after_ms(1000);
    let answer = bare_answer("503 Service Unavailable\r\nretry-after: 1", &problem);
    let _ = stream.try_write(answer.as_bytes());
}

/// An answer where no request was read, after which the connection ends.
fn bare_answer(status: &str, problem: &Problem) -> String {
    let body = serde_json::to_string(&problem.body()).unwrap_or_default();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/problem+json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// Puts the client's address into each request and hands it to the router.
struct Service {
    router: Router,
    peer: SocketAddr,
    permit: ConnectionPermit,
    acceptor: Arc<Acceptor>,
}

impl hyper::service::Service<Request<Incoming>> for Service {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<RouteFuture<Infallible>, Ready<Result<Response<Body>, Infallible>>>;

    fn call(&self, mut request: Request<Incoming>) -> Self::Future {
        let limit = self.acceptor.limits.header_limit;
        if head_size(request.uri(), request.headers()) > limit {
            return Either::Right(std::future::ready(Ok(headers_too_large(limit))));
        }
        // RFC 9112, section 3.2.
        let hosts = request.headers().get_all(http::header::HOST).iter().count();
        if hosts > 1 || (hosts == 0 && request.version() > http::Version::HTTP_10) {
            return Either::Right(std::future::ready(Ok(no_host())));
        }
        let client = self.acceptor.proxies.client(self.peer.ip(), request.headers());
        let extensions = request.extensions_mut();
        extensions.insert(client);
        extensions.insert(self.acceptor.limits.body);
        extensions.insert(self.permit.clone());
        Either::Left(tower_service::Service::call(&mut self.router.clone(), request))
    }
}

/// The bytes of request line and headers as they were sent, but for the method and blanks.
fn head_size(uri: &Uri, headers: &HeaderMap) -> usize {
    const REQUEST_LINE: usize = "GET  HTTP/1.1\r\n\r\n".len();
    const HEADER_LINE: usize = ": \r\n".len();
    let target = uri.path_and_query().map_or(1, |target| target.as_str().len());
    headers.iter().fold(REQUEST_LINE + target, |size, (name, value)| {
        size + HEADER_LINE + name.as_str().len() + value.len()
    })
}

fn no_host() -> Response<Body> {
    problem_response(&Problem::new(Code::Malformed).detail("send one Host header"))
}

fn headers_too_large(limit: usize) -> Response<Body> {
    let detail = format!("send at most {limit} bytes of request line and headers");
    problem_response(&Problem::new(Code::HeadersTooLarge).detail(detail))
}
