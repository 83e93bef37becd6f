//! The chain: each entry carries a hash over itself and every entry before it, so that one changed,
//! dropped or swapped entry shows, and a body can be erased without breaking it.

use verbatim_schemas::{Chain, Ruling};

/// The chain after `ruling`, which changes content: BLAKE3 of the chain before it and the ruling's
/// canonical form.
pub fn next(previous: Chain, ruling: &Ruling) -> Chain {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&previous.0);
    // Our own types serialise without fail.
    hasher.update(&ruling.canonical().unwrap_or_default());
    Chain(*hasher.finalize().as_bytes())
}
