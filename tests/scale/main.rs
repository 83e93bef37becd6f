//! How much a large conversation costs: rows read for a ruling, and memory when a partition is taken
//! over. In a program of its own, since it counts the whole program's heap.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail by panicking")]

mod counting;
mod heap;
mod inbox;
mod world;

use verbatim_schemas::{EventBody, Role, Seq, ruling::Outcome};

use world::{World, add, leave, message, read};

/// What each of some rulings read and wrote, in a channel of so many members; and the most heap while
/// another owner takes it over and rules on a message.
async fn costs(members: u32) -> (Vec<(&'static str, usize, usize)>, usize) {
    let mut world = World::start().await;
    world.found(members).await;
    let repeated = world.event("user-3", message("repeated"));
    let steps = [
        ("a message", world.event("user-2", message("hello"))),
        ("a message that is repeated", repeated.clone()),
        ("its repeat", repeated),
        ("a message of a stranger", world.event("stranger", message("let me in"))),
        (
            "a message of the last to join",
            world.event(&format!("user-{}", members - 2), message("x")),
        ),
        ("a receipt", world.event("user-4", read(Seq(1)))),
        ("a member who is there", world.event("admin", add("user-5", Role::Member))),
        ("a removal", world.event("admin", leave("user-6"))),
        ("one who is not there", world.event("admin", leave("user-6"))),
        ("a new member", world.event("admin", add("newcomer", Role::Member))),
        ("the last admin leaves", world.event("admin", leave("admin"))),
    ];
    let mut costs = Vec::new();
    for (what, event) in steps {
        let before = world.store.counted();
        world.rule(&event).await;
        let after = world.store.counted();
        costs.push((what, after.0 - before.0, after.1 - before.1));
    }
    if members == 1_000_000 {
        // The one who left and the one who was removed made room for the newcomer and one more.
        let promoted = "user-0";
        let fits = world.event(promoted, add("one-more", Role::Member));
        assert!(matches!(world.rule(&fits).await.outcome, Outcome::Accepted(_)));
        let full = world.event(promoted, add("one-too-many", Role::Member));
        assert!(matches!(world.rule(&full).await.outcome, Outcome::Rejected(_)));
    }
    world.stop().await;
    let next = world.event("user-2", message("to the next owner"));
    heap::mark();
    world.resume();
    let ruling = world.rule(&next).await;
    let peak = heap::peak();
    assert!(matches!(ruling.outcome, Outcome::Accepted(_)));
    world.stop().await;
    (costs, peak)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scale_a_ruling_reads_as_many_rows_in_a_channel_of_a_million_as_in_one_of_ten() {
    let (small, with_few) = costs(10).await;
    let (large, with_many) = costs(1_000_000).await;
    assert_eq!(small, large);
    println!(
        "peak of heap of a takeover: {with_few} bytes with 10 members, {with_many} with 1,000,000"
    );
    assert!(with_few > 1_000, "{with_few} bytes are too few to rule on anything");
    assert!(with_many < with_few + 1024 * 1024, "{with_few} bytes became {with_many}");
    for (what, reads, writes) in &large {
        assert!((1..=12).contains(reads), "{what} reads {reads} rows");
        assert!(*writes <= 8, "{what} writes {writes} rows");
    }

    // One test, so that nothing else is counted: memory when a partition is taken over.
    let short = takeover(2_000).await;
    let long = takeover(40_000).await;
    println!("peak of heap while 2,000 rulings are folded: {short} bytes, 40,000: {long} bytes");
    assert!(short > 100_000, "{short} bytes are too few to fold anything");
    assert!(long < short + short / 2 + 1024 * 1024, "{short} bytes became {long}");

    let (channel, busy) = (inbox::of_a_channel().await, inbox::of_one_user().await);
    println!(
        "inbox: {channel} bytes a member of a channel, {busy} a conversation of a user of many"
    );
    assert!(channel <= 240, "{channel} bytes a member");
    assert!(busy <= 200, "{busy} bytes a conversation");
}

/// The most heap, above what there was, while a new owner folds so many rulings from an empty store.
async fn takeover(rulings: u32) -> usize {
    let mut world = World::start().await;
    world.found(1).await;
    let adds = (0..rulings).map(|n| add(&format!("member-{n}"), Role::Member));
    let events: Vec<EventBody> = adds.collect();
    let events = events.into_iter().map(|body| world.event("admin", body)).collect();
    world.rule_all(events).await;
    world.forget().await;
    let last = world.event("admin", message("after the fold"));
    heap::mark();
    world.resume();
    let ruling = world.rule(&last).await;
    let peak = heap::peak();
    let rev = ruling.accepted().and_then(|accepted| Some(accepted.content.as_ref()?.entry.rev.0));
    assert_eq!(rev, Some(u64::from(rulings) + 3), "all of it was folded");
    world.stop().await;
    peak
}
