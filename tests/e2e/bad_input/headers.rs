//! Headers that are wrong or too large.

use anyhow::Result;
use verbatim_tests::new_id;

use super::target::{Target, refused};

#[tokio::test]
async fn g9_what_is_not_declared_as_json() -> Result<()> {
    let target = Target::start(&[]).await?;
    let line = format!("POST /v1/conversations/{}/messages", target.id);
    let body = format!(r#"{{"id":"{}","text":"x"}}"#, new_id());
    let length = body.len().to_string();
    let length = ("content-length", length.as_str());
    for headers in [
        &[][..],
        &[("content-type", "text/plain")],
        &[("content-type", "application/jsonx")],
        &[("content-type", "application/x-www-form-urlencoded")],
        &[("content-type", "application/json"), ("content-type", "application/json")],
        &[("content-type", "application/json"), ("content-encoding", "gzip")],
    ] {
        let all: Vec<_> = headers.iter().copied().chain([length]).collect();
        let reply = target.ask(&line, &all, body.as_bytes()).await?;
        refused(&format!("{headers:?}"), &reply, 415, "unsupported_media_type", None);
    }
    let headers = [("content-type", "Application/JSON; charset=utf-8"), length];
    assert_eq!(target.ask(&line, &headers, body.as_bytes()).await?.status, 201);
    target.serves().await
}

#[tokio::test]
async fn g9_headers_above_their_bound() -> Result<()> {
    let target = Target::start(&[]).await?;
    let fits = "x".repeat(14 * 1024);
    let reply = target.ask("GET /v1/unread", &[("x-large", &fits)], b"").await?;
    assert_eq!(reply.status, 200);
    for bytes in [16 * 1024, 64 * 1024, 1024 * 1024] {
        let large = "x".repeat(bytes);
        let reply = target.ask("GET /v1/unread", &[("x-large", &large)], b"").await?;
        assert_eq!(reply.status, 431, "{bytes} bytes");
        let reply = target.ask(&format!("GET /v1/unread?{large}"), &[], b"").await?;
        assert!(matches!(reply.status, 431 | 414), "{bytes} bytes: {}", reply.status);
    }
    let just = "x".repeat(16 * 1024);
    let reply = target.ask("GET /v1/unread", &[("x-large", &just)], b"").await?;
    refused("16 KiB", &reply, 431, "headers_too_large", None);
    let many: Vec<_> = (0..3_000).map(|_| ("x", "y")).collect();
    assert_eq!(target.ask("GET /v1/unread", &many, b"").await?.status, 431, "3,000 headers");
    target.serves().await
}

#[tokio::test]
async fn g9_idempotency_keys_that_are_none() -> Result<()> {
    let target = Target::start(&[]).await?;
    let (one, two) = (new_id(), new_id());
    for headers in [
        &[("idempotency-key", "x")][..],
        &[("idempotency-key", "")],
        &[("idempotency-key", "9f1c2f0e-3b0a-4b6e-8a53-0d1f0a5d3c11")],
        &[("idempotency-key", &one.to_uppercase())],
        &[("idempotency-key", &one), ("idempotency-key", &two)],
    ] {
        let reply = target.ask("PUT /v1/direct/cid", headers, b"").await?;
        refused(&format!("{headers:?}"), &reply, 422, "invalid", Some("Idempotency-Key"));
    }
    let reply = target.ask("PUT /v1/direct/cid", &[("idempotency-key", &one)], b"").await?;
    assert_eq!(reply.status, 201);
    let reply = target.ask("PUT /v1/direct/cid", &[("idempotency-key", &one)], b"").await?;
    assert_eq!((reply.status, reply.header("verbatim-duplicate")), (200, Some("true")));
    target.serves().await
}
