//! A server with somebody and a conversation to be wrong about.

use anyhow::Result;
use serde_json::Value;
use verbatim_tests::{
    Client, Server,
    wire::{self, Reply},
};

/// What is aimed at.
pub struct Target {
    pub server: Server,
    pub ada: Client,
    /// Ada's conversation with Bob.
    pub id: String,
    bearer: String,
}

impl Target {
    /// Starts a server with some of its bounds set.
    pub async fn start(env: &[(&str, &str)]) -> Result<Self> {
        let server = Server::start_with(&[], env).await?;
        let ada = Client::sign_in(&server, "ada").await?;
        let id = ada.direct("bob").await?;
        let bearer = format!("Bearer {}", ada.token.clone().unwrap_or_default());
        Ok(Self { server, ada, id, bearer })
    }

    /// The header `Authorization`.
    pub fn bearer(&self) -> (&str, &str) {
        ("authorization", &self.bearer)
    }

    /// A request of Ada's with headers and a body as they are.
    pub async fn ask(&self, line: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Reply> {
        let mut all = vec![self.bearer()];
        all.extend(headers);
        wire::request(self.server.address(), line, &all, body).await
    }

    /// A request of Ada's with a body that says it is JSON.
    pub async fn json(&self, line: &str, body: &[u8]) -> Result<Reply> {
        let length = body.len().to_string();
        let headers = [("content-type", "application/json"), ("content-length", length.as_str())];
        self.ask(line, &headers, body).await
    }

    /// Sends a message's body as it is.
    pub async fn message(&self, body: &[u8]) -> Result<Reply> {
        self.json(&format!("POST /v1/conversations/{}/messages", self.id), body).await
    }

    /// The server goes on serving.
    pub async fn serves(&self) -> Result<()> {
        self.ada.send(&self.id, "still here").await?.expect(201);
        Ok(())
    }
}

/// Checks a refusal: status and code, that the body says the same, and where there is one the field.
#[track_caller]
pub fn refused(what: &str, reply: &Reply, status: u16, code: &str, field: Option<&str>) {
    assert_eq!((reply.status, reply.code().as_str()), (status, code), "{what}: {reply:?}");
    let problem = reply.json();
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{what}");
    assert_eq!(problem["status"], status, "{what}");
    assert_eq!(problem["type"], format!("urn:verbatim:problem:{code}"), "{what}");
    for part in ["title", "detail", "retry"] {
        assert!(problem[part].as_str().is_some_and(|text| !text.is_empty()), "{what}: {part}");
    }
    if let Some(field) = field {
        assert_eq!(problem["field"], field, "{what}: {problem}");
    }
    let header = reply.header("retry-after").is_some();
    assert_eq!(header, problem["retry_after_ms"] != Value::Null, "{what}: Retry-After");
}
