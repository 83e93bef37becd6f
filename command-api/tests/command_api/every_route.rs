//! What holds for every route.

use serde_json::{Value, json};
use verbatim_ports::log::Stream;
use verbatim_schemas::ConversationId;

use crate::support::{Answer, Append, Ask, World, ruled};

/// A valid request to every route, by a member of `id`: method, path and body.
fn requests(world: &World, id: ConversationId) -> Vec<(&'static str, String, Option<Value>)> {
    let new = world.conversation_id();
    vec![
        ("PUT", "/v1/direct/zed".into(), None),
        ("PUT", format!("/v1/conversations/{new}"), Some(json!({"kind": "group", "name": "x"}))),
        ("PUT", format!("/v1/conversations/{id}/members/zed"), Some(json!({"role": "member"}))),
        ("DELETE", format!("/v1/conversations/{id}/members/zed"), None),
        (
            "POST",
            format!("/v1/conversations/{id}/messages"),
            Some(json!({"id": world.id(), "text": "x"})),
        ),
        ("PUT", format!("/v1/conversations/{id}/receipts"), Some(json!({"read": 0}))),
    ]
}

fn ask(world: &World, request: &(&'static str, String, Option<Value>)) -> Ask {
    let ask = world.ask(request.0, &request.1);
    match &request.2 {
        Some(body) => ask.json(body),
        None => ask,
    }
}

#[tokio::test]
async fn a_token_is_needed_before_anything_else_is_said() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for request in requests(&world, id) {
        for answer in
            [ask(&world, &request).send().await, ask(&world, &request).by("forged").send().await]
        {
            assert_eq!(answer.refusal(), (401, "unauthenticated".into(), None));
            assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
        }
        let away = ask(&world, &request).by("keys-away").send().await;
        assert_eq!(away.refusal(), (503, "unavailable".into(), None));
        // A wrong body of a stranger is not looked at.
        let wrong = world.ask(request.0, &request.1).text("{").send().await;
        assert_eq!(wrong.code(), "unauthenticated");
    }
    assert_eq!(world.log.records(Stream::Events).len(), 1, "the group alone");
}

#[tokio::test]
async fn every_success_says_where_it_stands() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for request in requests(&world, id) {
        let answer = ask(&world, &request).by("ann").send().await;
        assert!(answer.status.is_success(), "{request:?}: {answer:?}");
        assert!(answer.position().is_some() && !answer.is_duplicate());
    }
}

#[tokio::test]
async fn whoever_does_not_want_to_wait_gets_202() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for request in requests(&world, id) {
        let key = world.id();
        let ask = ask(&world, &request).by("ann").key(key).header("prefer", "respond-async");
        accepted(&ask.send().await, &request.1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ruling_that_does_not_come_in_time_is_202() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    world.ruler.hold(true);
    for request in requests(&world, id) {
        accepted(&ask(&world, &request).by("ann").send().await, &request.1);
    }
    // They stand, and count.
    let before = world.log.records(Stream::Timeline).len();
    world.ruler.hold(false);
    world.log.holds(Stream::Timeline, before + 6).await;
}

#[track_caller]
fn accepted(answer: &Answer, path: &str) {
    assert_eq!(answer.status, 202, "{path}: {answer:?}");
    let body = answer.json();
    assert!(body["conversation_id"].is_string() && body["id"].is_string());
    assert_eq!(body["position"].as_str(), answer.header("verbatim-position"));
    assert!(answer.position().is_some() && !answer.is_duplicate());
}

#[tokio::test]
async fn the_id_of_a_202_is_the_one_to_repeat_under() {
    let world = World::new().await;
    let pending = world.ask("PUT", "/v1/direct/bob").by("ann").header("prefer", "respond-async");
    let id: verbatim_schemas::CommandId =
        pending.send().await.json()["id"].as_str().unwrap().parse().unwrap();
    let repeat = world.ask("PUT", "/v1/direct/bob").by("ann").key(id).send().await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
}

#[tokio::test(start_paused = true)]
async fn appends_that_fail_say_how() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for request in requests(&world, id) {
        world.log.next_appends([Append::Unavailable, Append::Lost, Append::Silent]);
        let refused = ask(&world, &request).by("ann").send().await;
        assert_eq!(refused.refusal(), (503, "unavailable".into(), None));
        assert_eq!(refused.header("retry-after"), Some("1"));
        for _ in 0..2 {
            let unknown = ask(&world, &request).by("ann").send().await;
            assert_eq!(unknown.refusal(), (504, "outcome_unknown".into(), None));
            assert_eq!(unknown.json()["retry"], "same_id");
        }
    }
}

#[tokio::test]
async fn after_an_unknown_outcome_the_repeat_tells() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    let path = format!("/v1/conversations/{id}/messages");
    let body = json!({"id": world.id(), "text": "once"});
    world.log.next_appends([Append::Lost]);
    assert_eq!(world.ask("POST", &path).by("ann").json(&body).send().await.status, 504);
    let repeat = world.ask("POST", &path).by("ann").json(&body).send().await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
    assert_eq!(repeat.json()["seq"], 1);
}

#[tokio::test]
async fn strangers_former_members_and_nobody_get_the_same_bytes() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    let path = format!("/v1/conversations/{id}/members/bob");
    assert_eq!(world.ask("DELETE", &path).by("bob").send().await.status, 204);
    let missing = world.conversation_id();
    let mut bytes = Vec::new();
    for (who, id) in [("bob", id), ("eve", id), ("eve", missing)] {
        for request in requests(&world, id).iter().skip(2) {
            let answer = ask(&world, request).by(who).send().await;
            assert_eq!(answer.refusal(), (404, "conversation_not_found".into(), None));
            bytes.push((answer.bytes, answer.headers));
        }
    }
    let paths = ["/v1/conversations/x/members/zed", "/v1/conversations/%20/members/zed"];
    for path in paths {
        let answer = world.ask("DELETE", path).by("eve").send().await;
        bytes.push((answer.bytes, answer.headers));
    }
    assert!(bytes.windows(2).all(|pair| pair[0] == pair[1]), "{bytes:?}");
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for (method, path, body) in requests(&world, id) {
        let Some(body) = body else { continue };
        let ask = |text: &str| world.ask(method, &path).by("ann").text(text).send();
        let mut extra = body.clone();
        extra["extra"] = json!(1);
        let refused = ask(&extra.to_string()).await;
        assert_eq!(refused.refusal(), (422, "unknown_field".into(), Some("extra".into())));
        let twice = format!("{},\"read\":1,\"read\":1}}", body.to_string().trim_end_matches('}'));
        for text in ["", "{", "nul", &format!("{body}{body}"), &"[".repeat(100_000), &twice] {
            assert_eq!(ask(text).await.refusal().1, "malformed", "{path}");
        }
        for text in ["[]", "1", "null", "\"x\""] {
            assert_eq!(ask(text).await.refusal().1, "invalid", "{path} {text}");
        }
        let bare = world.ask(method, &path).by("ann").send().await;
        assert_eq!(bare.refusal(), (415, "unsupported_media_type".into(), None));
        // White space fills a body up to its bound, and beyond.
        let room = 256 * 1024 - body.to_string().len();
        let fits = ask(&format!("{body}{}", " ".repeat(room))).await;
        assert!(fits.status.is_success(), "{fits:?}");
        let over = ask(&format!("{body}{}", " ".repeat(room + 1))).await;
        assert_eq!(over.refusal(), (413, "too_large".into(), None));
    }
}

#[tokio::test]
async fn keys_and_queries_are_read_strictly() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for request in requests(&world, id) {
        let odd = world.ask(request.0, &format!("{}?x=1", request.1)).by("ann").send().await;
        assert_eq!(odd.refusal(), (422, "unknown_field".into(), Some("x".into())));
        if request.0 == "POST" {
            continue;
        }
        let odd = ask(&world, &request).by("ann").header("idempotency-key", "x").send().await;
        assert_eq!(odd.refusal(), (422, "invalid".into(), Some("Idempotency-Key".into())));
    }
}

#[tokio::test]
async fn too_many_at_once_are_told_to_come_back() {
    let config = verbatim_command_api::Config { in_flight: 2, ..Default::default() };
    let world = World::with(config).await;
    let id = world.group(&["ann"]).await;
    world.ruler.hold(true);
    let (one, two) = (world.send("ann", id, "1"), world.send("ann", id, "2"));
    let refused = world.send("ann", id, "3").await.unwrap_err();
    assert_eq!((refused.code.name(), refused.retry_after_ms), ("unavailable", Some(1_000)));
    drop(two);
    let four = world.send("ann", id, "4");
    world.ruler.hold(false);
    // Dropping an answer takes nothing back.
    assert_eq!(ruled(one.await).seq.unwrap().0, 1);
    assert_eq!(ruled(four.await).seq.unwrap().0, 3);
}

#[tokio::test]
async fn too_many_bytes_at_once_are_told_to_come_back() {
    let config = verbatim_command_api::Config { in_flight_bytes: 20_000, ..Default::default() };
    let world = World::with(config).await;
    let id = world.group(&["ann"]).await;
    let one = world.send("ann", id, &"x".repeat(15_000));
    let refused = world.send("ann", id, &"x".repeat(15_000)).await.unwrap_err();
    assert_eq!(refused.code.name(), "unavailable");
    ruled(one.await);
    ruled(world.send("ann", id, &"x".repeat(15_000)).await);
}
