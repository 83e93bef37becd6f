//! The request that asks for the upgrade (RFC 6455 section 4.2), as pure functions.
//!
//! Who the client is, and which origins may connect, is judged elsewhere.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ALLOW, CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_PROTOCOL,
    SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use sha1::{Digest, Sha1};

/// The subprotocol that this gateway speaks.
pub const SUBPROTOCOL: &str = "verbatim.v1";

/// The version of the protocol that RFC 6455 is.
const VERSION: &str = "13";

/// The suffix of RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// An upgrade that can be granted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upgrade {
    /// The value of Sec-WebSocket-Accept.
    pub accept: HeaderValue,
    /// The subprotocol to echo; `None` when the client offered none, which is taken as
    /// [`SUBPROTOCOL`].
    pub protocol: Option<HeaderValue>,
}

/// Why a request is not an upgrade to `verbatim.v1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// Only GET can be upgraded: 405.
    #[error("use GET to open a WebSocket")]
    Method,
    /// `Upgrade: websocket` or `Connection: Upgrade` is missing: 426.
    #[error("send the headers Upgrade: websocket and Connection: Upgrade")]
    NotUpgrade,
    /// Sec-WebSocket-Version is missing or another one: 426.
    #[error("send the header Sec-WebSocket-Version: 13")]
    Version,
    /// Sec-WebSocket-Key is missing, doubled, or not 16 bytes in base64: 400.
    #[error("send a Sec-WebSocket-Key of 16 bytes in base64")]
    Key,
    /// Subprotocols were offered, but not ours: 400.
    #[error("offer the subprotocol verbatim.v1, or none")]
    Subprotocol,
}

/// Judges a request by its method and headers.
///
/// That it came with HTTP/1.1 is left to hyper, which offers an upgrade for nothing older.
///
/// # Errors
/// An [`UpgradeError`], whose status and headers make the answer.
pub fn upgrade(method: &Method, headers: &HeaderMap) -> Result<Upgrade, UpgradeError> {
    if method != Method::GET {
        return Err(UpgradeError::Method);
    }
    let asks = |name, token: &str| tokens(headers, name).any(|one| one.eq_ignore_ascii_case(token));
    if !asks(&UPGRADE, "websocket") || !asks(&CONNECTION, "upgrade") {
        return Err(UpgradeError::NotUpgrade);
    }
    if single(headers, &SEC_WEBSOCKET_VERSION) != Some(VERSION) {
        return Err(UpgradeError::Version);
    }
    let key = single(headers, &SEC_WEBSOCKET_KEY).ok_or(UpgradeError::Key)?;
    if STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16) {
        Ok(Upgrade { accept: accept(key)?, protocol: subprotocol(headers)? })
    } else {
        Err(UpgradeError::Key)
    }
}

/// Sec-WebSocket-Accept for a key: base64 of the SHA-1 of key and GUID (section 4.2.2).
///
/// SHA-1 protects nothing here; it only shows that the server understood.
#[must_use]
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// The subprotocol to echo: ours when it is among those offered, none when none was.
///
/// # Errors
/// [`UpgradeError::Subprotocol`] when only others were offered.
pub fn subprotocol(headers: &HeaderMap) -> Result<Option<HeaderValue>, UpgradeError> {
    if !headers.contains_key(SEC_WEBSOCKET_PROTOCOL) {
        return Ok(None);
    }
    // Section 11.3.4: the names are compared as they are.
    if tokens(headers, &SEC_WEBSOCKET_PROTOCOL).any(|offered| offered == SUBPROTOCOL) {
        return Ok(Some(HeaderValue::from_static(SUBPROTOCOL)));
    }
    Err(UpgradeError::Subprotocol)
}

impl Upgrade {
    /// The headers of the answer, whose status is 101 (section 4.2.2).
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(4);
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(SEC_WEBSOCKET_ACCEPT, self.accept.clone());
        if let Some(protocol) = &self.protocol {
            headers.insert(SEC_WEBSOCKET_PROTOCOL, protocol.clone());
        }
        headers
    }
}

impl UpgradeError {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotUpgrade | Self::Version => StatusCode::UPGRADE_REQUIRED,
            Self::Key | Self::Subprotocol => StatusCode::BAD_REQUEST,
        }
    }

    /// The header that the status asks for: what would be accepted.
    ///
    /// An answer with `Upgrade` needs `Connection: upgrade` too (RFC 9110 section 7.8); hyper does
    /// not add it.
    #[must_use]
    pub fn headers(self) -> HeaderMap {
        let mut headers = HeaderMap::new();
        match self {
            Self::Method => {
                headers.insert(ALLOW, HeaderValue::from_static("GET"));
            }
            Self::NotUpgrade | Self::Version => {
                headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
                headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static(VERSION));
            }
            Self::Key | Self::Subprotocol => {}
        }
        headers
    }
}

fn accept(key: &str) -> Result<HeaderValue, UpgradeError> {
    HeaderValue::try_from(accept_key(key)).map_err(|_| UpgradeError::Key)
}

/// The elements of a header's comma-separated lists; a value that is not ASCII has none.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// The value of a header that may be sent once only.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).into_iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderName, HeaderValue, Method};

    use super::{SUBPROTOCOL, UpgradeError, accept_key, subprotocol, upgrade};

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn headers(changes: &[(&'static str, Option<&'static str>)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let base = [
            ("upgrade", Some("websocket")),
            ("connection", Some("Upgrade")),
            ("sec-websocket-version", Some("13")),
            ("sec-websocket-key", Some(KEY)),
        ];
        for (name, value) in base.iter().chain(changes) {
            let name = HeaderName::from_static(name);
            headers.remove(&name);
            if let Some(value) = value {
                headers.insert(name, HeaderValue::from_static(value));
            }
        }
        headers
    }

    fn refused(changes: &[(&'static str, Option<&'static str>)]) -> UpgradeError {
        upgrade(&Method::GET, &headers(changes)).unwrap_err()
    }

    #[test]
    fn the_example_of_the_rfc_is_accepted() {
        assert_eq!(accept_key(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        let granted = upgrade(&Method::GET, &headers(&[])).unwrap();
        assert_eq!(granted.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(granted.protocol, None);
        let answer = granted.headers();
        assert_eq!(answer["upgrade"], "websocket");
        assert_eq!(answer["connection"], "upgrade");
        assert!(!answer.contains_key("sec-websocket-protocol"));
    }

    #[test]
    fn lists_and_case_do_not_matter() {
        let browser = headers(&[
            ("upgrade", Some("h2c, WebSocket")),
            ("connection", Some("keep-alive, UPGRADE")),
        ]);
        assert!(upgrade(&Method::GET, &browser).is_ok());
        let mut doubled = headers(&[("connection", Some("keep-alive"))]);
        doubled.append("connection", HeaderValue::from_static("upgrade"));
        assert!(upgrade(&Method::GET, &doubled).is_ok());
    }

    #[test]
    fn what_is_not_an_upgrade_is_refused() {
        let post = upgrade(&Method::POST, &headers(&[])).unwrap_err();
        assert_eq!((post, post.status().as_u16()), (UpgradeError::Method, 405));
        assert_eq!(post.headers()["allow"], "GET");
        for changes in [
            [("upgrade", None)],
            [("upgrade", Some("websockets"))],
            [("connection", None)],
            [("connection", Some("keep-alive"))],
        ] {
            assert_eq!(refused(&changes), UpgradeError::NotUpgrade);
        }
        assert_eq!(UpgradeError::NotUpgrade.headers()["upgrade"], "websocket");
    }

    #[test]
    fn another_version_gets_426_and_ours() {
        for version in [None, Some("8"), Some("14"), Some("13, 8"), Some("")] {
            let error = refused(&[("sec-websocket-version", version)]);
            assert_eq!((error, error.status().as_u16()), (UpgradeError::Version, 426));
            assert_eq!(error.headers()["sec-websocket-version"], "13");
        }
    }

    #[test]
    fn the_key_is_16_bytes_sent_once() {
        for key in [
            None,
            Some(""),
            Some("dGhlIHNhbXBsZSBub25jZQ"),
            Some("dGhlIHNhbXBsZSBub25j"),
            Some("dGhlIHNhbXBsZSBub25jZQAA"),
            Some("!!!!!!!!!!!!!!!!!!!!!!=="),
        ] {
            let error = refused(&[("sec-websocket-key", key)]);
            assert_eq!((error, error.status().as_u16()), (UpgradeError::Key, 400), "{key:?}");
        }
        let mut doubled = headers(&[]);
        doubled.append("sec-websocket-key", HeaderValue::from_static(KEY));
        assert_eq!(upgrade(&Method::GET, &doubled), Err(UpgradeError::Key));
    }

    #[test]
    fn our_subprotocol_is_chosen_where_it_is_offered() {
        let offered = |list| subprotocol(&headers(&[("sec-websocket-protocol", list)]));
        assert_eq!(offered(None), Ok(None));
        for list in ["verbatim.v1", "verbatim.v2, verbatim.v1", "a,verbatim.v1 ,b"] {
            assert_eq!(offered(Some(list)).unwrap().unwrap(), SUBPROTOCOL);
        }
        for list in ["verbatim.v2", "VERBATIM.V1", "verbatim.v1x", "", "chat, superchat"] {
            assert_eq!(offered(Some(list)), Err(UpgradeError::Subprotocol), "{list}");
        }
        let error = refused(&[("sec-websocket-protocol", Some("chat"))]);
        assert_eq!((error, error.status().as_u16()), (UpgradeError::Subprotocol, 400));
        let mut two = headers(&[("sec-websocket-protocol", Some("chat"))]);
        two.append("sec-websocket-protocol", HeaderValue::from_static("verbatim.v1"));
        assert!(
            upgrade(&Method::GET, &two).unwrap().headers()["sec-websocket-protocol"] == SUBPROTOCOL
        );
    }
}
