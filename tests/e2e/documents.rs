//! The server answers as its own documents say: every route as `/openapi.json`, every frame as
//! `/asyncapi.json`.

use std::collections::BTreeSet;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use verbatim_schemas::routes::{Access, ROUTES, Route, Service};
use verbatim_tests::{
    Client, Server, Socket, new_id, schema,
    wire::{self, Reply},
};

struct Scene {
    server: Server,
    ada: Client,
    group: String,
    document: Value,
}

async fn scene() -> Result<Scene> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let group = ada.group(&["bob", "cid"]).await?;
    let path = format!("/v1/conversations/{group}/messages");
    let message = json!({"id": new_id(), "text": "x", "metadata": {"a": [1, null]}});
    ada.post(&path, message).await?.expect(201);
    ada.direct("bob").await?;
    let document = ada.get("/openapi.json").await?.expect(200).json();
    Ok(Scene { server, ada, group, document })
}

/// A right request to a route: its path and body.
fn right(operation: &str, group: &str) -> (String, Option<Value>) {
    let under = |part: &str| format!("/v1/conversations/{group}/{part}");
    match operation {
        "openDirect" => ("/v1/direct/eve".to_owned(), None),
        "createConversation" => {
            let body = json!({"kind": "channel", "name": "News", "members": ["bob"]});
            (format!("/v1/conversations/{}", new_id()), Some(body))
        }
        "putMember" => (under("members/dee"), Some(json!({"role": "member"}))),
        "removeMember" => (under("members/cid"), None),
        "sendMessage" => (under("messages"), Some(json!({"id": new_id(), "text": "hello"}))),
        "putReceipts" => (under("receipts"), Some(json!({"read": 1}))),
        "listConversations" => ("/v1/conversations?limit=1".to_owned(), None),
        "getConversation" => (format!("/v1/conversations/{group}"), None),
        "listMembers" => (under("members?limit=1"), None),
        "listMessages" => (under("messages"), None),
        "listEntries" => (under("entries"), None),
        "listReceipts" => (under("receipts"), None),
        "getUnread" => ("/v1/unread".to_owned(), None),
        "getPresence" => ("/v1/presence?user=bob".to_owned(), None),
        "createTicket" => ("/v1/ws/tickets".to_owned(), None),
        "openSocket" => ("/v1/ws".to_owned(), None),
        "createDevToken" => ("/v1/dev/tokens".to_owned(), Some(json!({"user_id": "fay"}))),
        "healthLive" => ("/v1/health/live".to_owned(), None),
        "healthReady" => ("/v1/health/ready".to_owned(), None),
        "openapiDocument" => ("/openapi.json".to_owned(), None),
        "asyncapiDocument" => ("/asyncapi.json".to_owned(), None),
        "docsPage" => ("/docs".to_owned(), None),
        "docsStyle" => ("/docs.css".to_owned(), None),
        unlisted => panic!("{unlisted} is not compared with its description"),
    }
}

impl Scene {
    async fn ask(
        &self,
        route: &Route,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Reply> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let length = body.len().to_string();
        let mut all = vec![("content-length", length.as_str())];
        all.extend(bearer.as_deref().map(|bearer| ("authorization", bearer)));
        all.extend(headers);
        let line = format!("{} {path}", route.method.as_str());
        wire::request(self.server.address(), &line, &all, body).await
    }

    /// Fails where an answer is not as the document describes it.
    #[track_caller]
    fn fits(&self, route: &Route, reply: &Reply) {
        let what = format!("{}: {}", route.operation, reply.everything());
        let method = route.method.as_str().to_ascii_lowercase();
        let described = &self.document["paths"][route.path][&method];
        let response = &described["responses"][reply.status.to_string()];
        assert!(response.is_object(), "{} is not described, {what}", reply.status);
        for (name, header) in response["headers"].as_object().into_iter().flatten() {
            let value = reply.header(name);
            assert!(value.is_some() || header["required"] != true, "{name} is missing, {what}");
            if let Some(value) = value.filter(|_| header["schema"]["type"] == "string") {
                let fits = schema::check(&self.document, &header["schema"], &json!(value));
                assert_eq!(fits, Ok(()), "{name}, {what}");
            }
        }
        let Some(content) = response["content"].as_object() else {
            assert!(reply.body.is_empty(), "a body that is not described, {what}");
            return;
        };
        let media = reply.header("content-type").unwrap_or_default();
        let described = content.get(media).unwrap_or(&Value::Null);
        assert!(described.is_object(), "{media} is not described, {what}");
        if media.ends_with("json") {
            let (wanted, body) = (&described["schema"], reply.json());
            assert_eq!(schema::check(&self.document, wanted, &body), Ok(()), "{what}");
            if wanted != &json!({}) && wanted["type"] != "object" {
                let unnamed = schema::unnamed(&self.document, wanted, &body);
                assert!(unnamed.is_empty(), "{unnamed:?} are not described, {what}");
            }
        }
    }
}

#[tokio::test]
async fn every_route_answers_as_openapi_says() -> Result<()> {
    let scene = scene().await?;
    let token = scene.ada.token.as_deref();
    let json = ("content-type", "application/json");
    for route in ROUTES.iter().filter(|route| route.service != Service::Metrics) {
        let (path, body) = right(route.operation, &scene.group);
        let bytes = body.map(|body| body.to_string()).unwrap_or_default();
        if route.operation != "openSocket" {
            let reply = scene.ask(route, &path, token, &[json], bytes.as_bytes()).await?;
            let success = route.answers.iter().any(|answer| answer.status == reply.status);
            assert!(success, "{}: {reply:?}", route.operation);
            scene.fits(route, &reply);
        }
        // And what goes wrong.
        let mut wrong = Vec::new();
        if route.access == Access::User {
            wrong.push(scene.ask(route, &path, None, &[json], bytes.as_bytes()).await?);
        }
        let strange = format!("{path}{}strange=1", if path.contains('?') { "&" } else { "?" });
        wrong.push(scene.ask(route, &strange, token, &[json], bytes.as_bytes()).await?);
        let large = vec![b' '; 256 * 1024 + 1];
        if route.operation != "openSocket" {
            wrong.push(scene.ask(route, &path, token, &[json], &large).await?);
        }
        if route.path.contains("{id}") && route.operation != "createConversation" {
            let (missing, _) = right(route.operation, &new_id());
            wrong.push(scene.ask(route, &missing, token, &[json], bytes.as_bytes()).await?);
        }
        if route.body.is_some() {
            for body in [&b"{"[..], b"[]", b"{\"strange\":1}"] {
                wrong.push(scene.ask(route, &path, token, &[json], body).await?);
            }
            wrong.push(scene.ask(route, &path, token, &[], bytes.as_bytes()).await?);
        }
        if route.after {
            for header in [("verbatim-after", "x"), ("verbatim-wait", "x")] {
                wrong.push(scene.ask(route, &path, token, &[header], b"").await?);
            }
        }
        if route.idempotency {
            let key = ("idempotency-key", "x");
            wrong.push(scene.ask(route, &path, token, &[json, key], bytes.as_bytes()).await?);
        }
        for reply in wrong {
            assert!((400..500).contains(&reply.status), "{}: {reply:?}", route.operation);
            scene.fits(route, &reply);
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_command_that_is_not_waited_for_and_a_repeat_answer_as_openapi_says() -> Result<()> {
    let scene = scene().await?;
    let token = scene.ada.token.as_deref();
    let headers = [("content-type", "application/json"), ("prefer", "respond-async")];
    for route in ROUTES.iter().filter(|route| route.command) {
        let (path, body) = right(route.operation, &scene.group);
        let bytes = body.map(|body| body.to_string()).unwrap_or_default();
        let reply = scene.ask(route, &path, token, &headers, bytes.as_bytes()).await?;
        assert_eq!(reply.status, 202, "{}: {reply:?}", route.operation);
        scene.fits(route, &reply);
        let again = scene.ask(route, &path, token, &headers[..1], bytes.as_bytes()).await?;
        assert!((200..300).contains(&again.status), "{}: {again:?}", route.operation);
        scene.fits(route, &again);
    }
    Ok(())
}

#[tokio::test]
async fn every_frame_is_as_asyncapi_says() -> Result<()> {
    let server = Server::start().await?;
    let ada = Client::sign_in(&server, "ada").await?;
    let bob = Client::sign_in(&server, "bob").await?;
    let document = ada.get("/asyncapi.json").await?.expect(200).json();
    let group = ada.group(&["bob"]).await?;
    let channel = json!({"kind": "channel", "name": "News", "members": ["bob"]});
    let channel = ada.create(channel).await?;
    let mut one = Socket::open(&ada).await?;
    let mut two = Socket::open(&bob).await?;
    two.ask(json!({"type": "watch", "users": ["ada"]})).await?;
    one.say(&group, "hello").await?;
    one.send(json!({"type": "typing", "conversation_id": group})).await?;
    two.expect("typing").await?;
    two.ask(json!({"type": "receipt", "conversation_id": group, "read": 1})).await?;
    one.expect("receipt").await?;
    two.ask(json!({"type": "fetch", "conversation_id": group, "after": 0})).await?;
    one.say(&channel, "news").await?;
    two.expect("unread").await?;
    one.ask(json!({"type": "view", "conversation_id": channel})).await?;
    one.ask(json!({"type": "renew", "token": ada.token})).await?;
    two.ask(json!({"type": "view", "conversation_id": new_id()})).await?;
    ada.put(&format!("/v1/conversations/{group}/members/eve"), json!({"role": "admin"})).await?;
    ada.put(&format!("/v1/conversations/{group}/members/bob"), json!({"role": "admin"})).await?;
    ada.delete(&format!("/v1/conversations/{group}/members/bob")).await?.expect(204);
    two.expect("left").await?;
    ada.delete(&format!("/v1/conversations/{group}/members/ada")).await?.expect(204);
    one.expect("left").await?;
    for _ in 0..10 {
        two.send(json!({"type": "teleport"})).await?;
    }
    two.closed().await?;
    let mut kinds = BTreeSet::new();
    for text in one.seen.iter().chain(&two.seen) {
        let frame: Value = serde_json::from_str(text)?;
        let frame_type = frame["type"].as_str().context("a frame without a type")?;
        let payload =
            &document["components"]["messages"][format!("server.{frame_type}")]["payload"];
        assert!(payload.is_object(), "{frame_type} is not described: {text}");
        assert_eq!(schema::check(&document, payload, &frame), Ok(()), "{text}");
        let unnamed = schema::unnamed(&document, payload, &frame);
        assert!(unnamed.is_empty(), "{unnamed:?} are not described: {text}");
        kinds.insert(format!("server.{frame_type}"));
    }
    let messages = document["components"]["messages"].as_object().context("no messages")?;
    let described = messages.keys().filter(|name| name.starts_with("server."));
    assert_eq!(kinds, described.cloned().collect(), "each of them came at least once");
    Ok(())
}
