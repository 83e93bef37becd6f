//! Cross-origin requests (the Fetch standard's CORS protocol) from the allowed origins.
//!
//! Tokens come in a header and never in a cookie, so credentials are not allowed. From other
//! origins nothing is added, and the browser refuses.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

/// What a page may send.
const ALLOW_HEADERS: &str =
    "authorization, content-type, idempotency-key, prefer, verbatim-after, verbatim-wait";

/// What a page may read.
const EXPOSE_HEADERS: &str = "verbatim-position, verbatim-duplicate, retry-after, x-request-id";

const ALLOW_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";

/// How long a browser may remember the answer, in seconds; no browser takes more.
const MAX_AGE: &str = "7200";

/// The origins that may ask, as browsers write them.
#[derive(Debug, Clone)]
pub struct AllowedOrigins(Arc<[String]>);

impl AllowedOrigins {
    /// Allows these; they are compared byte for byte.
    pub fn new(origins: &[String]) -> Self {
        Self(origins.into())
    }

    fn allows(&self, origin: &HeaderValue) -> bool {
        self.0.iter().any(|allowed| allowed.as_bytes() == origin.as_bytes())
    }
}

/// Middleware for `axum::middleware::from_fn_with_state`: answers preflight requests and marks
/// the other answers.
pub async fn cors(State(origins): State<AllowedOrigins>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN);
    let Some(origin) = origin.filter(|origin| origins.allows(origin)).cloned() else {
        let mut response = next.run(request).await;
        response.headers_mut().append(header::VARY, HeaderValue::from_static("origin"));
        return response;
    };
    let asks_first = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if asks_first { preflight() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    let expose = HeaderValue::from_static(EXPOSE_HEADERS);
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, expose);
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

fn preflight() -> Response {
    const HEADERS: [(HeaderName, &str); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, ALLOW_METHODS),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, MAX_AGE),
    ];
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::put;
    use tower::ServiceExt;

    use super::*;

    async fn ask(method: &str, origin: Option<&str>, asks_first: bool) -> Response {
        let origins = AllowedOrigins::new(&["https://app.example.org".to_owned()]);
        let app = Router::new()
            .route("/v1/x", put(async || "written"))
            .layer(axum::middleware::from_fn_with_state(origins, cors));
        let mut request = Request::builder().method(method).uri("/v1/x");
        if let Some(origin) = origin {
            request = request.header("origin", origin);
        }
        if asks_first {
            request = request.header("access-control-request-method", "PUT");
        }
        app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    #[tokio::test]
    async fn an_allowed_origin_may_ask_and_read() {
        let origin = "https://app.example.org";
        let response = ask("OPTIONS", Some(origin), true).await;
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        let allowed = response.headers()["access-control-allow-headers"].to_str().unwrap();
        assert!(allowed.contains("authorization") && allowed.contains("idempotency-key"));
        let response = ask("PUT", Some(origin), false).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["access-control-allow-origin"], origin);
        assert_eq!(response.headers()["vary"], "origin");
        assert!(!response.headers().contains_key("access-control-allow-credentials"));
    }

    #[tokio::test]
    async fn others_get_nothing() {
        let others = ["https://evil.example", "https://app.example.org.evil.example", "null"];
        for origin in others.map(Some).into_iter().chain([None]) {
            let response = ask("PUT", origin, false).await;
            assert!(!response.headers().contains_key("access-control-allow-origin"));
            let response = ask("OPTIONS", origin, true).await;
            assert_eq!(response.status(), 405);
            assert!(!response.headers().contains_key("access-control-allow-origin"));
        }
    }
}
