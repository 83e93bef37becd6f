//! How rulings find who waits for them, whatever goes wrong in between. Time is virtual: it moves only
//! when nobody has anything to do.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};
use verbatim_command_api::Config;
use verbatim_ports::{
    commands::{Outcome, Submitted},
    log::{EventLog, NewRecord, Stream},
};
use verbatim_schemas::{Code, Problem, Ruling};

use crate::support::{Append, World, generous, ruled};

/// Waits until nobody has anything to do.
async fn quiet() {
    sleep(Duration::from_millis(1)).await;
}

/// The outcome, which comes long before the wait for the ruling is over.
async fn soon(submitted: Submitted) -> Result<Outcome, Problem> {
    timeout(Duration::from_secs(1), submitted).await.expect("an answer at once")
}

#[track_caller]
fn pending(outcome: Result<Outcome, Problem>) {
    assert!(matches!(outcome, Ok(Outcome::Pending(_))), "{outcome:?}");
}

#[tokio::test(start_paused = true)]
async fn a_ruling_may_pass_by_before_its_append_is_acknowledged() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    world.log.hold_answers(true);
    let sent: Vec<_> =
        (0..10).map(|n| tokio::spawn(world.send("ann", id, &n.to_string()))).collect();
    world.log.holds(Stream::Timeline, 11).await;
    quiet().await;
    world.log.hold_answers(false);
    for (n, sent) in (1..).zip(sent) {
        assert_eq!(ruled(soon(Box::pin(async { sent.await.unwrap() })).await).seq.unwrap().0, n);
    }
}

#[tokio::test(start_paused = true)]
async fn a_ruling_that_is_kept_no_more_is_not_waited_for() {
    for config in [
        Config { recent_rulings: 1, ..Config::default() },
        Config { recent_bytes: 1_000, ..Config::default() },
    ] {
        let world = World::with(config).await;
        let id = world.group(&["ann"]).await;
        world.log.hold_answers(true);
        let (one, two) = (world.send("ann", id, "1"), world.send("ann", id, "2"));
        world.log.holds(Stream::Timeline, 3).await;
        quiet().await;
        world.log.hold_answers(false);
        pending(soon(one).await);
        assert_eq!(ruled(soon(two).await).seq.unwrap().0, 2);
    }
}

#[tokio::test(start_paused = true)]
async fn over_rest_that_is_202_and_the_repeat_tells() {
    let world = World::with(Config { recent_rulings: 0, ..Config::default() }).await;
    let id = world.group(&["ann"]).await;
    let path = format!("/v1/conversations/{id}/messages");
    let body = json!({"id": world.id(), "text": "x"});
    world.log.hold_answers(true);
    let asked = tokio::spawn(world.ask("POST", &path).by("ann").json(&body).send());
    world.log.holds(Stream::Timeline, 2).await;
    quiet().await;
    world.log.hold_answers(false);
    assert_eq!(asked.await.unwrap().status, 202);
    let repeat = world.ask("POST", &path).by("ann").json(&body).send().await;
    assert_eq!((repeat.status.as_u16(), repeat.is_duplicate()), (200, true));
}

#[tokio::test(start_paused = true)]
async fn no_waiter_is_lost_when_the_log_breaks() {
    let world = World::with(generous()).await;
    let id = world.group(&["ann"]).await;
    world.ruler.hold(true);
    let waiting: Vec<_> =
        (0..50).map(|n| tokio::spawn(world.send("ann", id, &n.to_string()))).collect();
    quiet().await;
    world.log.break_tails(3);
    world.is_following(false).await;
    // All of it is ruled while nobody reads.
    world.ruler.hold(false);
    world.log.holds(Stream::Timeline, 51).await;
    for (n, waiting) in (1..).zip(waiting) {
        assert_eq!(ruled(waiting.await.unwrap()).seq.unwrap().0, n);
    }
    world.is_following(true).await;
    ruled(soon(world.send("ann", id, "goes on")).await);
}

#[tokio::test(start_paused = true)]
async fn breaks_are_tried_again_with_longer_and_longer_pauses() {
    let world = World::new().await;
    let opened = world.log.tails_opened();
    world.log.break_tails(20);
    world.is_following(false).await;
    sleep(Duration::from_secs(60)).await;
    let tries = world.log.tails_opened() - opened;
    assert!((10..=20).contains(&tries), "{tries} tries in a minute");
    world.is_following(true).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_ruled_before_the_first_look_is_not_waited_for() {
    let world = World::unopened(Config::default());
    world.log.break_tails(4);
    let id = world.conversation_id();
    // Nothing is taken before it is known that the log still holds what was ruled on.
    let refused = world.send("ann", id, "too early").await.unwrap_err();
    assert_eq!(refused.code, Code::Unavailable);
    while world.log.tails_opened() == 0 {
        tokio::task::yield_now().await;
    }
    let early = tokio::spawn(world.send("ann", id, "nowhere"));
    world.log.holds(Stream::Timeline, 1).await;
    world.is_following(true).await;
    pending(early.await.unwrap());
    // What is not ruled yet at the first look is.
    world.group(&["ann"]).await;
}

#[tokio::test(start_paused = true)]
async fn repeated_rulings_change_nothing() {
    let world = World::with(generous()).await;
    let id = world.group(&["ann"]).await;
    world.ruler.repeat();
    for n in 1..50 {
        assert_eq!(ruled(soon(world.send("ann", id, "x")).await).seq.unwrap().0, n);
    }
    assert!(*world.api.following().borrow());
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_stays_open_is_not_ready_until_it_closes() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    world.ruler.hold(true);
    let (one, two) =
        (tokio::spawn(world.send("ann", id, "1")), tokio::spawn(world.send("ann", id, "2")));
    quiet().await;
    // Another owner's ruling of the second comes before anybody's of the first.
    let last = world.log.records(Stream::Timeline).pop().unwrap();
    let mut beyond = Ruling::decode(&last.value).unwrap();
    let partition = beyond.src.partition;
    beyond.src.offset += 2;
    beyond.prev_src = Some(world.log.layout().src(partition, beyond.src.offset - 1));
    let record = NewRecord { partition, key: last.key, value: beyond.encode().unwrap().into() };
    world.log.append(Stream::Timeline, vec![record]).await.unwrap();
    quiet().await;
    assert!(*world.api.following().borrow(), "a gap that closes soon is no matter");
    world.is_following(false).await;
    for waiting in [one, two] {
        pending(waiting.await.unwrap());
    }
    world.ruler.hold(false);
    world.is_following(true).await;
    assert_eq!(ruled(soon(world.send("ann", id, "3")).await).seq.unwrap().0, 3);
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_waits_for_commands_in_flight() {
    let world = World::new().await;
    let id = world.group(&["ann"]).await;
    world.ruler.hold(true);
    let sent = tokio::spawn(world.send("ann", id, "last words"));
    quiet().await;
    world.shutdown.send_replace(true);
    quiet().await;
    assert!(!world.running.is_finished());
    world.ruler.hold(false);
    ruled(sent.await.unwrap());
    timeout(Duration::from_secs(1), world.running).await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_does_not_wait_for_ever() {
    let world =
        World::with(Config { append: Duration::from_secs(3_600), ..Config::default() }).await;
    let id = world.group(&["ann"]).await;
    world.log.all_appends(Append::Silent);
    let _stuck = world.send("ann", id, "x");
    world.shutdown.send_replace(true);
    timeout(Duration::from_secs(21), world.running).await.unwrap().unwrap();
}
