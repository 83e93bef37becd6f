//! Kinds of settings about the network, the roles and the keys.

use ipnet::IpNet;
use std::net::IpAddr;

use super::given::Given;
use super::kinds::Kind;

fn not(given: &Given, what: &str) -> String {
    format!("{} is not {what}", given.shown())
}

/// A network: an IP address, or one with a prefix length (CIDR).
pub struct Network;

impl Kind for Network {
    type Value = IpNet;
    fn parse(&self, given: &Given) -> Result<IpNet, String> {
        let text = given.text().unwrap_or_default();
        let network = text.parse::<IpNet>().ok();
        let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
        network.or_else(single).ok_or_else(|| not(given, "an address or network"))
    }
    fn allowed(&self) -> String {
        "an IP address or a network such as 10.0.0.0/8".to_owned()
    }
    fn show(&self, value: &IpNet) -> Option<String> {
        Some(format!("{:?}", value.to_string()))
    }
}

/// A web origin (RFC 6454): scheme, host and port without a path, in lower case.
pub struct Origin;

/// The longest origin in bytes.
const ORIGIN_MAX: usize = 300;

fn parse_origin(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (scheme, host) = text.split_once("://")?;
    let scheme_ok = scheme.starts_with(|first: char| first.is_ascii_lowercase())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let host_ok = !host.is_empty()
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._:[]".contains(&byte));
    if !scheme_ok || !host_ok || text.len() > ORIGIN_MAX {
        return None;
    }
    // Browsers leave the scheme's own port out of the Origin header.
    let own_port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    Some(text.strip_suffix(own_port).unwrap_or(&text).to_owned())
}

impl Kind for Origin {
    type Value = String;
    fn parse(&self, given: &Given) -> Result<String, String> {
        given.text().and_then(parse_origin).ok_or_else(|| not(given, "a web origin"))
    }
    fn allowed(&self) -> String {
        "an origin such as https://app.example.org, without a path".to_owned()
    }
    fn show(&self, value: &String) -> Option<String> {
        Some(format!("{value:?}"))
    }
}

/// The URL of a key set: https, or http on a loopback address.
pub struct KeySetUrl;

fn parse_key_url(text: &str) -> Option<reqwest::Url> {
    let url = reqwest::Url::parse(text).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    let loopback =
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    let plain_ok = url.scheme() == "http" && loopback;
    let bare = url.username().is_empty() && url.password().is_none();
    (bare && (url.scheme() == "https" || plain_ok)).then_some(url)
}

impl Kind for KeySetUrl {
    type Value = reqwest::Url;
    fn parse(&self, given: &Given) -> Result<reqwest::Url, String> {
        given.text().and_then(parse_key_url).ok_or_else(|| not(given, "such a URL"))
    }
    fn allowed(&self) -> String {
        "an https URL without user and password (http on a loopback address only)".to_owned()
    }
    fn show(&self, value: &reqwest::Url) -> Option<String> {
        Some(format!("{:?}", value.as_str()))
    }
}

/// One of the four services that `serve` runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// REST commands and the command handler.
    CommandApi,
    /// The projections, the timeline's rulings first of all.
    Projectors,
    /// REST reads.
    QueryApi,
    /// WebSockets.
    Gateway,
}

impl Role {
    /// All four, in the order in which they are named.
    pub const ALL: [Self; 4] = [Self::CommandApi, Self::Projectors, Self::QueryApi, Self::Gateway];
}

/// The words for the roles.
pub const ROLE_WORDS: &[(&str, Role)] = &[
    ("command-api", Role::CommandApi),
    ("projectors", Role::Projectors),
    ("query-api", Role::QueryApi),
    ("gateway", Role::Gateway),
];

/// A signature algorithm that tokens may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// HMAC with SHA-256 and a shared secret.
    Hs256,
    /// ECDSA on P-256 with SHA-256.
    Es256,
    /// RSASSA-PKCS1-v1_5 with SHA-256, keys of 2,048 to 8,192 bits.
    Rs256,
    /// Ed25519.
    EdDsa,
}

/// The words for the algorithms of key sets; HS256 goes with a secret and needs no naming.
pub const KEY_SET_ALGORITHM_WORDS: &[(&str, Algorithm)] =
    &[("ES256", Algorithm::Es256), ("RS256", Algorithm::Rs256), ("EdDSA", Algorithm::EdDsa)];

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> Given {
        Given::Text(value.to_owned())
    }

    #[test]
    fn networks() {
        for right in ["10.0.0.0/8", "10.1.2.3", "::1", "fd00::/8"] {
            assert!(Network.parse(&text(right)).is_ok(), "{right}");
        }
        for wrong in ["", "10.0.0.0/33", "example.org", "10.0.0"] {
            assert!(Network.parse(&text(wrong)).is_err(), "{wrong}");
        }
    }

    #[test]
    fn origins_are_normalised() {
        let origin = |value| Origin.parse(&text(value));
        assert_eq!(origin("https://App.example.org:443"), Ok("https://app.example.org".into()));
        assert_eq!(origin("http://localhost:3000"), Ok("http://localhost:3000".into()));
        assert_eq!(origin("capacitor://localhost"), Ok("capacitor://localhost".into()));
        for wrong in ["", "*", "app.example.org", "https://", "https://a/b", "https://a b"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn key_urls_are_https_or_loopback() {
        for right in [
            "https://id.example.org/jwks",
            "http://127.0.0.1:9/jwks",
            "http://[::1]/j",
            "http://localhost/j",
        ] {
            assert!(KeySetUrl.parse(&text(right)).is_ok(), "{right}");
        }
        for wrong in
            ["", "http://id.example.org/", "file:///etc/keys", "https://u:p@example.org/", "jwks"]
        {
            assert!(KeySetUrl.parse(&text(wrong)).is_err(), "{wrong}");
        }
    }
}
