//! A record of `chat.timeline` is read once in a process, whoever of its followers comes first.

use std::sync::{Arc, OnceLock};

use verbatim_schemas::{Digest, Ruling};

/// What a record says as a ruling. Copies of a record share it. It follows from the record's value, so
/// all are equal.
#[derive(Debug, Clone, Default)]
pub struct Reading(Arc<OnceLock<Option<Read>>>);

/// A ruling and the hash of its bytes.
#[derive(Debug, Clone)]
pub struct Read {
    /// The ruling.
    pub ruling: Arc<Ruling>,
    /// The BLAKE3 hash of its bytes as they stand on the timeline.
    pub hash: Digest,
}

impl Reading {
    /// Reads the record's value, or gives what was read before. None when it is no ruling, or one of
    /// a version that is not known.
    pub(crate) fn of(&self, value: &[u8]) -> Option<&Read> {
        let read = || {
            let ruling = Arc::new(Ruling::decode(value).ok()?);
            Some(Read { ruling, hash: Digest(*blake3::hash(value).as_bytes()) })
        };
        self.0.get_or_init(read).as_ref()
    }
}

impl PartialEq for Reading {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reading {}
