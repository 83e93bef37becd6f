//! A value that is never shown.

use std::fmt;
use std::sync::Arc;

/// A shared secret. `Debug` shows only that it is there; there is no `Display`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// The fewest bytes of a shared secret for HS256 (RFC 7518, section 3.2).
    pub const MIN_BYTES: usize = 32;
    /// The most bytes of a shared secret.
    pub const MAX_BYTES: usize = 4096;

    /// Takes a secret whose length is within bounds, else `None`.
    pub fn new(bytes: &[u8]) -> Option<Self> {
        (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&bytes.len()).then(|| Self(bytes.into()))
    }

    /// The bytes themselves, for the one place that makes a key of them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_and_debug() {
        assert!(Secret::new(&[b'a'; 31]).is_none());
        assert!(Secret::new(&[b'a'; 4097]).is_none());
        let secret = Secret::new(b"0123456789abcdef0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
