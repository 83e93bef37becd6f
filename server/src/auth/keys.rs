//! Keys and JWK sets (RFC 7517).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::DecodingKey;
use serde::Deserialize;

use crate::config::{Algorithm, Secret};

/// The most keys of one set.
pub const MAX_KEYS: usize = 64;

/// Bytes of an Ed25519 key and of a P-256 coordinate.
const COORDINATE_BYTES: usize = 32;

/// Bytes of an RSA modulus: 2,048 to 8,192 bits.
const MODULUS_BYTES: std::ops::RangeInclusive<usize> = 256..=1024;

/// Most bytes of an RSA exponent.
const EXPONENT_BYTES: usize = 8;

/// Why a JWK set is of no use.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// Not `{"keys":[...]}`.
    #[error("it is not a JWK set, an object with an array of keys")]
    NotASet,
    /// More keys than the bound.
    #[error("it has more than {MAX_KEYS} keys")]
    TooMany,
    /// No key fits the configured algorithms.
    #[error("none of its keys fits the configured algorithms")]
    NoUsableKey,
}

/// One key with the one algorithm that it is used with.
pub struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// An issuer's keys at a time.
pub struct KeySet(Vec<Key>);

#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
}

impl KeySet {
    /// No keys at all.
    pub fn empty() -> Self {
        Self(Vec::new())
    }

    /// The one key of a shared secret; tokens may name any `kid`.
    pub fn from_secret(secret: &Secret) -> Self {
        let key = DecodingKey::from_secret(secret.expose());
        Self(vec![Key { id: None, algorithm: Algorithm::Hs256, key }])
    }

    /// Reads a JWK set. Keys that do not fit the allowed algorithms, or are broken, are left out;
    /// a set without a usable key is an error, so that it cannot replace a good one.
    pub fn from_jwks(json: &[u8], allowed: &[Algorithm]) -> Result<Self, KeyError> {
        let set: Jwks = serde_json::from_slice(json).map_err(|_| KeyError::NotASet)?;
        if set.keys.len() > MAX_KEYS {
            return Err(KeyError::TooMany);
        }
        let keys: Vec<Key> = set
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok()?.usable())
            .filter(|key| allowed.contains(&key.algorithm))
            .collect();
        if keys.is_empty() { Err(KeyError::NoUsableKey) } else { Ok(Self(keys)) }
    }

    /// The key for a token's algorithm and `kid`. Without a `kid` the algorithm alone must decide.
    pub fn find(&self, algorithm: Algorithm, key_id: Option<&str>) -> Option<&DecodingKey> {
        let mut fitting = self.0.iter().filter(|key| key.algorithm == algorithm);
        if algorithm == Algorithm::Hs256 {
            return fitting.next().map(|key| &key.key);
        }
        match key_id {
            Some(id) => fitting.find(|key| key.id.as_deref() == Some(id)).map(|key| &key.key),
            None => match (fitting.next(), fitting.next()) {
                (Some(only), None) => Some(&only.key),
                _ => None,
            },
        }
    }
}

impl Jwk {
    fn usable(self) -> Option<Key> {
        let for_signatures = self.purpose.as_deref().is_none_or(|purpose| purpose == "sig")
            && self.key_ops.as_ref().is_none_or(|all| all.iter().any(|one| one == "verify"));
        if !for_signatures {
            return None;
        }
        let (algorithm, name, key) = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => {
                let mut point = vec![4];
                point.extend(sized(self.x.as_deref()?)?);
                point.extend(sized(self.y.as_deref()?)?);
                (Algorithm::Es256, "ES256", DecodingKey::from_ec_der(&point))
            }
            ("OKP", Some("Ed25519")) => {
                let point = sized(self.x.as_deref()?)?;
                (Algorithm::EdDsa, "EdDSA", DecodingKey::from_ed_der(&point))
            }
            ("RSA", _) => {
                let modulus = number(self.n.as_deref()?)?;
                let exponent = number(self.e.as_deref()?)?;
                if !MODULUS_BYTES.contains(&modulus.len()) || exponent.len() > EXPONENT_BYTES {
                    return None;
                }
                let key = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
                (Algorithm::Rs256, "RS256", key)
            }
            // A symmetric key in a set of public keys is nobody's secret.
            _ => return None,
        };
        let alg_fits = self.alg.as_deref().is_none_or(|alg| {
            // RFC 9864 names the curve itself.
            alg == name || (name == "EdDSA" && alg == "Ed25519")
        });
        alg_fits.then_some(Key { id: self.kid, algorithm, key })
    }
}

fn sized(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok().filter(|bytes| bytes.len() == COORDINATE_BYTES)
}

/// A big-endian number without leading zeros.
fn number(text: &str) -> Option<Vec<u8>> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let start = bytes.iter().position(|byte| *byte != 0)?;
    Some(bytes[start..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Algorithm] = &[Algorithm::Es256, Algorithm::Rs256, Algorithm::EdDsa];

    fn ed(kid: &str, more: &str) -> String {
        let x = URL_SAFE_NO_PAD.encode([1; 32]);
        format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}","kid":"{kid}"{more}}}"#)
    }

    fn set(keys: &[String]) -> Result<KeySet, KeyError> {
        KeySet::from_jwks(format!("{{\"keys\":[{}]}}", keys.join(",")).as_bytes(), ALL)
    }

    #[test]
    fn a_strange_key_does_not_spoil_the_set() {
        let strange = [
            "1".to_owned(),
            "{}".to_owned(),
            r#"{"kty":"oct","k":"AAAA","kid":"o"}"#.to_owned(),
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA","kid":"e"}"#.to_owned(),
            r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"weak"}"#.to_owned(),
            ed("enc", r#","use":"enc""#),
            ed("ops", r#","key_ops":["sign"]"#),
            ed("alg", r#","alg":"ES256""#),
            ed("good", r#","use":"sig","alg":"EdDSA""#),
        ];
        let keys = set(&strange).unwrap();
        assert_eq!(keys.0.len(), 1);
        assert!(keys.find(Algorithm::EdDsa, Some("good")).is_some());
        assert!(keys.find(Algorithm::EdDsa, Some("other")).is_none());
        assert!(keys.find(Algorithm::Es256, Some("good")).is_none());
        assert!(keys.find(Algorithm::Hs256, Some("good")).is_none());
    }

    #[test]
    fn without_a_kid_one_key_must_fit() {
        let one = set(&[ed("a", "")]).unwrap();
        assert!(one.find(Algorithm::EdDsa, None).is_some());
        let two = set(&[ed("a", ""), ed("b", "")]).unwrap();
        assert!(two.find(Algorithm::EdDsa, None).is_none());
    }

    #[test]
    fn useless_sets_are_errors() {
        for text in ["", "[]", "{}", "{\"keys\":1}", "null"] {
            assert!(
                matches!(KeySet::from_jwks(text.as_bytes(), ALL), Err(KeyError::NotASet)),
                "{text}"
            );
        }
        assert!(matches!(set(&[]), Err(KeyError::NoUsableKey)));
        assert!(matches!(set(&vec![ed("a", ""); 65]), Err(KeyError::TooMany)));
        let only_es = KeySet::from_jwks(
            format!("{{\"keys\":[{}]}}", ed("a", "")).as_bytes(),
            &[Algorithm::Es256],
        );
        assert!(matches!(only_es, Err(KeyError::NoUsableKey)));
    }
}
