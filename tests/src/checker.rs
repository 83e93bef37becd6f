//! Judges a [`Record`]: what was lost, doubled, altered, reordered, left out, made up or miscounted.
//!
//! It knows what api.md and the guarantees promise, and nothing of how they are kept.

mod deeds;
mod truth;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, ops::Bound};

use crate::record::{Record, View};
use truth::Truth;

/// A promise that was broken. The texts say where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// An acknowledged message is not in history.
    Lost(String),
    /// Something is there twice.
    Doubled(String),
    /// Something is not what was sent or acknowledged.
    Altered(String),
    /// Something is missing in between.
    Gap(String),
    /// Two things are in the wrong order.
    Reordered(String),
    /// History has what nobody sent, or what was ruled out.
    Invented(String),
    /// Two members, or a socket and history, were shown different things.
    Disagrees(String),
    /// Somebody was shown what they may not see.
    Leaked(String),
    /// A watermark fell.
    Lowered(String),
    /// An unread count is not the count over history.
    Miscounted(String),
}

/// Every broken promise in a record; none is what a test wants.
pub fn check(record: &Record) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut truths = BTreeMap::new();
    for history in &record.histories {
        // Whoever saw most saw everything: tests keep one founding member in every conversation.
        let truth = truths.entry(history.conversation.as_str()).or_insert(history);
        if history.entries.len() > truth.entries.len() {
            *truth = history;
        }
    }
    let truths: BTreeMap<&str, Truth<'_>> = truths
        .into_iter()
        .map(|(conversation, history)| (conversation, Truth::of(history, &mut faults)))
        .collect();
    for history in &record.histories {
        if let Some(truth) = truths.get(history.conversation.as_str()) {
            truth.check_history(history, &mut faults);
        }
    }
    deeds::check(record, &truths, &mut faults);
    for view in &record.views {
        match truths.get(view.conversation.as_str()) {
            Some(truth) => check_view(view, truth, &mut faults),
            None => faults.push(Fault::Invented(format!("{}: no such history", name(view)))),
        }
    }
    faults
}

fn name(view: &View) -> String {
    format!("{} of {} in {}", view.name, view.user, view.conversation)
}

/// A view is a run of what its user may see, without a hole, each once, and the same as history.
fn check_view(view: &View, truth: &Truth<'_>, faults: &mut Vec<Fault>) {
    let visible = truth.visible(&view.user);
    let next_after = |rev: u64| visible.range((Bound::Excluded(rev), Bound::Unbounded)).next();
    let mut expected = match view.after {
        Some(after) => next_after(after).copied(),
        None => view.entries.first().and_then(|entry| entry["rev"].as_u64()),
    };
    let mut last = view.after.unwrap_or(0);
    for entry in &view.entries {
        let rev = entry["rev"].as_u64().unwrap_or(0);
        let place = format!("{}, rev {rev}", name(view));
        if !visible.contains(&rev) {
            faults.push(Fault::Leaked(place));
            continue;
        }
        if truth.entry(rev) != Some(entry) {
            faults.push(Fault::Disagrees(place.clone()));
        }
        match expected {
            Some(expected) if rev == expected => {}
            _ if rev == last => faults.push(Fault::Doubled(place)),
            _ if rev < last => faults.push(Fault::Reordered(place)),
            _ => faults.push(Fault::Gap(place)),
        }
        last = rev;
        expected = next_after(rev).copied();
    }
    if let (true, Some(missing)) = (view.whole, expected) {
        faults.push(Fault::Gap(format!("{}: ends before rev {missing}", name(view))));
    }
}
