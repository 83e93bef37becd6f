//! Keys and tokens for the tests.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

use crate::config::{AuthSettings, Config, Flags};

/// A time that all tests agree on, in seconds.
pub const NOW: u64 = 1_700_000_000;

/// A private key and its public half as a JWK.
pub struct TestKey {
    pub id: String,
    pub algorithm: Algorithm,
    pub private: EncodingKey,
    pub jwk: Value,
}

impl TestKey {
    pub fn new(id: &str, algorithm: Algorithm) -> Self {
        let (kind, name) = match algorithm {
            Algorithm::ES256 => (&rcgen::PKCS_ECDSA_P256_SHA256, "ES256"),
            Algorithm::RS256 => (&rcgen::PKCS_RSA_SHA256, "RS256"),
            Algorithm::EdDSA => (&rcgen::PKCS_ED25519, "EdDSA"),
            other => panic!("no test key for {other:?}"),
        };
        let pair = rcgen::KeyPair::generate_for(kind).unwrap();
        let (pem, public) = (pair.serialize_pem(), pair.public_key_raw());
        let encode = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (private, mut jwk) = match algorithm {
            Algorithm::ES256 => {
                let (x, y) = (encode(&public[1..33]), encode(&public[33..]));
                let jwk = json!({"kty": "EC", "crv": "P-256", "x": x, "y": y});
                (EncodingKey::from_ec_pem(pem.as_bytes()).unwrap(), jwk)
            }
            Algorithm::RS256 => {
                let private = EncodingKey::from_rsa_pem(pem.as_bytes()).unwrap();
                let jwk = Jwk::from_encoding_key(&private, algorithm).unwrap();
                (private, serde_json::to_value(jwk).unwrap())
            }
            _ => {
                let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": encode(public)});
                (EncodingKey::from_ed_pem(pem.as_bytes()).unwrap(), jwk)
            }
        };
        jwk["kid"] = json!(id);
        jwk["alg"] = json!(name);
        jwk["use"] = json!("sig");
        Self { id: id.to_owned(), algorithm, private, jwk }
    }

    pub fn token(&self, claims: &Value) -> String {
        let alg = self.jwk["alg"].clone();
        sign(&json!({"alg": alg, "kid": self.id}), claims, &self.private, self.algorithm)
    }
}

/// A JWK set of these keys.
pub fn jwks(keys: &[&TestKey]) -> String {
    json!({"keys": keys.iter().map(|key| &key.jwk).collect::<Vec<_>>()}).to_string()
}

/// Signs any header and claims with any key.
pub fn sign(header: &Value, claims: &Value, key: &EncodingKey, algorithm: Algorithm) -> String {
    let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", encode(header), encode(claims));
    let signature = jsonwebtoken::crypto::sign(signed.as_bytes(), key, algorithm).unwrap();
    format!("{signed}.{signature}")
}

/// Claims of alice that hold for a minute.
pub fn claims() -> Value {
    json!({"sub": "alice", "exp": NOW + 60})
}

/// The default settings of authentication.
pub fn auth_settings() -> AuthSettings {
    Config::load(&Flags::default(), std::iter::empty()).unwrap().auth
}
