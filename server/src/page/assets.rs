//! Embedded files: only GET and HEAD, each with its type, tag and time to keep.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderValue, Method, StatusCode, header};
use verbatim_http::problem_response;
use verbatim_schemas::{Code, Problem};

/// The files of `clients/web/dist` at build time.
static EMBEDDED: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// What is served when the page was not built.
const MISSING: &[u8] = b"<!doctype html><html lang=\"en\"><meta charset=\"utf-8\">\
<title>Verbatim</title><h1>Verbatim is running</h1>\
<p>The page was not built into this binary: run <code>make web</code>, then build again.</p>\
<p>The interface is here all the same: <a href=\"/openapi.json\">/openapi.json</a>, \
<a href=\"/asyncapi.json\">/asyncapi.json</a>.</p></html>";

const INDEX: &str = "/index.html";

/// The fewest characters of a content hash in a file's name.
const HASH_CHARS: usize = 8;

/// One file of the page.
#[derive(Debug, Clone)]
pub struct Asset {
    body: Bytes,
    content_type: &'static str,
    cache: &'static str,
    tag: HeaderValue,
}

impl Asset {
    /// A file by its path, which decides its type and how long it may be kept.
    pub fn new(path: &str, body: &'static [u8]) -> Self {
        let digest = blake3::hash(body).to_hex();
        let tag = HeaderValue::from_str(&format!("\"{}\"", &digest[..32]))
            .unwrap_or_else(|_| HeaderValue::from_static("\"\""));
        let cache =
            if is_hashed(path) { "public, max-age=31536000, immutable" } else { "no-cache" };
        Self { body: Bytes::from_static(body), content_type: content_type(path), cache, tag }
    }

    fn answer(&self, request: &Request) -> Response {
        let mut response = Response::new(Body::empty());
        if request.method() != Method::GET && request.method() != Method::HEAD {
            return method_not_allowed();
        }
        let headers = response.headers_mut();
        headers.insert(header::ETAG, self.tag.clone());
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(self.cache));
        // Also of a 304 it is the length that a 200 would have (RFC 9110, section 8.6).
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(self.body.len()));
        let known = request.headers().get_all(header::IF_NONE_MATCH).iter();
        if known.filter_map(|line| line.to_str().ok()).any(|line| self.is_among(line)) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if request.method() == Method::GET {
            *response.body_mut() = Body::from(self.body.clone());
        }
        response
    }

    fn is_among(&self, tags: &str) -> bool {
        let own = self.tag.to_str().unwrap_or_default();
        tags.split(',').map(str::trim).any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == own)
    }
}

/// The routes of the embedded page: `/` and each of its files.
pub fn router() -> Router {
    router_of(EMBEDDED)
}

/// The routes of any table of paths and bytes; without an index, `/` says how to build one.
pub fn router_of(files: &[(&str, &'static [u8])]) -> Router {
    let index = files.iter().find(|(path, _)| *path == INDEX).map_or(MISSING, |(_, body)| *body);
    let mut router = Router::new();
    for (path, body) in files.iter().copied().chain([("/", index)]) {
        // Braces are patterns to the router; no bundler writes them.
        if path.contains(['{', '}']) {
            continue;
        }
        let name = if path == "/" { INDEX } else { path };
        let asset = Arc::new(Asset::new(name, body));
        let answer = move |request: Request| std::future::ready(asset.answer(&request));
        router = router.route(path, any(answer));
    }
    router
}

/// Whether a name carries a hash of the content, as bundlers write it: `app-5XK3QZ7A.js`.
fn is_hashed(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or_default();
    name.split(['-', '.']).skip(1).any(|part| {
        part.len() >= HASH_CHARS
            && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && part.bytes().any(|byte| byte.is_ascii_digit())
    })
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next().unwrap_or_default() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

fn method_not_allowed() -> Response {
    let mut response = problem_response(&Problem::new(Code::MethodNotAllowed));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

#[cfg(test)]
mod tests {
    use tower::ServiceExt;

    use super::*;

    const FILES: &[(&str, &[u8])] =
        &[("/index.html", b"<p>hi"), ("/app-5XK3QZ7A.js", b"1"), ("/icon.svg", b"<svg/>")];

    async fn ask(method: &str, path: &str, tag: Option<&str>) -> Response {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(tag) = tag {
            request = request.header("if-none-match", tag);
        }
        let app = router_of(FILES).layer(axum::middleware::from_fn(crate::page::security_headers));
        app.oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
    }

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn files_have_type_cache_and_guards() {
        for (path, kind, cache) in [
            ("/", "text/html; charset=utf-8", "no-cache"),
            ("/index.html", "text/html; charset=utf-8", "no-cache"),
            ("/icon.svg", "image/svg+xml", "no-cache"),
            (
                "/app-5XK3QZ7A.js",
                "text/javascript; charset=utf-8",
                "public, max-age=31536000, immutable",
            ),
        ] {
            let response = ask("GET", path, None).await;
            let headers = response.headers();
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(headers["content-type"], kind, "{path}");
            assert_eq!(headers["cache-control"], cache, "{path}");
            assert_eq!(headers["x-content-type-options"], "nosniff");
            assert_eq!(headers["referrer-policy"], "no-referrer");
            let policy = headers["content-security-policy"].to_str().unwrap();
            assert!(policy.contains("frame-ancestors 'none'"), "{policy}");
        }
        assert_eq!(body(ask("GET", "/", None).await).await, "<p>hi");
    }

    #[tokio::test]
    async fn head_has_the_length_and_no_body() {
        let response = ask("HEAD", "/", None).await;
        assert_eq!(response.headers()["content-length"], "5");
        assert_eq!(body(response).await, "");
    }

    #[tokio::test]
    async fn other_methods_are_refused() {
        for method in ["POST", "PUT", "DELETE", "OPTIONS", "FROB"] {
            let response = ask(method, "/", None).await;
            assert_eq!(response.status(), 405, "{method}");
            assert_eq!(response.headers()["allow"], "GET, HEAD");
            assert!(body(response).await.contains("\"method_not_allowed\""));
        }
    }

    #[tokio::test]
    async fn a_known_tag_is_not_sent_again() {
        let tag = ask("GET", "/", None).await.headers()["etag"].clone();
        let tag = tag.to_str().unwrap();
        for sent in [tag.to_owned(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let response = ask("GET", "/", Some(&sent)).await;
            assert_eq!(response.status(), 304, "{sent}");
            assert_eq!(response.headers()["content-length"], "5");
            assert_eq!(body(response).await, "");
        }
        assert_eq!(ask("GET", "/", Some("\"x\"")).await.status(), 200);
    }

    #[tokio::test]
    async fn without_a_build_it_says_how() {
        let request = Request::get("/").body(Body::empty()).unwrap();
        let response = router_of(&[]).oneshot(request).await.unwrap();
        assert!(body(response).await.contains("make web"));
    }

    #[test]
    fn hashes_are_recognised() {
        for hashed in ["/app-5XK3QZ7A.js", "/assets/app.0a1b2c3d.css", "/a-DEADBEE7.js.map"] {
            assert!(is_hashed(hashed), "{hashed}");
        }
        for plain in ["/index.html", "/app.js", "/service-worker.js", "/manifest.webmanifest"] {
            assert!(!is_hashed(plain), "{plain}");
        }
    }

    #[test]
    fn the_embedded_page_builds_a_router() {
        let _ = router();
    }
}
