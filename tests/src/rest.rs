//! A REST client that knows api.md.

use std::{sync::Arc, time::Duration};

use anyhow::{Context, Result};
use reqwest::{Method, header::HeaderMap};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, pem::PemObject},
};
use serde_json::{Value, json};

use crate::{Server, new_id};

/// How long an answer may take before a client gives up, as every client of a network must: one of
/// hyper 1.12 waits for ever now and then where its server's connections end while it asks.
const ANSWER: Duration = Duration::from_secs(20);

/// An answer, read whole.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub text: String,
}

impl Answer {
    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or(Value::Null)
    }

    /// The problem's code.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }

    /// A header's text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The position.
    pub fn position(&self) -> String {
        self.header("verbatim-position").unwrap_or_default().to_owned()
    }

    /// The same, where the status is as expected.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// A signed-in user.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    tls: Option<Arc<ClientConfig>>,
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    /// Who.
    pub user: String,
    /// The token; none for somebody who is not signed in.
    pub token: Option<String>,
    /// Sent as `Verbatim-After` with every read.
    pub after: Option<String>,
}

impl Client {
    /// Signs a user in.
    pub async fn sign_in(server: &Server, user: &str) -> Result<Self> {
        Self::sign_in_at(&format!("http://{}", server.address()), user, json!({})).await
    }

    /// Signs a user in with more fields in the request.
    pub async fn sign_in_at(base: &str, user: &str, more: Value) -> Result<Self> {
        let mut client = Self::anonymous(base);
        user.clone_into(&mut client.user);
        let mut body = json!({ "user_id": user });
        if let (Some(body), Some(more)) = (body.as_object_mut(), more.as_object()) {
            body.extend(more.clone());
        }
        let answer = client.call(Method::POST, "/v1/dev/tokens", Some(body)).await?.expect(201);
        client.token = answer.json()["token"].as_str().map(str::to_owned);
        Ok(client)
    }

    /// Somebody who is not signed in.
    pub fn anonymous(base: &str) -> Self {
        Self {
            http: reqwest::Client::new(),
            tls: None,
            base: base.to_owned(),
            user: String::new(),
            token: None,
            after: None,
        }
    }

    /// The same, speaking TLS with whoever shows this certificate (PEM).
    pub fn trusting(mut self, certificate: &str) -> Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(certificate.as_bytes())?)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        self.http = reqwest::Client::builder().tls_backend_preconfigured(config.clone()).build()?;
        self.tls = Some(Arc::new(config));
        Ok(self)
    }

    pub(crate) fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.clone()
    }

    /// Any request.
    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Result<Answer> {
        self.call_with(method, path, &[], body.map(|body| body.to_string())).await
    }

    /// Any request with headers and a raw body.
    pub async fn call_with(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<String>,
    ) -> Result<Answer> {
        let read = method == Method::GET;
        let mut request = self.http.request(method, format!("{}{path}", self.base)).timeout(ANSWER);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let (true, Some(after)) = (read, &self.after) {
            request = request.header("verbatim-after", after);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        let response = request.send().await.context("no answer")?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            text: response.text().await.context("the answer broke off")?,
        })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, None).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::PUT, path, Some(body)).await
    }

    /// POST.
    pub async fn post(&self, path: &str, body: Value) -> Result<Answer> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Answer> {
        self.call(Method::DELETE, path, None).await
    }

    /// Opens the direct conversation with somebody; its id.
    pub async fn direct(&self, peer: &str) -> Result<String> {
        let answer = self.call(Method::PUT, &format!("/v1/direct/{peer}"), None).await?;
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text);
        Ok(answer.json()["id"].as_str().context("no id")?.to_owned())
    }

    /// Creates a group; its id.
    pub async fn group(&self, members: &[&str]) -> Result<String> {
        self.create(json!({"kind": "group", "name": "Team", "members": members})).await
    }

    /// Creates a conversation; its id.
    pub async fn create(&self, body: Value) -> Result<String> {
        let id = new_id();
        self.put(&format!("/v1/conversations/{id}"), body).await?.expect(201);
        Ok(id)
    }

    /// Sends a text under a new id.
    pub async fn send(&self, conversation: &str, text: &str) -> Result<Answer> {
        self.send_as(conversation, &new_id(), text).await
    }

    /// Sends a text under an id.
    pub async fn send_as(&self, conversation: &str, id: &str, text: &str) -> Result<Answer> {
        let path = format!("/v1/conversations/{conversation}/messages");
        self.post(&path, json!({"id": id, "text": text})).await
    }

    /// Reads the whole of a conversation's messages, oldest first.
    pub async fn messages(&self, conversation: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut after = Some(0);
        while let Some(seq) = after {
            let path = format!("/v1/conversations/{conversation}/messages?after={seq}&limit=200");
            let page = self.get(&path).await?.expect(200).json();
            all.extend(page["items"].as_array().context("no items")?.iter().cloned());
            after = page["next"].as_u64();
        }
        Ok(all)
    }
}
