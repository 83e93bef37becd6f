//! Taking a compact JWS (RFC 7515) apart, before anything in it is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::de::{Deserializer, IgnoredAny};
use serde::{Deserialize, de::DeserializeOwned};

use super::refusal::Refusal;
use crate::config::Algorithm;

/// The longest `kid`, in bytes.
const KEY_ID_MAX: usize = 256;

/// The part of a JOSE header that is read. `jku`, `x5u`, `x5c` and `jwk` are not.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// True whatever the value is, null included.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

/// A token in its parts; nothing is verified.
pub struct Parts<'a> {
    /// The algorithm that the header claims.
    pub algorithm: Algorithm,
    /// The key id that the header claims.
    pub key_id: Option<String>,
    /// What the signature is over.
    pub signed: &'a str,
    /// The signature in base64url.
    pub signature: &'a str,
    claims: &'a str,
}

impl<'a> Parts<'a> {
    /// Splits a token and reads its header.
    pub fn split(token: &'a str) -> Result<Self, Refusal> {
        let (signed, signature) = token.rsplit_once('.').ok_or(Refusal::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Refusal::Malformed)?;
        if claims.contains('.') {
            return Err(Refusal::Malformed);
        }
        let header: Header = decode(header)?;
        if header.crit {
            return Err(Refusal::Critical);
        }
        if header.kid.as_ref().is_some_and(|kid| kid.len() > KEY_ID_MAX) {
            return Err(Refusal::UnknownKey);
        }
        let algorithm = match header.alg.as_str() {
            "HS256" => Algorithm::Hs256,
            "ES256" => Algorithm::Es256,
            "RS256" => Algorithm::Rs256,
            "EdDSA" => Algorithm::EdDsa,
            _ => return Err(Refusal::Algorithm),
        };
        Ok(Self { algorithm, key_id: header.kid, signed, signature, claims })
    }

    /// Reads claims. Before the signature is checked they only serve to choose the issuer.
    pub fn claims<T: DeserializeOwned>(&self) -> Result<T, Refusal> {
        decode(self.claims)
    }
}

fn decode<T: DeserializeOwned>(part: &str) -> Result<T, Refusal> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_| Refusal::Malformed)?;
    // A derived struct would read an array as its fields in order.
    if json.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::Malformed);
    }
    serde_json::from_slice(&json).map_err(|_| Refusal::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str) -> String {
        format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode("{}"))
    }

    fn refusal(token: &str) -> Option<Refusal> {
        Parts::split(token).err()
    }

    #[test]
    fn a_plain_header_is_read() {
        let token = token(r#"{"alg":"ES256","kid":"k1","typ":"JWT","jku":"https://evil.example"}"#);
        let parts = Parts::split(&token).unwrap();
        assert_eq!(parts.algorithm, Algorithm::Es256);
        assert_eq!(parts.key_id.as_deref(), Some("k1"));
    }

    #[test]
    fn what_is_no_token_is_refused() {
        for wrong in ["", ".", "..", "...", "a.b", "a.b.c", "a.b.c.d", "é.é.é", "\0.\0.\0"] {
            assert_eq!(refusal(wrong), Some(Refusal::Malformed), "{wrong:?}");
        }
        for header in ["", "null", "1", "\"x\"", "{}", "[\"HS256\",null]", "{\"alg\":1}", "{"] {
            assert_eq!(refusal(&token(header)), Some(Refusal::Malformed), "{header}");
        }
        let twice = r#"{"alg":"HS256","alg":"none"}"#;
        assert_eq!(refusal(&token(twice)), Some(Refusal::Malformed));
    }

    #[test]
    fn none_unknown_and_critical_are_refused() {
        for alg in ["none", "None", "NONE", "hs256", "HS384", "PS256", "ES512", "", "HS256 "] {
            let header = format!("{{\"alg\":\"{alg}\"}}");
            assert_eq!(refusal(&token(&header)), Some(Refusal::Algorithm), "{alg}");
        }
        for crit in ["[\"exp\"]", "[]", "null", "\"b64\""] {
            let header = format!("{{\"alg\":\"HS256\",\"crit\":{crit}}}");
            assert_eq!(refusal(&token(&header)), Some(Refusal::Critical), "{crit}");
        }
    }

    #[test]
    fn a_deeply_nested_header_does_no_harm() {
        let brackets =
            |open: &str, close: &str| format!("{}1{}", open.repeat(900), close.repeat(900));
        for deep in [brackets("[", "]"), brackets("{\"a\":", "}")] {
            let token = token(&format!("{{\"alg\":\"HS256\",\"x\":{deep}}}"));
            assert!(Parts::split(&token).is_ok());
            let token = token.replacen('.', &format!(".{}", URL_SAFE_NO_PAD.encode(&deep)), 1);
            assert!(Parts::split(&token).unwrap().claims::<serde_json::Value>().is_err());
        }
    }
}
