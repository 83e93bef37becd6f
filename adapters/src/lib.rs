//! The `adapters` room of the house: see docs/ARCHITECTURE.md.
