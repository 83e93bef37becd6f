//! After any history, in any batches, a load is the part of the whole state that was asked for.

use std::collections::BTreeMap;

use futures_util::future::try_join;
use verbatim_domain::state::{BatchNeeds, Needs};
use verbatim_schemas::{
    Kind, Role, UserId, Visibility,
    bounds::{ID_MEMORY_COUNT, ID_MEMORY_MS},
};

use super::model::Model;
use crate::{
    contract::{
        breach::{Check, ensure},
        driver::{Conversations, user},
        story::{LAYOUT, Story},
    },
    conversations::ConversationStore,
};

/// A random history in random batches.
pub(super) async fn part_of_the_state(store: &dyn ConversationStore, seed: u64) -> Check {
    let story = Story::new(seed, 250);
    for (partition, rulings) in (0..).zip(story.partitions()) {
        let mut model = Model::new(partition, seed);
        model.clear(store).await?;
        let mut rulings = rulings.as_slice();
        while !rulings.is_empty() {
            let (batch, rest) = rulings.split_at((1 + model.roll(20)).min(rulings.len()));
            model.save(store, batch).await?;
            rulings = rest;
            let needs = model.some_needs(&story.users);
            model.check(store, &needs).await?;
        }
        model.check_all(store).await?;
    }
    Ok(())
}

/// Spent ids come and go.
pub(super) async fn forgotten_ids(store: &dyn ConversationStore) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let id = told.new_conversation_id_in(0);
    told.create_as(id, Kind::Group, "ann", &["bob"], Visibility::All);
    (0..9).for_each(|_| drop(told.send(id, "bob", "early")));
    told.advance(ID_MEMORY_MS + 1_000);
    (0..3).for_each(|_| drop(told.send(id, "bob", "late")));
    let mut model = Model::new(0, 0);
    model.clear(store).await?;
    let rulings = told.of_partition(0);
    for batch in rulings.chunks(2) {
        model.save(store, batch).await?;
        let oldest = Needs { memories: [(user("bob"), 3)].into(), ..Needs::default() };
        model.check(store, &[(id, oldest)].into()).await?;
    }
    ensure!(
        model.states[&id].spent_by(&user("bob")).count() < 9,
        "the story of forgotten ids forgets none"
    );
    model.check_all(store).await
}

/// As many ids are spent as are remembered, and the newest ones count too.
pub(super) async fn full_memory(store: &dyn ConversationStore) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let id = told.new_conversation_id_in(1);
    told.create_as(id, Kind::Group, "ann", &["bob"], Visibility::All);
    (2..ID_MEMORY_COUNT).for_each(|_| drop(told.send(id, "bob", "text")));
    let filled = told.rulings().len();
    (0..6).for_each(|_| drop(told.send(id, "bob", "more")));
    let mut model = Model::new(1, 0);
    model.clear(store).await?;
    model.save(store, &told.rulings()[..filled]).await?;
    for batch in told.rulings()[filled..].chunks(2) {
        model.save(store, batch).await?;
        for count in [1, 2, 5] {
            let ends = Needs { memories: [(user("bob"), count)].into(), ..Needs::default() };
            model.check(store, &[(id, ends)].into()).await?;
        }
    }
    let memory = model.states[&id].memories[&user("bob")];
    ensure!(memory.count == ID_MEMORY_COUNT, "the memory is not full: {memory:?}");
    model.check_all(store).await
}

/// The members that stand longest are found among many, whoever comes, goes and comes back; so are
/// users whose ids begin alike.
pub(super) async fn long_standing(store: &dyn ConversationStore) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let id = told.new_conversation_id_in(1);
    let names: Vec<String> = (0..60).map(|number| format!("u{}", number * 7 % 60)).collect();
    told.create_as(id, Kind::Channel, "u", &["U", "u~"], Visibility::All);
    for name in &names {
        told.add(id, "u", name, Role::Member);
    }
    for name in names.iter().step_by(3).chain([&"U".to_owned()]) {
        told.remove(id, "u", name);
    }
    for name in names.iter().step_by(6) {
        told.add(id, "u", name, Role::Admin);
    }
    let mut model = Model::new(1, 0);
    model.clear(store).await?;
    for batch in told.of_partition(1).chunks(50) {
        model.save(store, batch).await?;
        for longest_standing in [0, 1, 2, 3, 10, 100] {
            let needs = Needs { longest_standing, ..Needs::default() };
            model.check(store, &[(id, needs)].into()).await?;
        }
    }
    model.check_all(store).await
}

/// What a load gives while batches are saved is one of the states between them, and never an
/// earlier one than before.
pub(super) async fn one_moment(store: &dyn ConversationStore) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let id = told.new_conversation_id_in(2);
    told.create_as(id, Kind::Group, "ann", &["bob", "cid"], Visibility::All);
    let founded = told.rulings().len();
    for round in 0..60 {
        told.send(id, ["ann", "bob"][round % 2], "text");
        told.read(id, "cid", round as u64);
    }
    let users: Vec<UserId> = ["ann", "bob", "cid"].map(user).into();
    let needs: BatchNeeds = [(
        id,
        Needs {
            members: users.iter().cloned().collect(),
            longest_standing: 2,
            memories: users.into_iter().map(|user| (user, 2)).collect(),
            ..Needs::default()
        },
    )]
    .into();
    let mut model = Model::new(2, 0);
    model.clear(store).await?;
    model.save(store, &told.rulings()[..founded]).await?;
    let mut future = model.clone();
    let mut between = vec![model.part(&needs)];
    for batch in told.rulings()[founded..].chunks(2) {
        future.fold(batch);
        between.push(future.part(&needs));
    }
    let saves = async {
        for batch in told.rulings()[founded..].chunks(2) {
            model.save(store, batch).await?;
        }
        Ok(())
    };
    let loads = async {
        let mut reached = 0;
        for _ in 0..60 {
            let loaded = store.load(2, needs.clone()).await;
            let loaded: BTreeMap<_, _> =
                loaded.map_err(|error| format!("a load failed: {error}"))?;
            let later = between[reached..].iter().position(|state| *state == loaded);
            let Some(later) = later else {
                return Err(format!("loaded what never was, or was before: {loaded:?}"));
            };
            reached += later;
        }
        Ok(())
    };
    try_join(saves, loads).await?;
    model.check_all(store).await
}
