//! Requests and answers.

use axum::{Router, body::Body};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;
use verbatim_domain::Position;
use verbatim_schemas::CommandId;

/// A request that is being made.
pub struct Ask {
    router: Router,
    request: Request<Body>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Ask {
    pub fn new(router: Router, method: &str, path: &str) -> Self {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        Self { router, request }
    }

    /// Who asks.
    pub fn by(self, who: &str) -> Self {
        self.header("authorization", &format!("Bearer {who}"))
    }

    /// Under which id.
    pub fn key(self, id: CommandId) -> Self {
        self.header("idempotency-key", &id.to_string())
    }

    pub fn header(mut self, name: &'static str, value: &str) -> Self {
        self.request.headers_mut().append(name, value.parse().unwrap());
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.text(&body.to_string())
    }

    /// A body that is called JSON.
    pub fn text(self, body: &str) -> Self {
        let mut asked = self.header("content-type", "application/json");
        *asked.request.body_mut() = Body::from(body.to_owned());
        asked
    }

    pub async fn send(self) -> Answer {
        let response = self.router.oneshot(self.request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Answer { status: parts.status, headers: parts.headers, bytes }
    }
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `Verbatim-Position`, where it is one.
    pub fn position(&self) -> Option<Position> {
        Some(Position::parse(self.header("verbatim-position")?).unwrap())
    }

    pub fn is_duplicate(&self) -> bool {
        self.header("verbatim-duplicate") == Some("true")
    }

    /// The status and code of a refusal, and the field.
    #[track_caller]
    pub fn refusal(&self) -> (u16, String, Option<String>) {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{self:?}");
        assert!(self.position().is_none() && !self.is_duplicate());
        let body = self.json();
        let text = |name: &str| body[name].as_str().map(str::to_owned);
        (self.status.as_u16(), text("code").unwrap(), text("field"))
    }

    /// The code of a refusal.
    #[track_caller]
    pub fn code(&self) -> String {
        self.refusal().1
    }
}
