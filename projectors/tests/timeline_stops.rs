//! What the timeline projector holds, and where it stops rather than guess.

mod support;

use bytes::Bytes;
use support::{
    World,
    chaos::Chaos,
    run,
    story::{self, Author},
};
use verbatim_ports::log::Stream;
use verbatim_projectors::{
    readiness::unready,
    runner::{PartitionStatus, State},
};
use verbatim_schemas::{
    Digest, Event, EventBody, Metadata, Name, Posting, Ruling, Text, UserId, Visibility, bounds,
    event::{ConversationCreated, MessageSent},
};

/// A world whose events are all ruled on and saved.
async fn settled(messages: usize) -> (World, Author) {
    let world = World::new();
    let mut author = Author::default();
    author.chat(&world.log, messages);
    let process = world.start(&Chaos::calm(), &["timeline"]);
    world.until_saved().await;
    process.handle.stop().await;
    (world, author)
}

fn running(status: &PartitionStatus) -> bool {
    status.state == State::Running
}

#[test]
fn a_record_from_the_future_is_held_until_its_time_and_alarms() {
    run(async {
        let (world, mut author) = settled(3).await;
        let now = author.now;
        world.clock.set(now);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        author.act(&world.log, story::group_on(0), "ada", story::says("in time"));
        author.now = now + 5 * 60_000;
        author.act(&world.log, story::group_on(0), "ada", story::says("just in time"));
        author.now = now + 5 * 60_000 + 1_000;
        author.act(&world.log, story::group_on(0), "ada", story::says("too early"));
        author.now = now;
        author.act(&world.log, story::group_on(0), "ada", story::says("behind the held one"));
        let holding = |s: &PartitionStatus| matches!(s.state, State::Holding { .. });
        process.until_state("timeline", 0, holding).await;
        assert_eq!(world.admitted(0).len(), 6, "what came before it is ruled on");
        let alarms = unready(&process.handle.status(), author.event_time());
        assert_eq!(alarms.len(), 1);
        assert!(alarms[0].reason.contains("clock"), "{}", alarms[0].reason);
        // Its neighbour goes on.
        author.act(&world.log, story::group_on(1), "ada", story::says("elsewhere"));
        world.until("the other partition", || world.admitted(1).len() == 5).await;
        world.clock.set(now + 999);
        tokio::time::sleep(std::time::Duration::from_secs(60)).await;
        assert_eq!(world.admitted(0).len(), 6);
        world.clock.set(now + 1_000);
        world.until_saved().await;
        process.until_state("timeline", 0, running).await;
        process.handle.stop().await;
        world.check_timeline();
    });
}

#[test]
fn a_held_record_does_not_keep_the_process_from_stopping() {
    run(async {
        let (world, mut author) = settled(1).await;
        world.clock.set(author.now);
        author.now += 3_600_000;
        author.act(&world.log, story::group_on(0), "ada", story::says("too early"));
        let process = world.start(&Chaos::calm(), &["timeline"]);
        let holding = |s: &PartitionStatus| matches!(s.state, State::Holding { .. });
        process.until_state("timeline", 0, holding).await;
        process.handle.stop().await;
        assert!(!world.ruled());
    });
}

#[test]
fn another_ruling_at_the_checkpoint_stops_the_partition_alone() {
    run(async {
        let (world, mut author) = settled(5).await;
        let last = world.log.records(Stream::Timeline, 0).len() - 1;
        let mut other =
            Ruling::decode(&world.log.records(Stream::Timeline, 0)[last].value).unwrap();
        other.at = other.at.plus_millis(1);
        world.log.overwrite(Stream::Timeline, 0, last, other.encode().unwrap().into());
        let process = world.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 0).await;
        assert!(reason.contains("swapped") && reason.contains("restore the log"), "{reason}");
        let found = unready(&process.handle.status(), author.event_time());
        assert_eq!(found.len(), 1, "{found:?}");
        author.act(&world.log, story::group_on(1), "ada", story::says("elsewhere"));
        world.until("the other partition", || world.admitted(1).len() == 7).await;
        author.act(&world.log, story::group_on(0), "ada", story::says("not ruled on"));
        process.handle.stop().await;
        assert_eq!(world.admitted(0).len(), 6, "nothing was appended");
    });
}

#[test]
fn events_that_end_before_what_was_ruled_on_stop_the_partition() {
    run(async {
        let (world, author) = settled(5).await;
        world.log.cut(Stream::Events, 0, 3);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 0).await;
        assert!(reason.contains("acknowledged records are missing"), "{reason}");
        // The same with a new state, where only the timeline knows.
        let other = world.other_node();
        let process = other.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 0).await;
        assert!(reason.contains("acknowledged records are missing"), "{reason}");
        // And where the timeline was lost as well.
        world.log.cut(Stream::Timeline, 0, 1);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 0).await;
        assert!(reason.contains("acknowledged records are missing"), "{reason}");
        author.append(&world.log, &author_event());
    });
}

fn author_event() -> Event {
    Author::default().event(story::group_on(1), "ada", story::says("no matter"))
}

#[test]
fn a_lost_tail_that_is_ruled_differently_stops_the_partition() {
    run(async {
        let (world, _) = settled(5).await;
        world.log.cut(Stream::Timeline, 0, 2);
        let mut checkpoint = world.conversations.checkpoint(0).unwrap();
        checkpoint.hash = Digest([7; 32]);
        world.conversations.set_checkpoint(0, Some(checkpoint));
        let process = world.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 0).await;
        assert!(reason.contains("does not give the ruling on record 5"), "{reason}");
        process.handle.stop().await;
        assert_eq!(world.admitted(0).len(), 2, "nothing was appended");
    });
}

#[test]
fn a_checkpoint_of_another_generation_stops_the_partition() {
    run(async {
        let (world, _) = settled(2).await;
        let mut checkpoint = world.conversations.checkpoint(1).unwrap();
        checkpoint.src.generation += 1;
        world.conversations.set_checkpoint(1, Some(checkpoint));
        let process = world.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 1).await;
        assert!(reason.contains("generation 1"), "{reason}");
    });
}

#[test]
fn rulings_of_a_later_rule_stop_a_program_that_does_not_know_it() {
    run(async {
        let (world, _) = settled(4).await;
        let last = world.log.records(Stream::Timeline, 0).len() - 1;
        let mut later =
            Ruling::decode(&world.log.records(Stream::Timeline, 0)[last].value).unwrap();
        later.rule_v += 1;
        world.log.overwrite(Stream::Timeline, 0, last, later.encode().unwrap().into());
        let other = world.other_node();
        let process = other.start(&Chaos::calm(), &["timeline"]);
        let reason = process.until_stopped("timeline", 0).await;
        assert!(reason.contains("upgrade"), "{reason}");
    });
}

/// What is no ruling on the timeline is passed over; so is a ruling beyond a gap.
#[test]
fn a_timeline_with_strange_records_is_folded() {
    run(async {
        let (world, mut author) = settled(4).await;
        let put = |value: Bytes| {
            let time = author_time();
            world.log.push(Stream::Timeline, 0, 0, time, story::bytes("key"), value);
        };
        put(story::bytes("no ruling"));
        let mut beyond = Ruling::decode(world.admitted(0).last().unwrap()).unwrap();
        beyond.prev_src = Some(world.log.layout().src(0, beyond.src.offset + 6));
        beyond.src.offset += 7;
        put(beyond.encode().unwrap().into());
        author.more(&world.log, 0, 3);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        world.until("ruled on", || world.admitted(0).len() == 8).await;
        world.until("saved", || world.conversations.position(0) == world.last(0)).await;
        process.handle.stop().await;
        let other = world.other_node();
        let process = other.start(&Chaos::calm(), &["timeline"]);
        other.until_saved().await;
        process.handle.stop().await;
    });
}

fn author_time() -> verbatim_schemas::Timestamp {
    verbatim_schemas::Timestamp::from_millis(story::START)
}

/// The bound on events keeps every ruling within its own bound, with room to spare.
#[test]
fn the_largest_events_make_rulings_that_fit() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        let here = story::group_on(0);
        let long = |n: usize| -> String { format!("{n:0>width$}", width = bounds::USER_ID_BYTES) };
        let members: Vec<UserId> =
            (1..=bounds::FOUNDING_MEMBERS).map(|n| long(n).parse().unwrap()).collect();
        let founding = EventBody::ConversationCreated(ConversationCreated {
            kind: verbatim_schemas::Kind::Channel,
            name: Some(Name::new(&"\u{10ffff}".repeat(bounds::NAME_CHARS)).unwrap()),
            members,
            history: Visibility::SinceJoin,
            posting: Posting::Members,
        });
        author.act(&world.log, here, &long(0), founding);
        let filler = "\\u0001".repeat((bounds::METADATA_BYTES - 8) / 6);
        let said = EventBody::MessageSent(MessageSent {
            text: Text::new(&"\u{1}".repeat(bounds::TEXT_BYTES)).unwrap(),
            metadata: Some(Metadata::new(&format!("{{\"a\":\"{filler}\"}}")).unwrap()),
        });
        let message = author.event(here, &long(0), said);
        assert!(message.encode().unwrap().len() <= bounds::EVENT_BYTES, "such a message is sent");
        author.append(&world.log, &message);
        author.append(&world.log, &message);
        let process = world.start(&Chaos::calm(), &["timeline"]);
        world.until_saved().await;
        process.handle.stop().await;
        world.check_timeline();
        let rulings = world.admitted(0);
        for value in &rulings {
            assert!(value.len() <= bounds::RULING_BYTES / 2, "{}", value.len());
        }
        let accepted = |value: &Vec<u8>| Ruling::decode(value).unwrap().content().is_some();
        assert!(accepted(&rulings[0]) && accepted(&rulings[1]));
        // Any event: its ruling repeats nothing of it more than once, escaped no longer than it came.
        assert!(rulings[1].len() < 2 * bounds::EVENT_BYTES);
    });
}

/// A batch that is larger than an append may be is appended in parts, in order.
#[test]
fn a_batch_of_large_messages_is_appended_in_parts() {
    run(async {
        let world = World::new();
        let mut author = Author::default();
        author.act(&world.log, story::group_on(0), "ada", story::creates(&["bob"]));
        let text = "\u{1}".repeat(bounds::TEXT_BYTES);
        for _ in 0..100 {
            author.act(&world.log, story::group_on(0), "ada", story::says(&text));
        }
        let chaos = Chaos::calm();
        use support::chaos::Fate;
        chaos.script(&[Fate::Done, Fate::LostAnswer, Fate::Suffix]);
        let process = world.start(&chaos, &["timeline"]);
        world.until_saved().await;
        process.handle.stop().await;
        world.check_timeline();
    });
}
