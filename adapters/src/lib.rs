//! The ports, kept: once embedded, with nothing to install, and once on the engines of production.
//!
//! Both pass the same contract suites (feature `contract` of `verbatim-ports`), so that they are one
//! behaviour. Only the `server` crate names an adapter.

pub mod embedded;

#[cfg(feature = "power-cut")]
pub mod power_cut;

#[cfg(feature = "faults")]
pub mod faults;
