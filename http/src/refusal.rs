//! Problems as answers: `application/problem+json` (RFC 9457).

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use verbatim_ports::StoreError;
use verbatim_schemas::{Code, Problem};

/// The type of a problem's body.
pub const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A request that was refused: the error of every handler and extractor.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal(pub Problem);

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self(problem)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self(code.into())
    }
}

impl From<StoreError> for Refusal {
    /// Tells the client to come back, and the operator why.
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::Behind => {}
            StoreError::Corrupt(_) => tracing::error!(%error, "a request was refused"),
            StoreError::Unavailable(_) | StoreError::Fenced => {
                tracing::warn!(%error, "a request was refused");
            }
        }
        Self(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        problem_response(&self.0)
    }
}

/// The answer for a problem, with `Retry-After` and `WWW-Authenticate` where they belong.
pub fn problem_response(problem: &Problem) -> Response {
    // A problem holds strings and a message; both serialise without fail.
    let body = serde_json::to_vec(&problem.body()).unwrap_or_default();
    let status = StatusCode::from_u16(problem.code.status());
    let mut response = (status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, PROBLEM_JSON);
    if let Some(millis) = problem.retry_after_ms {
        headers.insert(header::RETRY_AFTER, HeaderValue::from(millis.div_ceil(1_000)));
    }
    if problem.code == Code::Unauthenticated {
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::json_of;

    #[tokio::test]
    async fn every_code_has_its_status_and_body() {
        for code in Code::ALL {
            let response = Refusal::from(*code).into_response();
            assert_eq!(response.status().as_u16(), code.status());
            assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
            let challenged = response.headers().contains_key(header::WWW_AUTHENTICATE);
            assert_eq!(challenged, response.status() == 401);
            let body = json_of(response).await;
            assert_eq!(body["code"], code.name());
            assert_eq!(body["status"], code.status());
            assert_eq!(body["type"], format!("urn:verbatim:problem:{code}"));
        }
    }

    #[test]
    fn retry_after_is_in_seconds_and_rounded_up() {
        for (millis, seconds) in [(0, "0"), (1, "1"), (1_000, "1"), (1_001, "2")] {
            let problem = Problem::new(Code::RateLimited).retry_after_ms(millis);
            assert_eq!(problem_response(&problem).headers()[header::RETRY_AFTER], seconds);
        }
    }

    #[test]
    fn a_store_that_is_not_there_is_503_and_says_when_to_come_back() {
        for (error, code) in [
            (StoreError::Behind, Code::Behind),
            (StoreError::Unavailable("secret address".into()), Code::Unavailable),
            (StoreError::Corrupt("secret row".into()), Code::Unavailable),
        ] {
            let Refusal(problem) = error.into();
            assert_eq!(problem.code, code);
            assert!(problem.retry_after_ms.is_some());
            assert!(!problem.detail.contains("secret"));
        }
    }
}
