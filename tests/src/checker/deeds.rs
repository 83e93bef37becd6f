//! What clients did against what is there: acknowledgements, refusals, order and watermarks.

use std::collections::BTreeMap;

use super::{Fault, truth::Truth};
use crate::record::{Acked, Asked, Record};

type Truths<'a> = BTreeMap<&'a str, Truth<'a>>;

pub(super) fn check(record: &Record, truths: &Truths<'_>, faults: &mut Vec<Fault>) {
    let asked: BTreeMap<&str, &Asked> =
        record.asked.iter().map(|asked| (asked.id.as_str(), asked)).collect();
    for acked in &record.acked {
        check_ack(acked, &asked, truths, faults);
    }
    for (conversation, id) in &record.refused {
        if truths.get(conversation.as_str()).and_then(|truth| truth.message(id)).is_some() {
            faults.push(Fault::Invented(format!("{id} in {conversation} was ruled out")));
        }
    }
    for (conversation, truth) in truths {
        for message in truth.messages() {
            let id = message["id"].as_str().unwrap_or_default();
            match asked.get(id) {
                None => faults.push(Fault::Invented(format!("{id} in {conversation}"))),
                Some(asked) => {
                    let same = message["text"] == asked.text.as_str()
                        && message["sender"] == asked.user.as_str()
                        && asked.conversation == *conversation;
                    if !same {
                        faults.push(Fault::Altered(format!("{id} in {conversation}: {message}")));
                    }
                }
            }
        }
    }
    check_lines(record, faults);
    check_marks(record, truths, faults);
}

fn check_ack(
    acked: &Acked,
    asked: &BTreeMap<&str, &Asked>,
    truths: &Truths<'_>,
    faults: &mut Vec<Fault>,
) {
    let place = format!("{} in {}", acked.id, acked.conversation);
    let Some(truth) = truths.get(acked.conversation.as_str()) else {
        return faults.push(Fault::Lost(format!("{place}: with its conversation")));
    };
    let Some(message) = truth.message(&acked.id) else {
        return faults.push(Fault::Lost(place));
    };
    let same = message["seq"] == acked.seq
        && message["rev"] == acked.rev
        && message["created_at"] == acked.at.as_str();
    if !same {
        faults.push(Fault::Altered(format!("{place}: {acked:?}, but history has {message}")));
    }
    // Sending moves the sender's own read.
    if let Some(asked) = asked.get(acked.id.as_str())
        && let Some((delivered, read)) = truth.receipt(&asked.user)
        && delivered.min(read) < acked.seq
    {
        faults.push(Fault::Lowered(format!("{place}: sent as {}, read {read}", acked.seq)));
    }
}

/// First attempts on one socket to one conversation, where acknowledged, keep their order.
fn check_lines(record: &Record, faults: &mut Vec<Fault>) {
    let firsts: BTreeMap<&str, u64> = record
        .acked
        .iter()
        .filter(|acked| acked.first)
        .map(|acked| (acked.id.as_str(), acked.seq))
        .collect();
    let mut last = BTreeMap::new();
    for asked in &record.asked {
        let (Some(line), Some(seq)) = (asked.line, firsts.get(asked.id.as_str())) else { continue };
        let last = last.entry((line, asked.conversation.as_str())).or_insert(0);
        if seq <= last {
            faults.push(Fault::Reordered(format!("{} of socket {line} has seq {seq}", asked.id)));
        }
        *last = *seq;
    }
}

/// Nobody is told of a watermark below one told before, and none ends below one that was told.
fn check_marks(record: &Record, truths: &Truths<'_>, faults: &mut Vec<Fault>) {
    let mut last = BTreeMap::new();
    for mark in &record.marks {
        let place = format!("{} in {} as {} saw it", mark.user, mark.conversation, mark.observer);
        let key = (&mark.observer, &mark.conversation, &mark.user);
        let (delivered, read) = last.entry(key).or_insert((0, 0));
        if mark.delivered < *delivered || mark.read < *read {
            faults.push(Fault::Lowered(format!("{place}: ({delivered}, {read}), then {mark:?}")));
        }
        (*delivered, *read) = (mark.delivered, mark.read);
        let end = truths.get(mark.conversation.as_str()).and_then(|t| t.receipt(&mark.user));
        if end.is_some_and(|end| end.0 < mark.delivered || end.1 < mark.read) {
            faults.push(Fault::Lowered(format!("{place}: {mark:?}, in the end {end:?}")));
        }
    }
}
