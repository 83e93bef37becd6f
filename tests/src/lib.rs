//! The `tests` room of the house: see docs/ARCHITECTURE.md.
