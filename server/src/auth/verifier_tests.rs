use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::super::testing::{NOW, TestKey, auth_settings, claims, jwks, sign};
use super::*;
use crate::config::{KeySource, Secret};

const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";
const HS256: jsonwebtoken::Algorithm = jsonwebtoken::Algorithm::HS256;

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn issuer(name: Option<&str>, keys: KeySource) -> IssuerSettings {
    let algorithms = match keys {
        KeySource::Secret(_) => vec![Algorithm::Hs256],
        _ => vec![Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa],
    };
    IssuerSettings { issuer: name.map(str::to_owned), audience: Vec::new(), algorithms, keys }
}

fn secret() -> KeySource {
    KeySource::Secret(Secret::new(SECRET).unwrap())
}

async fn verifier(issuers: &[IssuerSettings]) -> Verifier {
    let verifier = Verifier::new(issuers, &auth_settings()).unwrap();
    verifier.load().await.unwrap();
    verifier
}

fn hs256(header: &Value, claims: &Value) -> String {
    sign(header, claims, &EncodingKey::from_secret(SECRET), HS256)
}

#[tokio::test]
async fn a_shared_secret_takes_hs256_alone() {
    let verifier = verifier(&[issuer(None, secret())]).await;
    let refusal = async |token: String| verifier.verify(&token, at(NOW)).await.err();
    let header = json!({"alg": "HS256", "typ": "JWT"});
    let good = hs256(&header, &claims());
    assert_eq!(refusal(good.clone()).await, None);
    assert_eq!(refusal(hs256(&json!({"alg": "HS256", "kid": "any"}), &claims())).await, None);

    for alg in ["none", "HS384", "HS512", "ES256", "RS256", "EdDSA"] {
        let token = hs256(&json!({"alg": alg}), &claims());
        assert_eq!(refusal(token).await, Some(Refusal::Algorithm), "{alg}");
    }
    let crit = hs256(&json!({"alg": "HS256", "crit": ["exp"]}), &claims());
    assert_eq!(refusal(crit).await, Some(Refusal::Critical));
    let other = EncodingKey::from_secret(&[7; 32]);
    let foreign = sign(&header, &claims(), &other, HS256);
    assert_eq!(refusal(foreign).await, Some(Refusal::Signature));
    let (signed, signature) = good.rsplit_once('.').unwrap();
    assert_eq!(refusal(format!("{signed}.")).await, Some(Refusal::Signature));
    assert_eq!(refusal(format!("{signed}.!!")).await, Some(Refusal::Signature));
    let forged = URL_SAFE_NO_PAD.encode(json!({"sub": "bob", "exp": NOW + 60}).to_string());
    let header_part = signed.split('.').next().unwrap();
    assert_eq!(
        refusal(format!("{header_part}.{forged}.{signature}")).await,
        Some(Refusal::Signature)
    );
    assert_eq!(refusal("x".repeat(8193)).await, Some(Refusal::TooLong));
    let long = hs256(&header, &json!({"sub": "a", "exp": NOW + 60, "x": "y".repeat(8000)}));
    assert_eq!(refusal(long).await, Some(Refusal::TooLong));
    let expired = hs256(&header, &json!({"sub": "a", "exp": NOW - 60}));
    assert_eq!(refusal(expired).await, Some(Refusal::Expired));
    let twice = format!(r#"{{"sub":"a","sub":"b","exp":{}}}"#, NOW + 60);
    let signed = format!("{header_part}.{}", URL_SAFE_NO_PAD.encode(twice));
    let key = EncodingKey::from_secret(SECRET);
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, HS256).unwrap();
    assert_eq!(refusal(format!("{signed}.{signature}")).await, Some(Refusal::Malformed));
}

#[tokio::test]
async fn a_key_set_takes_each_key_with_its_own_algorithm() {
    let keys = [
        TestKey::new("es", jsonwebtoken::Algorithm::ES256),
        TestKey::new("rs", jsonwebtoken::Algorithm::RS256),
        TestKey::new("ed", jsonwebtoken::Algorithm::EdDSA),
    ];
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), jwks(&keys.iter().collect::<Vec<_>>())).unwrap();
    let verifier = verifier(&[issuer(None, KeySource::File(file.path().into()))]).await;
    let _tasks = verifier.keep_fresh();
    for key in &keys {
        assert!(verifier.verify(&key.token(&claims()), at(NOW)).await.is_ok(), "{}", key.id);
        // The public key as an HMAC secret: the classic confusion.
        let public = key.jwk.to_string();
        let confused = sign(
            &json!({"alg": "HS256", "kid": key.id}),
            &claims(),
            &EncodingKey::from_secret(public.as_bytes()),
            HS256,
        );
        assert_eq!(verifier.verify(&confused, at(NOW)).await, Err(Refusal::Algorithm));
    }
    let own = TestKey::new("es", jsonwebtoken::Algorithm::ES256);
    let foreign = own.token(&claims());
    assert_eq!(verifier.verify(&foreign, at(NOW)).await, Err(Refusal::Signature));
    // A key that the token brings along is not read.
    let header = json!({"alg": "ES256", "kid": "es", "jwk": own.jwk, "jku": "http://127.0.0.1:1/"});
    let smuggled = sign(&header, &claims(), &own.private, own.algorithm);
    assert_eq!(verifier.verify(&smuggled, at(NOW)).await, Err(Refusal::Signature));
    let crossed =
        sign(&json!({"alg": "EdDSA", "kid": "es"}), &claims(), &keys[2].private, keys[2].algorithm);
    assert_eq!(verifier.verify(&crossed, at(NOW)).await, Err(Refusal::UnknownKey));
}

#[tokio::test]
async fn issuers_are_told_apart() {
    let other = Secret::new(&[9; 32]).unwrap();
    let mut strict = issuer(Some("strict"), KeySource::Secret(other.clone()));
    strict.audience = vec!["chat".to_owned()];
    let verifier = verifier(&[issuer(None, secret()), strict]).await;
    let outcome = async |key: &[u8], more: Value| {
        let mut claims = claims();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let key = EncodingKey::from_secret(key);
        let token = sign(&json!({"alg": "HS256"}), &claims, &key, HS256);
        verifier.verify(&token, at(NOW)).await.err()
    };
    assert_eq!(outcome(SECRET, json!({})).await, None);
    assert_eq!(outcome(SECRET, json!({"iss": "unnamed"})).await, None);
    assert_eq!(outcome(SECRET, json!({"iss": "strict"})).await, Some(Refusal::Signature));
    assert_eq!(outcome(other.expose(), json!({"iss": "strict", "aud": "chat"})).await, None);
    assert_eq!(outcome(other.expose(), json!({"iss": "strict"})).await, Some(Refusal::Audience));
    assert_eq!(outcome(other.expose(), json!({})).await, Some(Refusal::Signature));
    assert_eq!(outcome(SECRET, json!({"iss": 5})).await, Some(Refusal::Issuer));
}

#[tokio::test]
async fn an_unnamed_issuer_is_needed_for_other_names() {
    let verifier = verifier(&[issuer(Some("only"), secret())]).await;
    let token = hs256(&json!({"alg": "HS256"}), &claims());
    assert_eq!(verifier.verify(&token, at(NOW)).await, Err(Refusal::Issuer));
}

/// A key server on loopback that answers each request with what it was last told to.
struct KeyServer {
    url: reqwest::Url,
    answer: Arc<Mutex<String>>,
    requests: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/jwks", listener.local_addr().unwrap()).parse().unwrap();
        let (answer, requests) = (Arc::<Mutex<String>>::default(), Arc::<AtomicUsize>::default());
        let (shared, counted) = (Arc::clone(&answer), Arc::clone(&requests));
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let answer = shared.lock().unwrap().clone();
                let mut request = [0; 4096];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(answer.as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        Self { url, answer, requests }
    }

    fn tell(&self, status: &str, body: &str) {
        let length = body.len();
        *self.answer.lock().unwrap() = format!(
            "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nlocation: /x\r\n\
             connection: close\r\n\r\n{body}"
        );
    }

    fn count(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn keys_rotate_and_a_failing_server_keeps_the_old_ones() {
    let (one, two) = (
        TestKey::new("one", jsonwebtoken::Algorithm::ES256),
        TestKey::new("two", jsonwebtoken::Algorithm::EdDSA),
    );
    let server = KeyServer::start().await;
    server.tell("200 OK", &jwks(&[&one]));
    let verifier = verifier(&[issuer(None, KeySource::Url(server.url.clone()))]).await;
    let _tasks = verifier.keep_fresh();
    let verify = async |key: &TestKey, seconds| {
        verifier.verify(&key.token(&claims()), at(seconds)).await.err()
    };
    assert_eq!(verify(&one, NOW).await, None);
    assert_eq!(server.count(), 1);

    // An unknown key is asked for once within the cooldown, however often it is shown.
    assert_eq!(verify(&two, NOW).await, Some(Refusal::UnknownKey));
    assert_eq!(server.count(), 2);
    server.tell("200 OK", &jwks(&[&one, &two]));
    assert_eq!(verify(&two, NOW + 9).await, Some(Refusal::UnknownKey));
    assert_eq!(server.count(), 2);
    assert_eq!(verify(&two, NOW + 10).await, None);
    assert_eq!(server.count(), 3);

    // Whatever the server answers wrongly, the old keys stay.
    let three = TestKey::new("three", jsonwebtoken::Algorithm::EdDSA);
    let huge = format!("{{\"keys\":[],\"x\":\"{}\"}}", "y".repeat(1024 * 1024));
    let wrong = [
        ("500 Oops", "{}"),
        ("302 Found", "{}"),
        ("200 OK", "not json"),
        ("200 OK", "{\"keys\":[]}"),
        ("200 OK", huge.as_str()),
    ];
    for (turn, (status, body)) in (1..).zip(wrong) {
        server.tell(status, body);
        let before = server.count();
        assert_eq!(verify(&three, NOW + 10 + 10 * turn).await, Some(Refusal::UnknownKey));
        assert_eq!(server.count(), before + 1, "{status} {turn}");
        assert_eq!(verify(&one, NOW).await, None);
    }

    // A key that the issuer took back is gone.
    server.tell("200 OK", &jwks(&[&two]));
    verify(&three, NOW + 80).await;
    assert_eq!(verify(&one, NOW + 80).await, Some(Refusal::UnknownKey));
}

#[tokio::test]
async fn requests_join_the_running_reading() {
    let key = TestKey::new("late", jsonwebtoken::Algorithm::EdDSA);
    let first = TestKey::new("first", jsonwebtoken::Algorithm::EdDSA);
    let server = KeyServer::start().await;
    server.tell("200 OK", &jwks(&[&first]));
    let verifier = verifier(&[issuer(None, KeySource::Url(server.url.clone()))]).await;
    let _tasks = verifier.keep_fresh();
    server.tell("200 OK", &jwks(&[&key]));
    let token = key.token(&claims());
    let all = (0..20).map(|_| verifier.verify(&token, at(NOW)));
    let outcomes = futures_util::future::join_all(all).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(server.count(), 2);
}

#[tokio::test]
async fn without_keys_yet_it_says_so() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
    drop(listener);
    let verifier = verifier(&[issuer(None, KeySource::Url(url))]).await;
    assert!(!verifier.is_ready());
    let key = TestKey::new("one", jsonwebtoken::Algorithm::EdDSA);
    let outcome = verifier.verify(&key.token(&claims()), at(NOW)).await;
    assert_eq!(outcome, Err(Refusal::KeysUnavailable));
}

#[tokio::test]
async fn a_missing_key_file_is_an_error() {
    let settings = [issuer(None, KeySource::File("/nowhere/jwks.json".into()))];
    let verifier = Verifier::new(&settings, &auth_settings()).unwrap();
    assert!(matches!(verifier.load().await, Err((_, FetchError::File(_)))));
}

#[tokio::test]
async fn nothing_of_keys_and_tokens_is_shown() {
    let verifier = verifier(&[issuer(None, secret())]).await;
    let token = hs256(&json!({"alg": "HS256"}), &json!({"sub": "alice", "exp": 0}));
    let refusal = verifier.verify(&token, at(NOW)).await.unwrap_err();
    let shown = format!("{verifier:?} {refusal:?} {refusal} {:?}", secret());
    assert!(!shown.contains("0123456789abcdef") && !shown.contains(&token));
}

proptest::proptest! {
    /// Whatever a token is, it is refused and nothing panics.
    #[test]
    fn no_token_panics(text in ".{0,200}", parts in proptest::collection::vec(".{0,60}", 0..5)) {
        let encoded: Vec<String> = parts.iter().map(|part| URL_SAFE_NO_PAD.encode(part)).collect();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let verifier = verifier(&[issuer(None, secret())]).await;
            for token in [text.clone(), parts.join("."), encoded.join(".")] {
                assert!(verifier.verify(&token, at(NOW)).await.is_err());
            }
            let Some(claims) = parts.first() else { return };
            // Signed rightly, whatever is in it.
            let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#);
            let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
            let key = EncodingKey::from_secret(SECRET);
            let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), &key, HS256).unwrap();
            assert!(verifier.verify(&format!("{signed}.{signature}"), at(NOW)).await.is_err());
        });
    }
}
