//! Tokens that others sign: with a shared secret, or with keys of a JWK set.

use anyhow::Result;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData};
use serde_json::{Value, json};
use verbatim_tests::{Client, Server, Socket, new_id};

/// The shared secret of these tests.
pub const SECRET: &str = "a shared secret of more than 32 bytes";

/// Claims that end in ten minutes.
fn ending(claims: &Value) -> Result<Value> {
    let id: uuid::Uuid = new_id().parse()?;
    let now = id.get_timestamp().map_or(0, |time| time.to_unix().0);
    let mut claims = claims.clone();
    claims["exp"] = (now + 600).into();
    Ok(claims)
}

/// A token that the shared secret signed.
pub fn hs256(claims: &Value) -> Result<String> {
    let key = EncodingKey::from_secret(SECRET.as_bytes());
    Ok(jsonwebtoken::encode(&Header::new(Algorithm::HS256), &ending(claims)?, &key)?)
}

fn es256(key: &KeyPair, id: Option<&str>, claims: &Value) -> Result<String> {
    let mut header = Header::new(Algorithm::ES256);
    header.kid = id.map(str::to_owned);
    let key = EncodingKey::from_ec_der(&key.serialize_der());
    Ok(jsonwebtoken::encode(&header, &ending(claims)?, &key)?)
}

/// A public key as a JWK set has it (RFC 7518, section 6.2.1).
fn jwk(key: &KeyPair, id: &str) -> Value {
    // An uncompressed point: 4, x, y.
    let (x, y) = key.der_bytes()[1..].split_at(32);
    let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
    json!({
        "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": id,
        "x": coordinate(x), "y": coordinate(y),
    })
}

#[tokio::test]
async fn tokens_of_a_shared_secret_with_issuer_and_audience() -> Result<()> {
    let env = [
        ("VERBATIM_AUTH_SECRET", SECRET),
        ("VERBATIM_AUTH_ISSUER", "https://app.example"),
        ("VERBATIM_AUTH_AUDIENCE", "chat,more"),
    ];
    let server = Server::start_strict(&[], &env).await?;
    let mut ada = Client::anonymous(&server.base());
    let right = json!({"sub": "ada", "iss": "https://app.example", "aud": ["x", "chat"]});
    ada.token = Some(hs256(&right)?);
    ada.get("/v1/unread").await?.expect(200);
    for (claim, wrong) in [
        ("iss", json!("https://evil.example")),
        ("iss", json!(null)),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("aud", json!(null)),
    ] {
        let mut claims = right.clone();
        claims[claim] = wrong.clone();
        ada.token = Some(hs256(&claims)?);
        assert_eq!(ada.get("/v1/unread").await?.expect(401).code(), "unauthenticated", "{wrong}");
    }
    Ok(())
}

#[tokio::test]
async fn tokens_of_a_jwk_set_in_a_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("keys.json");
    let [one, two, foreign] = [(); 3].map(|()| KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256));
    let (one, two, foreign) = (one?, two?, foreign?);
    let keys = json!({"keys": [jwk(&one, "one"), jwk(&two, "two")]});
    std::fs::write(&file, keys.to_string())?;
    let path = file.display().to_string();
    let server = Server::start_strict(&[], &[("VERBATIM_AUTH_JWKS_FILE", &path)]).await?;
    let mut ada = Client::anonymous(&server.base());
    let claims = json!({"sub": "ada"});
    for (key, id) in [(&one, "one"), (&two, "two")] {
        ada.token = Some(es256(key, Some(id), &claims)?);
        ada.get("/v1/unread").await?.expect(200);
        Socket::open(&ada).await?.close().await?;
    }
    // The public key as a secret, the classic.
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("one".to_owned());
    let public = EncodingKey::from_secret(one.der_bytes());
    let pem = EncodingKey::from_secret(one.public_key_pem().as_bytes());
    for (what, token) in [
        ("a foreign key", es256(&foreign, Some("one"), &claims)?),
        ("another's key id", es256(&one, Some("two"), &claims)?),
        ("an unknown key id", es256(&one, Some("three"), &claims)?),
        ("the public key", jsonwebtoken::encode(&header, &ending(&claims)?, &public)?),
        ("the public key as PEM", jsonwebtoken::encode(&header, &ending(&claims)?, &pem)?),
        ("a shared secret", hs256(&claims)?),
    ] {
        ada.token = Some(token);
        let refused = ada.get("/v1/unread").await?.expect(401);
        assert_eq!(refused.code(), "unauthenticated", "{what}");
    }
    Ok(())
}
