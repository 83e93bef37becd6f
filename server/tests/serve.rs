//! `serve` around a service of one route: keys, page, tokens, metrics, signals.

#![expect(clippy::unwrap_used, reason = "a failing test may panic anywhere")]

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use http::HeaderMap;
use rustix::process::{Signal, getpid, kill_process};
use verbatim_ports::auth::Authenticator;
use verbatim_server::config::{Config, Flags};
use verbatim_server::serve::{self, Services, Shell};

/// Says whom the bearer token speaks for.
async fn start(shell: Arc<Shell>) -> anyhow::Result<Services> {
    let whoami = async move |headers: HeaderMap| {
        let header = headers.get("authorization").and_then(|value| value.to_str().ok());
        let token = header.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
        match shell.authenticator.authenticate(token).await {
            Ok(actor) => actor.user.to_string(),
            Err(error) => error.to_string(),
        }
    };
    let stop = Box::pin(async { Ok(()) });
    Ok(Services { router: Router::new().route("/v1/whoami", get(whoami)), stop })
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

async fn text(client: &reqwest::Client, url: &str, token: &str) -> String {
    client.get(url).bearer_auth(token).send().await.unwrap().text().await.unwrap()
}

/// One test, since signals are the whole process's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_serves_until_a_signal_ends_it() {
    let folder = tempfile::tempdir().unwrap();
    let metrics = format!("127.0.0.1:{}", free_port());
    let flags = Flags {
        dev: true,
        data: Some(folder.path().join("data").display().to_string()),
        listen: Some("127.0.0.1:0".to_owned()),
        ..Flags::default()
    };
    let env = [("VERBATIM_METRICS_LISTEN".to_owned(), metrics.clone())];
    let config = Config::load_for_serving(&flags, env.into_iter()).unwrap();
    let (ready, is_ready) = tokio::sync::oneshot::channel::<SocketAddr>();
    let running = tokio::spawn(serve::run(config, start, |address| ready.send(address).unwrap()));
    let base = format!("http://{}", is_ready.await.unwrap());
    let client = reqwest::Client::builder().no_proxy().build().unwrap();

    let request = client.post(format!("{base}/v1/dev/tokens"));
    let request = request.header("content-type", "application/json");
    let answer = request.body(r#"{"user_id":"alice"}"#).send().await.unwrap();
    assert_eq!(answer.status(), 201);
    let answer: serde_json::Value = answer.json().await.unwrap();
    let token = answer["token"].as_str().unwrap();
    assert_eq!(text(&client, &format!("{base}/v1/whoami"), token).await, "alice");
    let refused = text(&client, &format!("{base}/v1/whoami"), "x").await;
    assert!(refused.starts_with("token refused: "), "{refused}");

    let page = client.get(&base).send().await.unwrap();
    assert!(page.headers().contains_key("content-security-policy"));
    assert!(page.headers().contains_key("x-request-id"));
    assert!(page.text().await.unwrap().contains("<title>"));

    let numbers = text(&client, &format!("http://{metrics}/metrics"), "").await;
    assert!(numbers.contains("verbatim_http_requests_total{"), "{numbers}");
    assert!(numbers.contains("path=\"/v1/whoami\""), "{numbers}");
    assert!(!numbers.contains(token) && !numbers.contains("alice"), "{numbers}");

    kill_process(getpid(), Signal::HUP).unwrap();
    assert_eq!(text(&client, &format!("{base}/v1/whoami"), token).await, "alice");
    drop(client);
    kill_process(getpid(), Signal::TERM).unwrap();
    running.await.unwrap().unwrap();
}
