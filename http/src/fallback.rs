//! Unknown routes and wrong methods.

use axum::Router;
use verbatim_schemas::Code;

use crate::Refusal;

/// Answers what no route takes: 404 `not_found`, and 405 `method_not_allowed` with `Allow` where
/// only the method is wrong. To be called once, on the router of all services together.
pub fn with_fallbacks<S: Clone + Send + Sync + 'static>(router: Router<S>) -> Router<S> {
    router
        .method_not_allowed_fallback(|| async { Refusal::from(Code::MethodNotAllowed) })
        .fallback(|| async { Refusal::from(Code::NotFound) })
}
