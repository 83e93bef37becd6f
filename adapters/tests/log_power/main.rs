//! The embedded log on a disk that loses power, fills up and fails: what was acknowledged stays.
#![expect(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod cuts;
mod disk_faults;
mod support;
