//! Handlers are mounted from the table of routes, or not at all.

use axum::{
    Router,
    extract::Request,
    handler::Handler,
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{MethodFilter, on},
};
use http_body::Body as _;
use verbatim_schemas::routes::{Method, ROUTES, Route, Service};

use crate::{
    Query, Refusal,
    body::{discard, limits},
};

/// Collects the handlers of one service.
///
/// Each route refuses parameters of the query that the table does not name, and reads a body that
/// the table does not know within the bound, to ignore it.
pub struct Mount<S> {
    service: Service,
    router: Router<S>,
    mounted: Vec<&'static str>,
}

impl<S: Clone + Send + Sync + 'static> Mount<S> {
    /// Begins with nothing mounted.
    pub fn new(service: Service) -> Self {
        Self { service, router: Router::new(), mounted: Vec::new() }
    }

    /// Mounts the handler of a route. HEAD comes with GET.
    ///
    /// # Panics
    /// In debug builds, when the route is another service's.
    pub fn route<H, T>(mut self, route: &'static Route, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        debug_assert_eq!(route.service, self.service, "{} is not served here", route.operation);
        self.mounted.push(route.operation);
        let checked = on(filter(route.method), handler)
            .route_layer(middleware::from_fn(move |request, next| check(route, request, next)));
        self.router = self.router.route(route.path, checked);
        self
    }

    /// The operations of the service that no handler was mounted for.
    pub fn missing(&self) -> Vec<&'static str> {
        let of_service = ROUTES.iter().filter(|route| route.service == self.service);
        of_service
            .map(|route| route.operation)
            .filter(|name| !self.mounted.contains(name))
            .collect()
    }

    /// The routes as far as they are mounted, for a service that leaves some out on purpose.
    pub fn finish_partly(self) -> Router<S> {
        self.router
    }

    /// The routes of the whole service.
    ///
    /// # Panics
    /// In debug builds, when an operation of the service is missing.
    pub fn finish(self) -> Router<S> {
        debug_assert!(self.missing().is_empty(), "not mounted: {:?}", self.missing());
        self.router
    }
}

fn filter(method: Method) -> MethodFilter {
    match method {
        Method::Get => MethodFilter::GET,
        Method::Put => MethodFilter::PUT,
        Method::Post => MethodFilter::POST,
        Method::Delete => MethodFilter::DELETE,
    }
}

/// What holds for a route whatever its handler does.
async fn check(route: &'static Route, request: Request, next: Next) -> Response {
    let query = Query::new(request.uri().query().unwrap_or_default());
    if let Err(problem) = query.check(route) {
        return Refusal(problem).into_response();
    }
    if route.body.is_some() || request.body().is_end_stream() {
        return next.run(request).await;
    }
    let limits = limits(&request);
    let (parts, body) = request.into_parts();
    match discard(body, limits).await {
        Ok(()) => next.run(Request::from_parts(parts, axum::body::Body::empty())).await,
        Err(problem) => Refusal(problem).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use std::panic::AssertUnwindSafe;

    use http::header;
    use tower::ServiceExt;
    use verbatim_schemas::routes;

    use super::*;
    use crate::{
        BodyLimits,
        tests::{ask, json_of, text_of},
        with_fallbacks,
    };

    fn app() -> Router {
        let reads = Mount::new(Service::QueryApi)
            .route(&routes::GET_CONVERSATION, || async { "read" })
            .route(&routes::LIST_CONVERSATIONS, || async { "list" });
        let writes = Mount::new(Service::CommandApi)
            .route(&routes::CREATE_CONVERSATION, || async { "made" });
        with_fallbacks(reads.finish_partly().merge(writes.finish_partly()))
    }

    async fn send(method: &str, path: &str, body: &'static str) -> Response {
        let mut request: Request =
            Request::builder().method(method).uri(path).body(body.into()).unwrap();
        request.extensions_mut().insert(BodyLimits { bytes: 4, ..BodyLimits::default() });
        app().oneshot(request).await.unwrap()
    }

    #[test]
    fn what_is_not_mounted_is_missing() {
        let mount: Mount<()> = Mount::new(Service::QueryApi)
            .route(&routes::GET_UNREAD, || async {})
            .route(&routes::GET_PRESENCE, || async {});
        let missing = mount.missing();
        assert!(missing.contains(&"listMessages") && !missing.contains(&"getUnread"));
        assert!(std::panic::catch_unwind(AssertUnwindSafe(|| mount.finish())).is_err());
    }

    #[tokio::test]
    async fn services_share_a_path() {
        assert_eq!(text_of(send("GET", "/v1/conversations/x", "").await).await, "read");
        assert_eq!(text_of(send("PUT", "/v1/conversations/x", "").await).await, "made");
    }

    #[tokio::test]
    async fn head_is_get_without_a_body() {
        let response = send("HEAD", "/v1/conversations/x", "").await;
        assert_eq!(response.status(), 200);
        assert_eq!(text_of(response).await, "");
    }

    #[tokio::test]
    async fn wrong_methods_learn_what_is_allowed() {
        for (path, allowed) in [
            ("/v1/conversations/x", &["GET", "HEAD", "PUT"][..]),
            ("/v1/conversations", &["GET", "HEAD"]),
        ] {
            let response = send("PATCH", path, "").await;
            assert_eq!(response.status(), 405);
            let allow = response.headers()[header::ALLOW].to_str().unwrap();
            let mut methods: Vec<_> = allow.split(',').map(str::trim).collect();
            methods.sort_unstable();
            assert_eq!(methods, allowed);
            assert_eq!(json_of(response).await["code"], "method_not_allowed");
        }
    }

    #[tokio::test]
    async fn unknown_routes_are_not_found() {
        for path in ["/", "/v1", "/v1/conversations/", "/v1/conversations/x/y", "/v2/conversations"]
        {
            let response = ask(&app(), path).await;
            assert_eq!(response.status(), 404, "{path}");
            assert_eq!(json_of(response).await["code"], "not_found");
        }
    }

    #[tokio::test]
    async fn parameters_that_the_table_does_not_name_are_refused() {
        let response = ask(&app(), "/v1/conversations/x?limit=1").await;
        assert_eq!(response.status(), 422);
        let problem = json_of(response).await;
        assert_eq!(
            (&problem["code"], &problem["field"]),
            (&"unknown_field".into(), &"limit".into())
        );
        assert_eq!(ask(&app(), "/v1/conversations?limit=1").await.status(), 200);
    }

    #[tokio::test]
    async fn a_body_that_nobody_asked_for_is_ignored_and_bounded() {
        assert_eq!(send("GET", "/v1/conversations", "{{{{").await.status(), 200);
        assert_eq!(send("GET", "/v1/conversations", "{{{{{").await.status(), 413);
    }
}
