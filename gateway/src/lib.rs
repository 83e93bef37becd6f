//! The `gateway` room of the house: see docs/ARCHITECTURE.md.

pub mod codec;
