//! Rates, and what is given back.

use serde_json::json;
use verbatim_schemas::{ConversationId, Problem};

use crate::support::{World, message, ruled, user};

#[track_caller]
fn limited(problem: &Problem) {
    assert_eq!(problem.code.name(), "rate_limited");
    assert!(problem.retry_after_ms.is_some_and(|millis| millis > 0));
}

#[tokio::test]
async fn sends_come_in_bursts_of_sixty_and_twenty_a_second() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    for _ in 0..60 {
        ruled(world.send("ann", id, "x").await);
    }
    let refused = world.send("ann", id, "x").await.unwrap_err();
    assert_eq!((refused.code.name(), refused.retry_after_ms), ("rate_limited", Some(50)));
    ruled(world.send("bob", id, "x").await);
    world.clock.advance(1_000);
    for _ in 0..20 {
        ruled(world.send("ann", id, "x").await);
    }
    let path = format!("/v1/conversations/{id}/messages");
    let body = json!({"id": world.id(), "text": "x"});
    let refused = world.ask("POST", &path).by("ann").json(&body).send().await;
    assert_eq!(refused.refusal(), (429, "rate_limited".into(), None));
    assert_eq!(refused.header("retry-after"), Some("1"));
    let body = refused.json();
    assert_eq!((&body["retry"], &body["retry_after_ms"]), (&json!("same_id"), &json!(50)));
}

#[tokio::test]
async fn sixty_conversations_can_be_created_and_existing_ones_opened() {
    let world = World::new().await;
    let open = |peer: String| world.ask("PUT", &format!("/v1/direct/{peer}")).by("ann").send();
    assert_eq!(open("peer0".into()).await.status, 201);
    // Free, more often than anything could be created.
    for _ in 0..100 {
        assert_eq!(open("peer0".into()).await.status, 200);
    }
    for n in 1..60 {
        assert_eq!(open(format!("peer{n}")).await.status, 201, "{n}");
    }
    let refused = open("peer60".into()).await;
    assert_eq!(refused.refusal(), (429, "rate_limited".into(), None));
    assert_eq!(refused.json()["retry_after_ms"], 60_000);
    // Even with nothing left, what is there can be opened.
    assert_eq!(open("peer7".into()).await.status, 200);
    world.clock.advance(60_000);
    assert_eq!(open("peer60".into()).await.status, 201);
}

#[tokio::test]
async fn opening_is_free_for_whoever_does_not_wait_too() {
    let world = World::new().await;
    assert_eq!(world.ask("PUT", "/v1/direct/bob").by("ann").send().await.status, 201);
    for _ in 0..100 {
        let ask = world.ask("PUT", "/v1/direct/bob").by("ann").header("prefer", "respond-async");
        assert_eq!(ask.send().await.status, 202);
        // So that the ruling is there before the next one.
        ruled(world.submit("ann", world.id(), direct("ann", "bob"), message("x")).await);
        world.clock.advance(50);
    }
    assert_eq!(world.ask("PUT", "/v1/direct/cid").by("ann").send().await.status, 201);
}

fn direct(one: &str, other: &str) -> ConversationId {
    ConversationId::direct(&user(one), &user(other))
}

#[tokio::test]
async fn what_created_nothing_is_given_back() {
    let world = World::new().await;
    let id = world.group(&["bob"]).await;
    let body = json!({"kind": "group", "name": "x"});
    for _ in 0..100 {
        let path = format!("/v1/conversations/{id}");
        let taken = world.ask("PUT", &path).by("ann").json(&body).send().await;
        assert_eq!(taken.code(), "conversation_exists");
    }
    world.log.next_appends([crate::support::Append::Unavailable; 100]);
    for _ in 0..100 {
        assert_eq!(world.ask("PUT", "/v1/direct/bob").by("ann").send().await.status, 503);
    }
    for n in 0..60 {
        let opened = world.ask("PUT", &format!("/v1/direct/peer{n}")).by("ann").send().await;
        assert_eq!(opened.status, 201, "{n}");
    }
}

#[tokio::test]
async fn strangers_miss_thirty_times_a_minute() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    for n in 0..30 {
        let id = if n % 2 == 0 { id } else { world.conversation_id() };
        let missed = world.send("eve", id, "x").await.unwrap_err();
        assert_eq!(missed.code.name(), "conversation_not_found");
    }
    for id in [id, world.conversation_id()] {
        limited(&world.send("eve", id, "x").await.unwrap_err());
        let path = format!("/v1/conversations/{id}/members/eve");
        let limited = world.ask("DELETE", &path).by("eve").send().await;
        assert_eq!(limited.code(), "rate_limited");
    }
    let before = world.log.records(verbatim_ports::log::Stream::Events).len();
    limited(&world.send("eve", id, "x").await.unwrap_err());
    assert_eq!(world.log.records(verbatim_ports::log::Stream::Events).len(), before);
    world.clock.advance(2_000);
    let missed = world.send("eve", id, "x").await.unwrap_err();
    assert_eq!(missed.code.name(), "conversation_not_found");
    // What eve is a member of is not concerned.
    let hers = world.group(&["eve"]).await;
    ruled(world.send("eve", hers, "x").await);
}

/// A world that remembers nothing, with a group of ann and bob.
async fn forgetful() -> (World, ConversationId) {
    let mut config = crate::support::generous();
    config.misses = verbatim_command_api::Config::default().misses;
    config.known_members = 0;
    let world = World::with(config).await;
    let id = world.group(&["ann", "bob"]).await;
    (world, id)
}

#[tokio::test]
async fn members_whom_nobody_knows_miss_nothing() {
    let (world, id) = forgetful().await;
    for n in 1..=40 {
        assert_eq!(ruled(world.send("ann", id, "x").await).seq.unwrap().0, n);
    }
    assert_eq!(world.inbox.asked(), 40);
}

#[tokio::test]
async fn members_that_seem_to_be_are_charged_nothing() {
    let (world, id) = forgetful().await;
    world.inbox.hint(id, user("ann"));
    world.ruler.hold(true);
    let sent: Vec<_> = (0..40).map(|_| world.send("ann", id, "x")).collect();
    world.log.holds(verbatim_ports::log::Stream::Events, 41).await;
    world.ruler.hold(false);
    for outcome in futures_util::future::join_all(sent).await {
        ruled(outcome);
    }
}

#[tokio::test]
async fn members_get_through_while_the_inbox_is_away() {
    let (world, id) = forgetful().await;
    world.inbox.go_away();
    for n in 1..=40 {
        assert_eq!(ruled(world.send("ann", id, "x").await).seq.unwrap().0, n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_lookup_that_takes_too_long_counts_as_a_miss() {
    let (world, id) = forgetful().await;
    world.inbox.hold(true);
    ruled(world.send("ann", id, "x").await);
    for _ in 0..30 {
        let missed = world.send("eve", id, "x").await.unwrap_err();
        assert_eq!(missed.code.name(), "conversation_not_found");
    }
    limited(&world.send("eve", id, "x").await.unwrap_err());
}

#[tokio::test]
async fn members_of_what_passed_by_are_not_looked_up() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    let path = format!("/v1/conversations/{id}/members/cid");
    world.ask("PUT", &path).by("ann").json(&json!({"role": "member"})).send().await;
    for who in ["ann", "bob", "cid"] {
        ruled(world.send(who, id, "x").await);
    }
    assert_eq!(world.inbox.asked(), 0);
}

#[tokio::test]
async fn a_hint_that_is_wrong_does_not_lift_the_rate() {
    let world = World::new().await;
    let id = world.group(&["ann", "bob"]).await;
    world.inbox.hint(id, user("eve"));
    world.inbox.hint(id, user("bob"));
    let path = format!("/v1/conversations/{id}/members/bob");
    world.ask("DELETE", &path).by("ann").send().await;
    for who in ["eve", "bob"] {
        for _ in 0..30 {
            let missed = world.send(who, id, "x").await.unwrap_err();
            assert_eq!(missed.code.name(), "conversation_not_found");
        }
        limited(&world.send(who, id, "x").await.unwrap_err());
    }
}

#[tokio::test]
async fn no_endpoint_is_without_a_rate() {
    let rate = verbatim_command_api::Rate { every: std::time::Duration::from_secs(1), burst: 5 };
    let config = verbatim_command_api::Config { others: rate, ..Default::default() };
    let world = World::with(config).await;
    let id = world.group(&["ann"]).await;
    let path = format!("/v1/conversations/{id}/receipts");
    for n in 0..5 {
        let body = json!({"read": 0});
        let answer = world.ask("PUT", &path).by("ann").json(&body).send().await;
        assert_eq!(answer.status, if n < 4 { 200 } else { 429 });
    }
    ruled(world.send("ann", id, "sends have their own").await);
}
