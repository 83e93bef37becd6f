//! Opening a socket: `GET /v1/ws`.

use std::{
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, PoisonError, atomic::Ordering},
};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use hyper::upgrade::Upgraded;
use hyper_util::{rt::TokioIo, server::conn::auto};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;
use verbatim_http::{
    ClientAddr, ConnectionPermit, Held, bearer, caller::refused, problem_response,
};
use verbatim_ports::auth::Actor;
use verbatim_schemas::{Code, Problem};

use crate::{
    codec::{
        Transport,
        handshake::{UpgradeError, upgrade},
    },
    gateway::Routed,
    session::Connection,
    shared::Shared,
};

/// A socket that is counted: among all, among those of its address, and while it is not signed in
/// among those that connect. The counts end with it.
pub(crate) struct Admission {
    shared: Arc<Shared>,
    address: IpAddr,
    connecting: bool,
    /// The server counts the connection for as long as the socket lives.
    _connection: Option<ConnectionPermit>,
}

impl Admission {
    fn new(
        shared: &Arc<Shared>,
        address: IpAddr,
        connection: Option<ConnectionPermit>,
    ) -> Result<Self, Problem> {
        let config = &shared.config;
        {
            let mut addresses = shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
            let count = addresses.entry(address).or_default();
            if *count >= config.sockets_per_address {
                return Err(Problem::new(Code::TooManyConnections).retry_after_ms(1_000));
            }
            *count += 1;
        }
        let open = shared.open.fetch_add(1, Ordering::AcqRel);
        let connecting = shared.connecting.fetch_add(1, Ordering::AcqRel);
        let admission =
            Self { shared: shared.clone(), address, connecting: true, _connection: connection };
        if open >= config.sockets || connecting >= config.connecting {
            return Err(unavailable(shared));
        }
        Ok(admission)
    }

    /// The socket is signed in.
    pub(crate) fn signed_in(&mut self) {
        if std::mem::take(&mut self.connecting) {
            self.shared.connecting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

impl Drop for Admission {
    fn drop(&mut self) {
        self.signed_in();
        let mut addresses = self.shared.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = addresses.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                addresses.remove(&self.address);
            }
        }
        drop(addresses);
        self.shared.open.fetch_sub(1, Ordering::AcqRel);
        self.shared.ended.notify_waiters();
    }
}

fn unavailable(shared: &Shared) -> Problem {
    Problem::new(Code::Unavailable).retry_after_ms(1_000 + shared.jitter_ms())
}

/// Judges the handshake, answers 101, and serves the socket once the connection is handed over.
pub(crate) async fn open(State(Routed(shared)): State<Routed>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let (admission, actor, headers) = match judge(&shared, &parts).await {
        Ok(admitted) => admitted,
        Err(response) => return *response,
    };
    let on_upgrade = hyper::upgrade::on(Request::from_parts(parts, body));
    tokio::spawn(async move {
        match on_upgrade.await.map(transport) {
            Ok(Some((transport, leftover))) => {
                Connection::spawn(&shared, admission, actor, transport, &leftover);
            }
            Ok(None) => tracing::error!("a socket came over a stream that is not known here"),
            Err(error) => tracing::debug!(%error, "a socket was not opened after all"),
        }
    });
    (StatusCode::SWITCHING_PROTOCOLS, headers).into_response()
}

async fn judge(
    shared: &Arc<Shared>,
    request: &Parts,
) -> Result<(Admission, Option<Actor>, HeaderMap), Box<Response>> {
    let refuse = |problem: &Problem| Box::new(problem_response(problem));
    if shared.is_draining() || !shared.is_following() {
        return Err(refuse(&unavailable(shared)));
    }
    if !origin_allowed(&shared.config.origins, &request.headers) {
        let detail = "open sockets from a page of this server, or have the origin allowed";
        return Err(refuse(&Problem::new(Code::Forbidden).detail(detail)));
    }
    let granted =
        upgrade(&request.method, &request.headers).map_err(|error| Box::new(wrong(error)))?;
    let address = request.extensions.get::<ClientAddr>();
    let address = address.map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |ClientAddr(address)| *address);
    let connection = request.extensions.get::<ConnectionPermit>().cloned();
    let admission =
        Admission::new(shared, address, connection).map_err(|problem| refuse(&problem))?;
    let actor = if request.headers.contains_key(header::AUTHORIZATION) {
        let token = bearer(&request.headers);
        let token = token.ok_or_else(|| refuse(&Code::Unauthenticated.into()))?;
        let actor = shared.deps.auth.authenticate(token).await;
        Some(actor.map_err(|error| refuse(&refused(&error).0))?)
    } else {
        None
    };
    Ok((admission, actor, granted.headers()))
}

/// The answer to a request that is no upgrade to our protocol.
fn wrong(error: UpgradeError) -> Response {
    let problem = Problem::new(Code::Malformed).detail(error.to_string());
    let mut response = problem_response(&problem);
    *response.status_mut() = error.status();
    response.headers_mut().extend(error.headers());
    // RFC 9457, section 3.1.3: the body names the status that was sent, here RFC 6455's own.
    let mut body = problem.body();
    body.status = error.status().as_u16();
    *response.body_mut() = serde_json::to_vec(&body).unwrap_or_default().into();
    response
}

/// Browsers name the page's origin. It must be our own, as the Host header has it, or on the list.
fn origin_allowed(allowed: &[String], headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).iter();
    let (origin, None) = (origins.next(), origins.next()) else { return false };
    let Some(origin) = origin else { return true };
    let Ok(origin) = origin.to_str() else { return false };
    if allowed.iter().any(|one| one.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let authority = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    authority.zip(host).is_some_and(|(authority, host)| {
        let default_port = if origin.starts_with("https") { ":443" } else { ":80" };
        let bare = |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_owned();
        bare(authority).eq_ignore_ascii_case(&bare(host))
    })
}

/// The stream under an upgraded connection, and what was read behind the request.
fn transport(upgraded: Upgraded) -> Option<(Transport, Bytes)> {
    let upgraded = match upgraded.downcast::<TokioIo<Held<TcpStream>>>() {
        Ok(parts) => {
            return Some((Transport::Plain(parts.io.into_inner().into_inner()?), parts.read_buf));
        }
        Err(upgraded) => upgraded,
    };
    let upgraded = match upgraded.downcast::<TokioIo<Held<TlsStream<TcpStream>>>>() {
        Ok(parts) => {
            let stream = parts.io.into_inner().into_inner()?;
            return Some((Transport::Tls(Box::new(stream)), parts.read_buf));
        }
        Err(upgraded) => upgraded,
    };
    // A server that finds out the version of HTTP by itself has put the stream into another.
    let parts = auto::upgrade::downcast::<TokioIo<TcpStream>>(upgraded).ok()?;
    Some((Transport::Plain(parts.io.into_inner()), parts.read_buf))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn allowed(host: &'static str, origins: &[&'static str]) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_static(host));
        for origin in origins {
            headers.append(header::ORIGIN, HeaderValue::from_static(origin));
        }
        origin_allowed(&["https://app.example/".to_owned()], &headers)
    }

    #[test]
    fn only_our_own_pages_and_the_list_may_open_sockets() {
        assert!(allowed("chat.example", &[]), "not a browser");
        assert!(allowed("chat.example", &["https://chat.example"]));
        assert!(allowed("chat.example:443", &["https://chat.example"]));
        assert!(allowed("localhost:8080", &["http://localhost:8080"]));
        assert!(allowed("chat.example", &["https://app.example"]));
        for foreign in [
            &["https://evil.example"][..],
            &["null"],
            &["https://chat.example.evil.example"],
            &["http://chat.example:8080"],
            &["ftp://chat.example"],
            &["https://chat.example", "https://evil.example"],
        ] {
            assert!(!allowed("chat.example", foreign), "{foreign:?}");
        }
    }
}
