//! How a consumer of `chat.timeline` drops repeats and finds gaps.
//!
//! Retries, two owners at once and a consumer's own restart may all bring a ruling twice, or a ruling
//! whose predecessor did not arrive. Each ruling names its record and the one before it, so a consumer
//! that keeps the last record it applied can tell.

use verbatim_schemas::Src;

/// What to do with a ruling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// It is the next: apply it.
    Apply,
    /// It was applied before: drop it.
    Repeat,
    /// Something is missing before it: skip it, count it, and keep the watermark. The owner emits
    /// again from its last contiguously acknowledged ruling.
    Gap,
}

/// Judges a ruling by the last record applied in its partition (none before the first).
pub fn admit(last: Option<Src>, src: Src, prev_src: Option<Src>) -> Admission {
    match last {
        Some(last) if src <= last => Admission::Repeat,
        last if prev_src == last => Admission::Apply,
        _ => Admission::Gap,
    }
}
