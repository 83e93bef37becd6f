//! G7: nobody reads, receives or is pushed what they may not see.
//!
//! The matrix is every route and every client frame, as the tables of `schemas` list them, for every
//! kind of caller. An unlisted route or frame has no row here and fails.

mod cast;
mod edges;
mod frames;
mod intervals;
mod routes;
