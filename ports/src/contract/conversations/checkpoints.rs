//! The checkpoint moves with the rows or not at all.

use verbatim_domain::state::{BatchNeeds, Needs};
use verbatim_schemas::{Kind, Role, Src, Visibility};

use super::model::Model;
use crate::{
    StoreError,
    contract::{
        breach::{Check, ensure},
        driver::{Conversations, user},
        story::LAYOUT,
    },
    conversations::ConversationStore,
};

/// A conversation that does not exist comes as an empty state.
pub(super) async fn empty(store: &dyn ConversationStore) -> Check {
    let id = Conversations::new(LAYOUT).new_conversation_id();
    let needs = Needs {
        members: [user("ann")].into(),
        longest_standing: 2,
        memories: [(user("ann"), 2)].into(),
        ..Needs::default()
    };
    let model = Model::new(0, 0);
    model.check(store, &BatchNeeds::new()).await?;
    model.check(store, &[(id, needs)].into()).await
}

/// A save that expects another checkpoint is fenced, and changes nothing.
pub(super) async fn expected(store: &dyn ConversationStore) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let id = told.new_conversation_id_in(0);
    told.create_as(id, Kind::Group, "ann", &["bob"], Visibility::All);
    told.send(id, "ann", "one");
    let mut model = Model::new(0, 0);
    model.clear(store).await?;
    let first = told.rulings()[0].src;
    fenced(store, &model, &told, Some(first)).await?;
    model.save(store, &told.rulings()[..2]).await?;
    let last = told.rulings()[1].src;
    told.send(id, "bob", "two");
    told.add(id, "ann", "cid", Role::Admin);
    let wrong = [
        None,
        Some(first),
        Some(Src { offset: last.offset + 1, ..last }),
        Some(Src { generation: last.generation + 1, ..last }),
    ];
    for wrong in wrong {
        fenced(store, &model, &told, wrong).await?;
    }
    model.save(store, &told.rulings()[2..]).await?;
    model.check_all(store).await
}

async fn fenced(
    store: &dyn ConversationStore,
    model: &Model,
    told: &Conversations,
    expected: Option<Src>,
) -> Check {
    let mut other = model.clone();
    let changes = other.fold(told.rulings());
    let Some(next) = other.checkpoint else { return Ok(()) };
    let saved = store.save(model.partition, expected, changes, next).await;
    ensure!(
        matches!(saved, Err(StoreError::Fenced)),
        "a save that expects {expected:?} gave {saved:?}"
    );
    model.check_all(store).await?;
    // What was not there must not be there now.
    let none =
        other.states.keys().map(|id| (*id, Needs { longest_standing: 9, ..Needs::default() }));
    model.check(store, &none.collect()).await
}

/// Clearing takes all of one partition and nothing of another.
pub(super) async fn cleared(store: &dyn ConversationStore) -> Check {
    let mut told = Conversations::new(LAYOUT);
    let mut models = Vec::new();
    for partition in 0..2 {
        let id = told.new_conversation_id_in(partition);
        told.create_as(id, Kind::Group, "ann", &["bob"], Visibility::All);
        told.send(id, "bob", "text");
        told.read(id, "ann", 1);
        let mut model = Model::new(partition, 0);
        model.clear(store).await?;
        model.save(store, &told.of_partition(partition)).await?;
        models.push(model);
    }
    let before = models[0].clone();
    models[0].clear(store).await?;
    let needs: BatchNeeds = before
        .states
        .iter()
        .map(|(id, state)| {
            let needs = Needs {
                members: state.members.keys().cloned().collect(),
                longest_standing: 5,
                spent: state.spent.keys().cloned().collect(),
                memories: state.memories.keys().map(|user| (user.clone(), 5)).collect(),
            };
            (*id, needs)
        })
        .collect();
    models[0].check(store, &needs).await?;
    models[1].check_all(store).await?;
    // It can be filled again.
    models[0].save(store, &told.of_partition(0)).await?;
    models[0].check_all(store).await
}

/// Fills a partition that is looked at again after the store was opened anew.
pub(super) async fn fill(store: &dyn ConversationStore) -> Result<Model, String> {
    let mut told = Conversations::new(LAYOUT);
    let id = told.new_conversation_id_in(1);
    told.create_as(id, Kind::Channel, "ann", &["bob", "cid"], Visibility::SinceJoin);
    told.send(id, "bob", "text");
    told.remove(id, "ann", "ann");
    told.direct("eve", "fay");
    let mut model = Model::new(1, 0);
    model.clear(store).await?;
    model.save(store, &told.of_partition(1)).await?;
    Ok(model)
}
