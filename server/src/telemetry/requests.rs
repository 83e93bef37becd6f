//! One log line and two metrics a request.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderName, HeaderValue, Method};

use verbatim_ports::clock::Entropy;

use crate::clock::{Stopwatch, SystemEntropy};

/// The request's id, in the answer and in the log. A client's own is taken over.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The longest id that is taken over from a client.
const REQUEST_ID_MAX: usize = 64;

/// What stands for the path where no route matched: a raw path could hold anything.
const UNMATCHED: &str = "(unmatched)";

/// Middleware that logs method, matched path, status, latency and request id, and counts the same.
/// Neither query, headers nor bodies are looked at. Apply it around all routes with
/// `axum::middleware::from_fn`.
pub async fn log_requests(request: Request, next: Next) -> Response {
    let method = method_label(request.method());
    let path = request.extensions().get::<MatchedPath>().cloned();
    let id = request.headers().get(REQUEST_ID).and_then(acceptable).unwrap_or_else(new_id);
    let watch = Stopwatch::start();
    let mut response = next.run(request).await;
    let (took, status) = (watch.elapsed(), response.status());
    let path = path.as_ref().map_or(UNMATCHED, MatchedPath::as_str);

    let labels = [
        ("method", metrics::SharedString::const_str(method)),
        ("path", metrics::SharedString::from(path.to_owned())),
    ];
    metrics::histogram!("verbatim_http_request_duration_seconds", &labels)
        .record(took.as_secs_f64());
    let [method_pair, path_pair] = labels;
    let status_pair = ("status", metrics::SharedString::from(status.as_str().to_owned()));
    metrics::counter!("verbatim_http_requests_total", &[method_pair, path_pair, status_pair])
        .increment(1);

    let (micros, shown_id) = (took.as_micros(), id.to_str().unwrap_or_default());
    if status.is_server_error() {
        tracing::warn!(method, path, status = status.as_u16(), micros, id = shown_id, "request");
    } else {
        tracing::info!(method, path, status = status.as_u16(), micros, id = shown_id, "request");
    }
    response.headers_mut().entry(REQUEST_ID).or_insert(id);
    response
}

/// Methods are the client's to invent; labels are not.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "OTHER",
    }
}

fn acceptable(value: &HeaderValue) -> Option<HeaderValue> {
    let bytes = value.as_bytes();
    let fits = (1..=REQUEST_ID_MAX).contains(&bytes.len())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(byte));
    fits.then(|| value.clone())
}

/// An id that is unique within the process and very likely among all: a random start and a count.
fn new_id() -> HeaderValue {
    static START: LazyLock<u64> = LazyLock::new(random_start);
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let id = format!("{:016x}-{count:x}", *START);
    HeaderValue::from_str(&id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn random_start() -> u64 {
    let mut bytes = [0; 8];
    SystemEntropy.fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use axum::Router;
    use axum::body::Body;
    use axum::routing::get;
    use tower::ServiceExt;
    use tracing::instrument::WithSubscriber;

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    async fn ask(path: &str, id: Option<&str>) -> (Response, String) {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber =
            tracing_subscriber::fmt().json().with_writer(move || writer.clone()).finish();
        let app = Router::new()
            .route("/v1/conversations/{id}", get(async || "a body"))
            .layer(axum::middleware::from_fn(log_requests));
        let mut request = Request::builder().uri(path).header("authorization", "Bearer tok3n");
        if let Some(id) = id {
            request = request.header("x-request-id", id);
        }
        let request = request.body(Body::from("b0dy")).unwrap();
        let response = app.oneshot(request).with_subscriber(subscriber).await.unwrap();
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        (response, text)
    }

    #[tokio::test]
    async fn a_line_names_the_route_and_nothing_of_the_client() {
        let (response, line) = ask("/v1/conversations/s3cret?q=qu3ry", None).await;
        assert!(line.contains("/v1/conversations/{id}"), "{line}");
        assert!(line.contains("\"status\":200"), "{line}");
        let id = response.headers()["x-request-id"].to_str().unwrap();
        assert!(line.contains(id), "{line}");
        for hidden in ["s3cret", "qu3ry", "tok3n", "b0dy"] {
            assert!(!line.contains(hidden), "{line}");
        }
    }

    #[tokio::test]
    async fn an_unknown_path_is_not_shown() {
        let (response, line) = ask("/s3cret", None).await;
        assert_eq!(response.status(), 404);
        assert!(line.contains(UNMATCHED) && !line.contains("s3cret"), "{line}");
    }

    #[tokio::test]
    async fn a_clients_id_is_taken_when_it_is_harmless() {
        let (response, line) = ask("/", Some("abc-1")).await;
        assert_eq!(response.headers()["x-request-id"], "abc-1");
        assert!(line.contains("abc-1"));
        for wrong in ["a b", "\"", &"x".repeat(65)] {
            let (response, _) = ask("/", Some(wrong)).await;
            assert_ne!(response.headers()["x-request-id"], wrong);
        }
    }
}
