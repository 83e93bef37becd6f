//! Why a token is not taken.

/// Why a token is not taken. The text says what to do, may be shown to the client, and holds
/// nothing of the token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Longer than the bound.
    #[error("the token is too long")]
    TooLong,
    /// Not three parts of base64url with JSON objects in the first two.
    #[error("the token is not a signed JWT: send header.claims.signature as the issuer made it")]
    Malformed,
    /// A `crit` header: extensions that must be understood, and are not.
    #[error("the token has a crit header, and no extension is supported: issue it without")]
    Critical,
    /// The `alg` is none, unknown, or not one of the issuer's.
    #[error("the token's algorithm is not one that its issuer is configured with")]
    Algorithm,
    /// No configured issuer has this name.
    #[error("the token's iss is not a configured issuer")]
    Issuer,
    /// No key with this `kid` and algorithm.
    #[error("the token's key is unknown: its kid and algorithm match none of the issuer's keys")]
    UnknownKey,
    /// The signature is not the key's.
    #[error("the token's signature does not match")]
    Signature,
    /// The issuer's keys could not be read yet.
    #[error("the issuer's keys are not available yet: try again shortly")]
    KeysUnavailable,
    /// No `exp`.
    #[error("the token has no exp: issue it with the second at which it ends")]
    NoExpiry,
    /// A time that is not a number (RFC 7519, NumericDate).
    #[error("the token's exp and nbf must be numbers of seconds since 1970")]
    NotNumericDate,
    /// `exp` lies in the past.
    #[error("the token has expired: get a new one")]
    Expired,
    /// `nbf` lies in the future.
    #[error("the token is not valid yet: check the clocks")]
    NotYet,
    /// `aud` names somebody else.
    #[error("the token's aud is not this server")]
    Audience,
    /// `sub` is missing or no user id.
    #[error(
        "the token's sub must be a user id: 1 to 128 bytes of printable ASCII without space \
         and / ? # % \" \\ , < >"
    )]
    Subject,
    /// `device` is no device id.
    #[error(
        "the token's device must be 1 to 64 bytes of printable ASCII without space \
         and / ? # % \" \\ , < >"
    )]
    Device,
    /// `roles` is no array of strings.
    #[error("the token's roles must be an array of strings")]
    Roles,
}
