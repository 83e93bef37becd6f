//! Time and randomness as parameters, so that tests decide both.

use uuid::Uuid;
use verbatim_schemas::{CommandId, Salt, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The time now, by this node's clock. May jump; whoever needs order takes it from the log.
    fn now(&self) -> Timestamp;
}

/// Gives random bytes.
pub trait Entropy: Send + Sync {
    /// Fills `bytes` with bytes that nobody can guess.
    fn fill(&self, bytes: &mut [u8]);
}

/// A new salt.
pub fn new_salt(entropy: &dyn Entropy) -> Salt {
    let mut salt = Salt([0; 16]);
    entropy.fill(&mut salt.0);
    salt
}

/// A new UUIDv7 of the given time (RFC 9562, section 5.7).
pub fn new_command_id(entropy: &dyn Entropy, now: Timestamp) -> CommandId {
    let mut random = [0; 10];
    entropy.fill(&mut random);
    let id: Uuid = uuid::Builder::from_unix_timestamp_millis(now.as_millis(), &random).into_uuid();
    // A builder of version 7 makes version 7.
    CommandId::new(id).unwrap_or(CommandId::MIN)
}
