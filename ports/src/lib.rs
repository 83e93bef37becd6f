//! The `ports` room of the house: see docs/ARCHITECTURE.md.
