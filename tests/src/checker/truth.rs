//! What a conversation really is, as far as its best reader saw it.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Fault;
use crate::record::History;

/// The entries of a conversation, and who may see which.
pub(super) struct Truth<'a> {
    conversation: &'a str,
    entries: &'a [Value],
    receipts: &'a [(String, u64, u64)],
    /// Message ids and their entries.
    by_id: BTreeMap<&'a str, &'a Value>,
}

impl<'a> Truth<'a> {
    /// Takes a history as the truth, if it is one: dense, in order, nothing twice.
    pub(super) fn of(history: &'a History, faults: &mut Vec<Fault>) -> Self {
        let conversation = history.conversation.as_str();
        let mut by_id = BTreeMap::new();
        let (mut last_seq, mut last_at) = (0, "");
        for (index, entry) in history.entries.iter().enumerate() {
            let place = format!("history of {conversation}, entry {}", index + 1);
            dense(entry["rev"].as_u64(), index as u64 + 1, &place, faults);
            let at = entry["at"].as_str().unwrap_or_default();
            if at < last_at {
                faults.push(Fault::Reordered(format!("{place}: its time lies before the last")));
            }
            last_at = at;
            let message = &entry["message"];
            if message.is_null() {
                continue;
            }
            last_seq += 1;
            dense(message["seq"].as_u64(), last_seq, &format!("{place}, seq"), faults);
            if message["rev"] != entry["rev"] || message["created_at"] != entry["at"] {
                faults.push(Fault::Altered(format!("{place}: entry and message differ")));
            }
            if by_id.insert(message["id"].as_str().unwrap_or_default(), message).is_some() {
                faults.push(Fault::Doubled(format!("{place}: {}", message["id"])));
            }
        }
        Self { conversation, entries: &history.entries, receipts: &history.receipts, by_id }
    }

    /// The entry of a rev.
    pub(super) fn entry(&self, rev: u64) -> Option<&'a Value> {
        // Where it is dense, as it should be, without a search.
        let here = usize::try_from(rev).ok()?.checked_sub(1).and_then(|at| self.entries.get(at));
        here.filter(|entry| entry["rev"] == rev)
            .or_else(|| self.entries.iter().find(|entry| entry["rev"] == rev))
    }

    /// A message.
    pub(super) fn message(&self, id: &str) -> Option<&'a Value> {
        self.by_id.get(id).copied()
    }

    /// Every message.
    pub(super) fn messages(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        let entries: &'a [Value] = self.entries;
        entries.iter().map(|entry| &entry["message"]).filter(|message| !message.is_null())
    }

    /// A member's watermarks at the end.
    pub(super) fn receipt(&self, user: &str) -> Option<(u64, u64)> {
        self.receipts.iter().find(|(whose, _, _)| whose == user).map(|(_, d, r)| (*d, *r))
    }

    /// The revs that a user may see: of the times of membership, without the entries that ended them.
    pub(super) fn visible(&self, user: &str) -> BTreeSet<u64> {
        let all = self.entries.first().is_some_and(|e| e["conversation"]["history"] == "all");
        let mut member = false;
        let mut visible = BTreeSet::new();
        for entry in self.entries {
            match entry["kind"].as_str() {
                Some("conversation_created") => {
                    let members = entry["members"].as_array();
                    member = members.into_iter().flatten().any(|m| m["user_id"] == user);
                }
                Some("member_added") if entry["member"]["user_id"] == user => member = true,
                Some("member_removed") if entry["member"]["user_id"] == user => member = false,
                _ => {}
            }
            if member || all {
                visible.extend(entry["rev"].as_u64());
            }
        }
        visible
    }

    /// Whether a member's history is the truth as far as the member may see it, and the counts too.
    pub(super) fn check_history(&self, history: &History, faults: &mut Vec<Fault>) {
        let place = format!("history of {} for {}", self.conversation, history.user);
        let visible = self.visible(&history.user);
        let revs: Vec<u64> = history.entries.iter().filter_map(|e| e["rev"].as_u64()).collect();
        for rev in &revs {
            if !visible.contains(rev) {
                faults.push(Fault::Leaked(format!("{place}, rev {rev}")));
            }
        }
        let expected: Vec<&Value> = visible.iter().filter_map(|rev| self.entry(*rev)).collect();
        if !history.entries.iter().eq(expected.iter().copied()) {
            faults.push(Fault::Disagrees(format!("{place}: entries {revs:?}")));
        }
        let messages = expected.iter().map(|entry| &entry["message"]).filter(|m| !m.is_null());
        if !history.messages.iter().eq(messages) {
            faults.push(Fault::Disagrees(format!("{place}: entries and messages")));
        }
        if history.receipts != self.receipts {
            faults.push(Fault::Disagrees(format!("{place}: receipts")));
        }
        let read = self.receipt(&history.user).map_or(0, |(_, read)| read);
        let unread = history.messages.iter().filter(|m| m["seq"].as_u64() > Some(read)).count();
        if history.unread != unread as u64 {
            let told = history.unread;
            faults.push(Fault::Miscounted(format!("{place}: {unread} unread, told {told}")));
        }
    }
}

fn dense(number: Option<u64>, expected: u64, place: &str, faults: &mut Vec<Fault>) {
    match number {
        Some(number) if number == expected => {}
        Some(number) if number < expected => faults.push(Fault::Reordered(place.to_owned())),
        _ => faults.push(Fault::Gap(format!("{place}: {number:?} instead of {expected}"))),
    }
}
