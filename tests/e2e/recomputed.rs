//! Everything but `chat.events` is taken away, and is computed again: the same numbers and times.

use std::collections::BTreeMap;

use anyhow::Result;
use serde_json::Value;
use verbatim_tests::{
    Server,
    checker::check,
    crowd::{Crowd, NO_RATES},
    dice::Dice,
    operator,
};

/// What can be computed again, by the beginning of its files' names.
const DERIVED: [&str; 3] = ["chat.timeline", "conversations", "history"];

/// Removes the files of some stores; how many there were.
fn remove(server: &Server, stores: &[&str]) -> Result<usize> {
    let mut count = 0;
    for entry in std::fs::read_dir(server.data())? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if stores.iter().any(|store| name.starts_with(store)) {
            std::fs::remove_file(entry.path())?;
            count += 1;
        }
    }
    Ok(count)
}

/// The rulings by the event's place; one that a crash put there twice is the same twice.
async fn rulings(server: &Server) -> Result<BTreeMap<String, Value>> {
    let mut rulings = BTreeMap::new();
    for mut line in operator::replay(server.data(), "timeline").await? {
        let ruling = line["event"].take();
        let first = rulings.entry(ruling["src"].to_string()).or_insert_with(|| ruling.clone());
        assert_eq!(*first, ruling);
    }
    Ok(rulings)
}

#[tokio::test(flavor = "multi_thread")]
async fn g1_g2_g8_all_but_the_events_is_computed_again_the_same() -> Result<()> {
    let mut dice = Dice::of_test("recomputed", 377);
    let mut server = Server::start_with(&[], NO_RATES).await?;
    let mut crowd = Crowd::gather(&server.base()).await?;
    let mut lost: Vec<Vec<&str>> = DERIVED.iter().map(|store| vec![*store]).collect();
    lost.push(vec!["chat.timeline", "conversations"]);
    lost.push(vec!["chat.timeline", "history"]);
    lost.push(DERIVED.to_vec());
    for stores in lost {
        crowd.talk(&mut dice, None);
        crowd.acks(40).await?;
        let before = crowd.quiet().await?;
        assert_eq!(check(&before), []);
        let ruled = rulings(&server).await?;
        if dice.below(2) == 0 {
            server.kill().await?;
        } else {
            server.stop().await?;
        }
        assert!(remove(&server, &stores)? >= stores.len(), "{stores:?} are there");
        server.resume().await?;
        // A quiet crowd says one last word in each conversation; then all is as it was, and more.
        let after = crowd.quiet().await?;
        assert_eq!(check(&after), [], "{stores:?}");
        for old in &before.histories {
            let same = |new: &&verbatim_tests::record::History| {
                new.user == old.user && new.conversation == old.conversation
            };
            let new = after.histories.iter().find(same).expect("each reads again");
            assert_eq!(new.entries[..old.entries.len()], old.entries[..], "{stores:?}");
            assert_eq!(new.messages[..old.messages.len()], old.messages[..], "{stores:?}");
        }
        let again = rulings(&server).await?;
        for (src, ruling) in &ruled {
            assert_eq!(again.get(src), Some(ruling), "ruled on as it was: {stores:?}");
        }
    }
    Ok(())
}
