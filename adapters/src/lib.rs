//! The `adapters` room of the house: see docs/ARCHITECTURE.md.

#[cfg(feature = "power-cut")]
pub mod power_cut;
