//! Requests that are wrong as HTTP: too large, too slow, cut short, of another method.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use tokio::{io::AsyncWriteExt, net::TcpStream};
use verbatim_schemas::routes::{ROUTES, Service};
use verbatim_tests::{
    new_id,
    wire::{self, Reply},
};

use super::target::{Target, refused};

#[tokio::test]
async fn g9_bodies_above_their_bound_with_and_without_a_length() -> Result<()> {
    let target = Target::start(&[]).await?;
    let line = format!("POST /v1/conversations/{}/messages", target.id);
    let json = ("content-type", "application/json");
    let large = vec![b' '; 256 * 1024 + 1];
    let reply = target.json(&line, &large).await?;
    refused("with a length", &reply, 413, "too_large", None);
    let declared = target.ask(&line, &[json, ("content-length", "999999999999")], b"").await?;
    refused("declared only", &declared, 413, "too_large", None);
    let mut chunked = Vec::new();
    for chunk in large.chunks(64 * 1024) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunked.extend([chunk, b"\r\n"].concat());
    }
    chunked.extend(b"0\r\n\r\n");
    let reply = target.ask(&line, &[json, ("transfer-encoding", "chunked")], &chunked).await?;
    refused("in chunks", &reply, 413, "too_large", None);
    // Where no body is wanted, too.
    let get = target.ask("GET /v1/unread", &[("content-length", "262145")], &large).await?;
    refused("of a read", &get, 413, "too_large", None);
    let mut fits = format!(r#"{{"id":"{}","text":"x"}}"#, new_id()).into_bytes();
    fits.resize(256 * 1024, b' ');
    assert_eq!(target.json(&line, &fits).await?.status, 201, "256 KiB fit");
    target.serves().await
}

#[tokio::test]
async fn g9_slow_and_broken_off_requests() -> Result<()> {
    let bounds =
        [("VERBATIM_HTTP_BODY_TIMEOUT", "300ms"), ("VERBATIM_HTTP_HEADER_TIMEOUT", "400ms")];
    let target = Target::start(&bounds).await?;
    let address = target.server.address();
    let line = format!("POST /v1/conversations/{}/messages", target.id);
    let head = |length: usize| {
        format!(
            "{line} HTTP/1.1\r\nhost: {address}\r\n{}: {}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\nconnection: close\r\n\r\n",
            target.bearer().0,
            target.bearer().1,
        )
    };
    let slow = wire::exchange(address, &[head(100).as_bytes(), b"{\"id\":"]).await?;
    refused("a body that stops", &slow, 408, "timeout", None);
    let nothing = wire::exchange(address, &[head(100).as_bytes()]).await?;
    refused("a body that does not come", &nothing, 408, "timeout", None);
    for part in ["GET", "GET /v1/unread HTTP/1.1\r\n", "GET /v1/unread HTTP/1.1\r\nhost: x\r\nx-a"]
    {
        let reply = wire::exchange(address, &[part.as_bytes()]).await?;
        refused(part, &reply, 408, "timeout", None);
    }
    let silent = wire::exchange(address, &[b""]).await?;
    assert_eq!(silent.status, 0, "who says nothing is told nothing");
    // Broken off in the middle, without a word.
    for keep in [3, 30, 200] {
        let mut stream = TcpStream::connect(address).await?;
        let bytes = [head(100).as_bytes(), b"{\"id\":"].concat();
        stream.write_all(&bytes[..keep]).await?;
        drop(stream);
    }
    let mut stream = TcpStream::connect(address).await?;
    stream.write_all(&[head(100).as_bytes(), b"{\"id\":"].concat()).await?;
    stream.shutdown().await?;
    target.serves().await
}

#[tokio::test]
async fn g9_what_is_no_http() -> Result<()> {
    let target = Target::start(&[("VERBATIM_HTTP_HEADER_TIMEOUT", "400ms")]).await?;
    let address = target.server.address();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"hello\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nhost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: x\r\nbad header\r\n\r\n",
        b"POST /v1/dev/tokens HTTP/1.1\r\nhost: x\r\ncontent-length: x\r\n\r\n",
        b"POST /v1/dev/tokens HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
        b"POST /v1/dev/tokens HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\r\n\r\n\r\n\r\n",
        &[0u8; 4096],
    ] {
        let reply = wire::exchange(address, &[bytes]).await?;
        let fine = reply.status == 0 || (400..=505).contains(&reply.status);
        assert!(fine && reply.status != 500, "{bytes:?}: {reply:?}");
    }
    target.serves().await
}

/// The methods of each path of the table.
fn methods() -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let mut methods = BTreeMap::<_, BTreeSet<_>>::new();
    for route in ROUTES.iter().filter(|route| route.service != Service::Metrics) {
        methods.entry(route.path).or_default().insert(route.method.as_str());
    }
    methods
}

fn allowed(reply: &Reply) -> BTreeSet<String> {
    let allow = reply.header("allow").unwrap_or_default();
    allow.split(',').map(|method| method.trim().to_owned()).collect()
}

#[tokio::test]
async fn g9_wrong_methods_say_which_are_right_and_unknown_routes_that_they_are() -> Result<()> {
    let target = Target::start(&[]).await?;
    for (path, own) in methods() {
        let filled = path.replace("{id}", &target.id).replace("{user_id}", "bob");
        let mut expected: BTreeSet<String> = own.iter().map(|&method| method.to_owned()).collect();
        if own.contains("GET") {
            expected.insert("HEAD".to_owned());
        }
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "TRACE", "FROB"] {
            if own.contains(method) {
                continue;
            }
            let reply = target.ask(&format!("{method} {filled}"), &[], b"").await?;
            refused(&format!("{method} {path}"), &reply, 405, "method_not_allowed", None);
            assert_eq!(allowed(&reply), expected, "{method} {path}");
        }
    }
    for path in [
        "/v2/unread",
        "/v1",
        "/v1/unread/",
        "/v1//unread",
        "/v1/conversations/x/y/z",
        "/v1/%75nread/x",
        "/../../etc/passwd",
        "/.git/config",
        "/v1/direct/",
        "/metrics",
    ] {
        for method in ["GET", "POST"] {
            let reply = target.ask(&format!("{method} {path}"), &[], b"").await?;
            refused(&format!("{method} {path}"), &reply, 404, "not_found", None);
        }
    }
    target.serves().await
}

#[tokio::test]
async fn g9_connections_above_their_bound_are_turned_away() -> Result<()> {
    let target = Target::start(&[("VERBATIM_HTTP_CONNECTIONS", "3")]).await?;
    let address = target.server.address();
    // Ada's own connection is kept open by her client: two more fit.
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(address).await?);
    }
    let turned = wire::exchange(address, &[]).await?;
    refused("one more", &turned, 503, "unavailable", None);
    drop(held);
    // Who comes back after the time given is served.
    for _ in 0..100 {
        let reply = target.ask("GET /v1/unread", &[], b"").await?;
        if reply.status == 200 {
            return target.serves().await;
        }
        assert_eq!(reply.status, 503);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    anyhow::bail!("places are not given back");
}
