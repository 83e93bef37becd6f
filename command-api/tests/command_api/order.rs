//! The order of submissions is the order on the log.

use std::sync::Arc;

use futures_util::future::join_all;
use verbatim_command_api::Config;
use verbatim_ports::log::Stream;
use verbatim_schemas::{
    ConversationId, Event, EventBody, Kind, Name, Posting, Visibility, event::ConversationCreated,
};

use crate::support::{World, generous, ruled, user};

/// The texts of the messages on `chat.events`, in order.
fn texts(world: &World) -> Vec<String> {
    let events = world.log.records(Stream::Events).into_iter();
    events
        .filter_map(|record| match Event::decode(&record.value).unwrap().body {
            EventBody::MessageSent(sent) => Some(sent.text.as_str().to_owned()),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn the_call_takes_the_place_not_the_first_poll() {
    let world = World::with(generous()).await;
    let id = world.group(&["ann", "bob"]).await;
    let submitted: Vec<_> =
        (0..200).map(|n| world.send(["ann", "bob"][n % 2], id, &n.to_string())).collect();
    let mut outcomes = join_all(submitted.into_iter().rev()).await;
    outcomes.reverse();
    let seqs: Vec<_> = outcomes.into_iter().map(|outcome| ruled(outcome).seq.unwrap().0).collect();
    assert_eq!(seqs, (1..=200).collect::<Vec<_>>());
    assert_eq!(texts(&world), (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
}

/// A group of ann and bob, in a world that remembers nothing.
async fn forgotten_group() -> (World, ConversationId) {
    let mut config = generous();
    config.known_members = 0;
    let world = World::with(config).await;
    let id = world.group(&["ann", "bob"]).await;
    world.inbox.hint(id, user("ann"));
    world.inbox.hint(id, user("bob"));
    (world, id)
}

#[tokio::test]
async fn a_lookup_holds_up_its_own_user_only_and_keeps_their_order() {
    let (world, id) = forgotten_group().await;
    world.inbox.hold(true);
    let mine: Vec<_> = (0..20).map(|n| world.send("ann", id, &format!("ann {n}"))).collect();
    assert_eq!(texts(&world), [""; 0]);
    // A creation needs no lookup, and neither does anybody else's.
    let elsewhere = world.conversation_id();
    ruled(world.submit("ann", world.id(), elsewhere, creation()).await);
    ruled(world.submit("bob", world.id(), world.conversation_id(), creation()).await);
    world.inbox.hold(false);
    for (n, outcome) in (1..).zip(join_all(mine).await) {
        assert_eq!(ruled(outcome).seq.unwrap().0, n);
    }
    assert_eq!(world.inbox.asked(), 1, "twenty commands, one lookup");
}

#[tokio::test]
async fn what_was_submitted_during_a_lookup_stands_even_if_nobody_waits() {
    let (world, id) = forgotten_group().await;
    world.inbox.hold(true);
    let before = world.log.records(Stream::Events).len();
    for n in 0..5 {
        drop(world.send("ann", id, &n.to_string()));
    }
    world.inbox.hold(false);
    world.log.holds(Stream::Events, before + 5).await;
    assert_eq!(texts(&world), ["0", "1", "2", "3", "4"]);
}

#[tokio::test]
async fn a_command_that_needs_no_lookup_does_not_overtake_one_that_does() {
    let world = World::new().await;
    let id = world.conversation_id();
    world.inbox.hold(true);
    // Sent before it is there; the creation needs no lookup.
    let early = world.send("ann", id, "early");
    let created = world.submit("ann", world.id(), id, creation());
    let late = world.send("ann", id, "late");
    world.inbox.hold(false);
    assert_eq!(early.await.unwrap_err().code.name(), "conversation_not_found");
    assert_eq!(ruled(created.await).rev.unwrap().0, 1);
    assert_eq!(ruled(late.await).seq.unwrap().0, 1);
}

fn creation() -> EventBody {
    EventBody::ConversationCreated(ConversationCreated {
        kind: Kind::Group,
        name: Some(Name::new("g").unwrap()),
        members: vec![],
        history: Visibility::All,
        posting: Posting::Members,
    })
}

#[tokio::test]
async fn a_creation_and_what_follows_need_not_wait_for_each_other() {
    let world = World::new().await;
    let id = world.conversation_id();
    let created = world.submit("ann", world.id(), id, creation());
    let sent: Vec<_> = (0..20).map(|n| world.send("ann", id, &n.to_string())).collect();
    ruled(created.await);
    for (n, outcome) in (1..).zip(join_all(sent).await) {
        assert_eq!(ruled(outcome).seq.unwrap().0, n);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_many_threads_nobody_waits_in_vain_and_everybody_keeps_their_order() {
    for known_members in [0, 1_000] {
        let world = World::with(Config { known_members, ..generous() }).await;
        let users: Vec<_> = (0..8).map(|n| format!("u{n}")).collect();
        let id = world.group(&users.iter().map(String::as_str).collect::<Vec<_>>()).await;
        let world = Arc::new(world);
        let senders = users.into_iter().map(|who| {
            let world = world.clone();
            tokio::spawn(async move {
                let mut last = None;
                for _ in 0..10 {
                    let burst: Vec<_> = (0..20).map(|_| world.send(&who, id, "x")).collect();
                    for outcome in join_all(burst).await {
                        let seq = ruled(outcome).seq;
                        assert!(last < seq, "{last:?} then {seq:?}");
                        last = seq;
                    }
                }
            })
        });
        for sender in join_all(senders).await {
            sender.unwrap();
        }
        assert_eq!(texts(&world).len(), 8 * 200);
    }
}
