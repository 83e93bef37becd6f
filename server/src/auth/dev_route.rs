//! `POST /v1/dev/tokens`, in development mode only.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use verbatim_http::{Mount, Refusal, StrictJson};
use verbatim_ports::{auth::Roles, clock::Clock};
use verbatim_schemas::rest::{CreateDevToken, DevToken};
use verbatim_schemas::routes::{self, Service};
use verbatim_schemas::{Code, Problem};

use super::{claims, dev::DevTokens};

/// The route. Mount it in development mode only: it asks nobody for anything.
pub fn router(tokens: DevTokens, clock: Arc<dyn Clock>) -> Router {
    let answer = move |headers: HeaderMap, StrictJson(wanted): StrictJson<CreateDevToken>| {
        std::future::ready(mint(&tokens, &*clock, &headers, &wanted).map_err(Refusal))
    };
    Mount::new(Service::Server).route(&routes::CREATE_DEV_TOKEN, answer).finish_partly()
}

fn mint(
    tokens: &DevTokens,
    clock: &dyn Clock,
    headers: &HeaderMap,
    wanted: &CreateDevToken,
) -> Result<Response, Problem> {
    if !headers.get(header::HOST).is_none_or(names_this_machine) {
        return Err(Problem::new(Code::Forbidden).detail("ask on a loopback address or localhost"));
    }
    let unknown = |role: &String| !claims::allow(&mut Roles::default(), role);
    if let Some(index) = wanted.roles.iter().position(unknown) {
        let detail = "must be moderator, analyst, auditor or service";
        return Err(Problem::invalid(format!("roles[{index}]"), detail));
    }
    let device = wanted.device.clone().unwrap_or_default();
    let (token, expires_at) = tokens
        .mint(&wanted.user_id, &device, &wanted.roles, clock.now())
        .map_err(|_| Problem::new(Code::Unavailable))?;
    let never_keep = [(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))];
    let body = Json(DevToken { token, expires_at });
    Ok((StatusCode::CREATED, never_keep, body).into_response())
}

/// A page elsewhere can point its own name at loopback (DNS rebinding); the Host tells.
fn names_this_machine(host: &HeaderValue) -> bool {
    let host = host.to_str().unwrap_or_default();
    let address = || host.parse::<SocketAddr>().map(|address| address.ip());
    let bare = || host.trim_matches(['[', ']']).parse::<IpAddr>();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name.eq_ignore_ascii_case("localhost")
        || address().or_else(|_| bare()).is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use tower::ServiceExt;
    use verbatim_schemas::Timestamp;

    use super::super::Verifier;
    use super::super::testing::auth_settings;
    use super::*;

    struct Fixed;

    impl Clock for Fixed {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_700_000_000_000)
        }
    }

    async fn ask(tokens: &DevTokens, media_type: &str, body: &str) -> (u16, serde_json::Value) {
        let request = Request::post("/v1/dev/tokens")
            .header("content-type", media_type)
            .body(Body::from(body.to_owned()))
            .unwrap();
        let app = router(tokens.clone(), Arc::new(Fixed));
        let response = app.oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 16).await.unwrap();
        (status, serde_json::from_slice(&bytes).unwrap())
    }

    #[tokio::test]
    async fn a_token_is_minted_and_taken() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = DevTokens::open(folder.path()).unwrap();
        let json = "application/json; charset=utf-8";
        let (status, answer) = ask(&tokens, json, r#"{"user_id":"alice"}"#).await;
        assert_eq!(status, 201);
        assert_eq!(answer["expires_at"], "2023-11-15T22:13:20.000Z");
        let verifier = Verifier::new(&[tokens.issuer()], &auth_settings()).unwrap();
        verifier.load().await.unwrap();
        let actor = verifier.verify(answer["token"].as_str().unwrap(), Fixed.now()).await.unwrap();
        assert_eq!(actor.user.as_str(), "alice");
    }

    #[test]
    fn only_names_of_this_machine_are_taken() {
        let takes = |host: &str| names_this_machine(&HeaderValue::from_str(host).unwrap());
        for own in
            ["localhost", "localhost:8080", "127.0.0.1:8080", "127.0.0.1", "[::1]:80", "[::1]"]
        {
            assert!(takes(own), "{own}");
        }
        for other in
            ["", "evil.example", "evil.example:8080", "10.0.0.1:80", "localhost.evil.example"]
        {
            assert!(!takes(other), "{other}");
        }
    }

    #[tokio::test]
    async fn wrong_requests_get_their_code() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = DevTokens::open(folder.path()).unwrap();
        let json = "application/json";
        for (media_type, body, status, code) in [
            ("text/plain", r#"{"user_id":"alice"}"#, 415, "unsupported_media_type"),
            (json, r#"{"user_id":"a b"}"#, 422, "invalid"),
            (json, r#"{"user_id":"a","x":1}"#, 422, "unknown_field"),
            (json, r#"{"user_id":"a""#, 400, "malformed"),
            (json, "", 400, "malformed"),
        ] {
            let (got, answer) = ask(&tokens, media_type, body).await;
            assert_eq!((got, answer["code"].as_str()), (status, Some(code)), "{body}");
        }
    }
}
