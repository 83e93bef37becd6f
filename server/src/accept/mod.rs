//! The accept loop: TCP or TLS in, HTTP/1.1 with upgrades, everything bounded.
//!
//! An upgraded connection can be taken back as its raw stream: the type beneath is exactly
//! [`PlainIo`] or [`TlsIo`]. What is deliberately absent: HTTP/2, since WebSockets and short
//! requests need none.

mod client_addr;
mod connection;
mod open_files;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use verbatim_http::{BodyLimits, Held};

pub use client_addr::TrustedProxies;
pub use open_files::connections_allowed;
pub use verbatim_http::ConnectionPermit;

use crate::shutdown::Shutdown;
use crate::tls::TlsFiles;

/// The stream beneath a plain connection, for `hyper::upgrade::Upgraded::downcast`.
pub type PlainIo = TokioIo<Held<TcpStream>>;

/// The stream beneath a TLS connection, for `hyper::upgrade::Upgraded::downcast`.
pub type TlsIo = TokioIo<Held<tokio_rustls::server::TlsStream<TcpStream>>>;

/// The first pause after a failed accept, doubled up to [`MAX_PAUSE`] while it fails.
const MIN_PAUSE: Duration = Duration::from_millis(5);

/// The longest pause after a failed accept.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// How long connections that are cut off may take to be gone.
const CUT_WITHIN: Duration = Duration::from_secs(1);

/// Bounds of connections.
#[derive(Debug, Clone, Copy)]
pub struct AcceptLimits {
    /// Connections at once, upgraded ones included while their [`ConnectionPermit`] is held.
    pub connections: u32,
    /// Bytes of request line and headers; more answers 431.
    pub header_limit: usize,
    /// Time for the headers to arrive, after which 408 is answered; also how long an idle connection
    /// stays.
    pub header_timeout: Duration,
    /// Time for the TLS handshake.
    pub handshake_timeout: Duration,
    /// Bounds of request bodies, kept by those who read them.
    pub body: BodyLimits,
}

/// What is served and how.
pub struct Acceptor {
    /// Answers the requests. Each one carries `ClientAddr`, [`BodyLimits`] and
    /// [`ConnectionPermit`] in its extensions.
    pub router: Router,
    /// The certificate, or none for plain HTTP.
    pub tls: Option<Arc<TlsFiles>>,
    /// Whose `X-Forwarded-For` is believed.
    pub proxies: TrustedProxies,
    /// The bounds.
    pub limits: AcceptLimits,
}

/// How the draining ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every connection ended by itself.
    Fully,
    /// So many connections were still open at the limit.
    CutOff(usize),
}

impl Acceptor {
    /// Serves until the shutdown begins; then accepts no more, lets requests end, closes idle
    /// connections, and returns when all are gone or `drain` is over. A failing accept (too many
    /// open files, for one) pauses and goes on.
    pub async fn serve(
        self,
        listener: TcpListener,
        mut shutdown: Shutdown,
        drain: Duration,
    ) -> Drained {
        let total = self.limits.connections;
        let room = Arc::new(Semaphore::new(total as usize));
        let shared = Arc::new(self);
        let (cut_off, cut) = crate::shutdown::channel();
        let mut pause = MIN_PAUSE;
        loop {
            let accepted = tokio::select! {
                biased;
                () = shutdown.begun() => break,
                accepted = listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, peer)) => {
                    pause = MIN_PAUSE;
                    connection::admit(&shared, &room, stream, peer, &shutdown, &cut);
                }
                Err(error) if is_the_clients(&error) => {}
                Err(error) => {
                    tracing::warn!("cannot accept, pausing {pause:?}: {error}");
                    tokio::select! {
                        () = shutdown.begun() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
        drop(listener);
        match tokio::time::timeout(drain, room.acquire_many(total)).await {
            Ok(_) => Drained::Fully,
            Err(_) => {
                let left = total as usize - room.available_permits();
                cut_off.begin();
                // What they held goes with them, the stores among it. A socket's end is the gateway's matter.
                let _ = tokio::time::timeout(CUT_WITHIN, room.acquire_many(total)).await;
                Drained::CutOff(left)
            }
        }
    }
}

/// Errors of one connection that was gone before it was accepted.
fn is_the_clients(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

#[cfg(test)]
mod tests;
