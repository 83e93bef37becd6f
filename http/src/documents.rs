//! The documents, made once and served from memory.

use axum::Router;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use verbatim_schemas::{
    documents::{DOCS_CSS, asyncapi, docs_html, openapi},
    routes::{ASYNCAPI_DOCUMENT, DOCS_PAGE, DOCS_STYLE, OPENAPI_DOCUMENT, Route, Service},
};

use crate::Mount;

/// The page loads its style sheet, and nothing else.
const POLICY: &str = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; \
frame-ancestors 'none'";

/// Serves `/openapi.json`, `/asyncapi.json`, `/docs` and `/docs.css`.
pub fn documents_router() -> Router {
    let documents = [
        (&OPENAPI_DOCUMENT, openapi().to_string()),
        (&ASYNCAPI_DOCUMENT, asyncapi().to_string()),
        (&DOCS_PAGE, docs_html()),
        (&DOCS_STYLE, DOCS_CSS.to_owned()),
    ];
    let mount = Mount::new(Service::Documents);
    let mount = documents.into_iter().fold(mount, |mount, (route, text)| {
        let body = Bytes::from(text);
        mount.route(route, move || async move { (headers(route), body) })
    });
    mount.finish()
}

fn headers(route: &Route) -> HeaderMap {
    let media = route.answers.first().and_then(|answer| answer.media).unwrap_or_default();
    let mut headers = HeaderMap::new();
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(header::CONTENT_TYPE, media);
    set(header::CACHE_CONTROL, "no-cache");
    set(header::CONTENT_SECURITY_POLICY, POLICY);
    set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{ask, json_of, text_of};

    #[tokio::test]
    async fn every_document_is_served_as_what_it_is() {
        let app = documents_router();
        for (path, media) in [
            ("/openapi.json", "application/json"),
            ("/asyncapi.json", "application/json"),
            ("/docs", "text/html; charset=utf-8"),
            ("/docs.css", "text/css; charset=utf-8"),
        ] {
            let response = ask(&app, path).await;
            assert_eq!(response.status(), 200, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], media);
            assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff");
        }
        assert_eq!(json_of(ask(&app, "/openapi.json").await).await["openapi"], "3.1.0");
        assert_eq!(json_of(ask(&app, "/asyncapi.json").await).await["asyncapi"], "3.0.0");
    }

    #[tokio::test]
    async fn the_pages_links_are_served_and_its_policy_is_strict() {
        let app = documents_router();
        let response = ask(&app, "/docs").await;
        let policy =
            response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        let page = text_of(response).await;
        let links = page.split("href=\"/").skip(1).map(|rest| rest.split('"').next().unwrap());
        for link in links {
            assert_eq!(ask(&app, &format!("/{link}")).await.status(), 200, "/{link}");
        }
    }
}
