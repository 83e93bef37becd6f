//! The `schemas` room of the house: see docs/ARCHITECTURE.md.
