//! The page that the server serves, embedded in the binary, and the headers that guard it.

mod assets;
mod headers;

pub use assets::{Asset, router, router_of};
pub use headers::{CONTENT_SECURITY_POLICY, security_headers};
