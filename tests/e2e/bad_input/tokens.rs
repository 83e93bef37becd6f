//! Tokens that are missing, forged, expired or of another make.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use verbatim_tests::{
    Client, Server, Socket, new_id,
    wire::{self, Wire},
};

use super::target::refused;

const SECRET: &str = "0123456789abcdef0123456789abcdef-the-secret";

/// Seconds since 1970, as a client's ids have them.
fn now() -> Result<u64> {
    let id: uuid::Uuid = new_id().parse()?;
    Ok(id.get_timestamp().map_or(0, |time| time.to_unix().0))
}

fn sign(algorithm: Algorithm, secret: &str, claims: &Value) -> Result<String> {
    let key = EncodingKey::from_secret(secret.as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(algorithm), claims, &key)?)
}

fn unsigned(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

/// Tokens that must not open anything.
fn forged() -> Result<Vec<(&'static str, String)>> {
    let now = now()?;
    let claims = json!({"sub": "ada", "exp": now + 600});
    let with = |field: &str, value: Value| {
        let mut claims = claims.clone();
        claims[field] = value;
        claims
    };
    let without = |field: &str| {
        let mut claims = claims.clone();
        claims.as_object_mut().map(|claims| claims.remove(field));
        claims
    };
    let hs256 = |claims: &Value| sign(Algorithm::HS256, SECRET, claims);
    let good = hs256(&claims)?;
    let (head, signature) = good.rsplit_once('.').unwrap_or_default();
    let (header, _) = head.split_once('.').unwrap_or_default();
    let other = URL_SAFE_NO_PAD.encode(with("sub", json!("bob")).to_string());
    Ok(vec![
        ("empty", String::new()),
        ("garbage", "garbage".to_owned()),
        ("dots", "..".to_owned()),
        ("three words", "a.b.c".to_owned()),
        ("not ASCII", "\u{e9}.b.c".to_owned()),
        ("too long", format!("{head}.{}", "A".repeat(9_000))),
        ("without its signature", format!("{head}.")),
        ("a part missing", head.to_owned()),
        ("a part more", format!("{good}.{signature}")),
        ("a signature changed", format!("{head}.{}", signature.chars().rev().collect::<String>())),
        ("claims changed", format!("{header}.{other}.{signature}")),
        ("algorithm none", unsigned(&json!({"alg": "none"}), &claims, "")),
        ("algorithm None, signed", unsigned(&json!({"alg": "None"}), &claims, signature)),
        ("no algorithm", unsigned(&json!({"typ": "JWT"}), &claims, signature)),
        ("another algorithm", sign(Algorithm::HS512, SECRET, &claims)?),
        ("another key", sign(Algorithm::HS256, &SECRET.replace('0', "1"), &claims)?),
        ("an empty key", sign(Algorithm::HS256, "", &claims)?),
        ("expired", hs256(&with("exp", json!(now - 31)))?),
        ("expired long ago", hs256(&with("exp", json!(0)))?),
        ("no expiry", hs256(&without("exp"))?),
        ("an expiry in text", hs256(&with("exp", json!((now + 600).to_string())))?),
        ("a date in text", hs256(&with("exp", json!("2999-01-01T00:00:00Z")))?),
        ("not yet", hs256(&with("nbf", json!(now + 600)))?),
        ("a beginning in text", hs256(&with("nbf", json!("now")))?),
        ("no subject", hs256(&without("sub"))?),
        ("a number for a subject", hs256(&with("sub", json!(7)))?),
        ("an empty subject", hs256(&with("sub", json!("")))?),
        ("a subject with a blank", hs256(&with("sub", json!("a b")))?),
        ("a subject of 129 bytes", hs256(&with("sub", json!("x".repeat(129))))?),
        ("a number for a device", hs256(&with("device", json!(1)))?),
        ("a device of 65 bytes", hs256(&with("device", json!("x".repeat(65))))?),
        ("a text for roles", hs256(&with("roles", json!("moderator")))?),
        ("a list for claims", hs256(&json!([]))?),
    ])
}

#[tokio::test]
async fn g7_tokens_that_open_nothing() -> Result<()> {
    let server = Server::start_strict(&[], &[("VERBATIM_AUTH_SECRET", SECRET)]).await?;
    let address = server.address();
    let mut ada = Client::anonymous(&server.base());
    ada.token = Some(sign(Algorithm::HS256, SECRET, &json!({"sub": "ada", "exp": now()? + 600}))?);
    let id = ada.direct("bob").await?;
    let mut socket = Socket::open(&ada).await?;
    for (what, token) in forged()? {
        let header = format!("Bearer {token}");
        for line in ["GET /v1/unread".to_owned(), format!("GET /v1/conversations/{id}")] {
            let reply = wire::request(address, &line, &[("authorization", &header)], b"").await?;
            refused(what, &reply, 401, "unauthenticated", None);
            assert_eq!(reply.header("www-authenticate"), Some("Bearer"));
        }
        let opened = Wire::open(address, &[("authorization", &header)]).await;
        let status = opened.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(status.starts_with("HTTP/1.1 401 "), "{what}: {status}");
        let renewed = socket.ask(json!({"type": "renew", "token": token})).await?;
        assert_eq!(renewed["code"], "unauthenticated", "{what}");
    }
    let good = ada.token.clone().unwrap_or_default();
    for header in ["", "Bearer", "Basic YWRhOmFkYQ==", &good, &format!("Bearer {good} {good}")] {
        let reply =
            wire::request(address, "GET /v1/unread", &[("authorization", header)], b"").await?;
        refused(header, &reply, 401, "unauthenticated", None);
    }
    let header = format!("Bearer {good}");
    let twice = [("authorization", header.as_str()), ("authorization", header.as_str())];
    let reply = wire::request(address, "GET /v1/unread", &twice, b"").await?;
    refused("two headers", &reply, 401, "unauthenticated", None);
    // Leeway: a clock that is off by less than half a minute does no harm.
    let claims = json!({"sub": "ada", "exp": now()? - 20, "nbf": now()? + 20});
    ada.token = Some(sign(Algorithm::HS256, SECRET, &claims)?);
    ada.get("/v1/unread").await?.expect(200);
    // Not in development mode there are no tokens to be had.
    let line = "POST /v1/dev/tokens";
    let headers = [("content-type", "application/json"), ("content-length", "17")];
    let reply = wire::request(address, line, &headers, br#"{"user_id":"ada"}"#).await?;
    refused("a development token", &reply, 404, "not_found", None);
    ada.send(&id, "still here").await?.expect(201);
    assert_eq!(socket.say(&id, "and here").await?["type"], "ack");
    Ok(())
}

#[tokio::test]
async fn g7_a_socket_ends_with_its_token_unless_it_was_renewed() -> Result<()> {
    let env = [("VERBATIM_AUTH_SECRET", SECRET), ("VERBATIM_AUTH_LEEWAY", "0ms")];
    let server = Server::start_strict(&[], &env).await?;
    let sign_for =
        |seconds| sign(Algorithm::HS256, SECRET, &json!({"sub": "ada", "exp": now()? + seconds}));
    let mut ada = Client::anonymous(&server.base());
    ada.token = Some(sign_for(3)?);
    let mut ends = Socket::open(&ada).await?;
    let mut renewed = Socket::open(&ada).await?;
    let renew = json!({"type": "renew", "token": sign_for(600)?});
    assert_eq!(renewed.ask(renew).await?["type"], "ack");
    let bye = ends.expect("bye").await?;
    assert_eq!(bye["code"], "token_ended");
    assert_eq!(ends.closed().await?, Some(4003));
    assert_eq!(renewed.ask(json!({"type": "unwatch", "users": []})).await?["type"], "ack");
    Ok(())
}
