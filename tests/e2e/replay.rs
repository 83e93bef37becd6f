//! `verbatim replay` beside the live server: every event once, and the rule gives the same again.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde_json::Value;
use verbatim_domain::{ConversationState, Proposal, apply, decide};
use verbatim_schemas::{ConversationId, Ruling, Src};
use verbatim_tests::{
    Server,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
    operator,
};

/// A record's place: partition and offset.
fn place(line: &Value) -> (u64, u64) {
    let number = |name: &str| line[name].as_u64().unwrap_or(u64::MAX);
    (number("partition"), number("offset"))
}

/// Records by their place; that each comes once, and in order within its partition.
fn by_place(lines: Vec<Value>) -> BTreeMap<(u64, u64), Value> {
    let count = lines.len();
    assert!(lines.is_sorted_by(|a, b| place(a) < place(b)), "each once, in order");
    let records: BTreeMap<_, _> = lines.into_iter().map(|line| (place(&line), line)).collect();
    assert_eq!(records.len(), count);
    records
}

/// Rules on every event again, as the log has them.
fn rule(events: &BTreeMap<(u64, u64), Value>) -> Result<Vec<Ruling>> {
    let mut states: BTreeMap<ConversationId, ConversationState> = BTreeMap::new();
    let mut previous: BTreeMap<u32, Src> = BTreeMap::new();
    let mut rulings = Vec::new();
    for line in events.values() {
        let src: Src = serde_json::from_value(
            [&line["generation"], &line["partition"], &line["offset"]]
                .into_iter()
                .cloned()
                .collect(),
        )?;
        let time = serde_json::from_value(line["time"].clone())?;
        let key = line["key"].as_str().context("no key")?.as_bytes();
        let value = serde_json::to_vec(&line["event"])?;
        let before = previous.insert(src.partition, src);
        let proposal = Proposal::read(src, before, time, key, &value);
        let event = proposal.event.as_ref().context("an event that cannot be read")?;
        let state = states.entry(event.conversation_id).or_default();
        let ruling = decide(state, &proposal);
        apply(state, &ruling);
        rulings.push(ruling);
    }
    Ok(rulings)
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_replay_beside_a_live_server_gives_every_event_once_and_the_same_rulings()
-> Result<()> {
    let mut dice = Dice::of_test("replay", 34);
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    crowd.talk(&mut dice, None);
    let mut before = BTreeMap::new();
    for round in 0..4 {
        crowd.acks(50).await?;
        if round == 2 {
            server.kill().await?;
            server.resume().await?;
        }
        let now = by_place(operator::replay(server.data(), "events").await?);
        for (place, record) in &before {
            assert_eq!(now.get(place), Some(record), "what was there stays");
        }
        assert!(now.len() > before.len());
        before = now;
    }
    let record = crowd.rest().await?;
    assert_eq!(check(&record), []);

    let live = by_place(operator::replay(server.data(), "events").await?);
    let timeline = operator::replay(server.data(), "timeline").await?;
    server.stop().await?;
    let stopped = by_place(operator::replay(server.data(), "events").await?);
    assert_eq!(stopped, live, "the same beside a live and a stopped server");
    for acked in &record.acked {
        let of = |line: &&Value| line["event"]["id"] == acked.id.as_str();
        assert!(stopped.values().any(|line| of(&line)), "{} is on the log", acked.id);
    }

    // A ruling may be on the timeline twice after a crash; the first counts, and all are equal.
    let mut ruled: BTreeMap<(u32, u64), Ruling> = BTreeMap::new();
    for line in &timeline {
        let ruling = Ruling::decode(&serde_json::to_vec(&line["event"])?)?;
        let first =
            ruled.entry((ruling.src.partition, ruling.src.offset)).or_insert(ruling.clone());
        assert_eq!(*first, ruling);
    }
    let again = rule(&stopped)?;
    assert_eq!(again.len(), ruled.len(), "each event has a ruling");
    assert!(again.iter().eq(ruled.values()), "folding the events again gives the same rulings");
    Ok(())
}
