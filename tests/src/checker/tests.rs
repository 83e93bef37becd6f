use serde_json::{Value, json};

use super::{Fault, check};
use crate::record::{Acked, Asked, History, Mark, Record, View};

const ROOM: &str = "room";

fn created(members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|user| json!({"user_id": user})).collect();
    json!({
        "rev": 1, "at": "t0", "kind": "conversation_created", "members": members,
        "conversation": {"history": "since_join"},
    })
}

fn message(rev: u64, seq: u64, sender: &str) -> Value {
    let at = format!("t{rev}");
    json!({"rev": rev, "at": at, "kind": "message", "message": {
        "id": format!("m{seq}"), "seq": seq, "rev": rev, "sender": sender,
        "text": format!("text {seq}"), "created_at": at,
    }})
}

fn moved(rev: u64, kind: &str, user: &str) -> Value {
    json!({"rev": rev, "at": format!("t{rev}"), "kind": kind, "member": {"user_id": user}})
}

fn asked(seq: u64, user: &str) -> Asked {
    Asked {
        user: user.to_owned(),
        conversation: ROOM.to_owned(),
        id: format!("m{seq}"),
        text: format!("text {seq}"),
        line: Some(1),
    }
}

fn acked(rev: u64, seq: u64) -> Acked {
    let (id, at) = (format!("m{seq}"), format!("t{rev}"));
    Acked { conversation: ROOM.to_owned(), id, seq, rev, at, first: true }
}

fn mark(delivered: u64, read: u64) -> Mark {
    let (observer, user) = ("ada".to_owned(), "bob".to_owned());
    Mark { observer, conversation: ROOM.to_owned(), user, delivered, read }
}

fn history(user: &str, entries: &[Value], unread: u64) -> History {
    let messages = entries.iter().map(|entry| entry["message"].clone());
    History {
        user: user.to_owned(),
        conversation: ROOM.to_owned(),
        entries: entries.to_vec(),
        messages: messages.filter(|message| !message.is_null()).collect(),
        receipts: vec![("ada".to_owned(), 3, 3), ("bob".to_owned(), 2, 1)],
        unread,
    }
}

fn view(user: &str, entries: &[Value]) -> View {
    View {
        user: user.to_owned(),
        name: "copy".to_owned(),
        conversation: ROOM.to_owned(),
        entries: entries.to_vec(),
        after: Some(0),
        whole: true,
    }
}

fn entries() -> Vec<Value> {
    vec![created(&["ada", "bob"]), message(2, 1, "ada"), message(3, 2, "ada"), message(4, 3, "ada")]
}

/// Two people, three messages of ada, of which bob read one.
fn good() -> Record {
    let entries = entries();
    Record {
        asked: (1..=3).map(|seq| asked(seq, "ada")).collect(),
        acked: (1..=3).map(|seq| acked(seq + 1, seq)).collect(),
        refused: vec![(ROOM.to_owned(), "m9".to_owned())],
        marks: vec![mark(1, 0), mark(1, 1), mark(2, 1)],
        views: vec![view("ada", &entries), view("bob", &entries)],
        histories: vec![history("ada", &entries, 0), history("bob", &entries, 2)],
    }
}

/// The faults of a record after one change.
fn after(change: impl FnOnce(&mut Record)) -> Vec<Fault> {
    let mut record = good();
    change(&mut record);
    check(&record)
}

/// Changes both members' histories and views alike, as a broken server would show itself.
fn rewrite(record: &mut Record, change: impl Fn(&mut Vec<Value>)) {
    for history in &mut record.histories {
        change(&mut history.entries);
        let entries = history.entries.clone();
        let (user, unread) = (history.user.clone(), history.unread);
        *history = self::history(&user, &entries, unread);
    }
    for view in &mut record.views {
        change(&mut view.entries);
    }
}

macro_rules! assert_found {
    ($faults:expr, $kind:ident) => {
        let faults = $faults;
        assert!(faults.iter().any(|fault| matches!(fault, Fault::$kind(_))), "{faults:?}");
    };
}

#[test]
fn finds_nothing_wrong_with_what_is_right() {
    assert_eq!(after(|_| {}), []);
}

#[test]
fn finds_a_lost_message() {
    assert_found!(
        after(|record| rewrite(record, |entries| {
            entries.pop();
        })),
        Lost
    );
    assert_found!(after(|record| record.histories.clear()), Lost);
}

#[test]
fn finds_a_doubled_message() {
    assert_found!(
        after(|record| rewrite(record, |entries| {
            let mut again = message(5, 4, "ada");
            again["message"]["id"] = "m3".into();
            entries.push(again);
        })),
        Doubled
    );
    assert_found!(
        after(|record| {
            let again = record.views[1].entries[3].clone();
            record.views[1].entries.push(again);
        }),
        Doubled
    );
}

#[test]
fn finds_an_altered_message() {
    for (field, value) in [
        ("text", json!("else")),
        ("sender", json!("bob")),
        ("created_at", json!("t9")),
        ("rev", json!(9)),
    ] {
        let altered = after(|record| {
            rewrite(record, |entries| entries[1]["message"][field] = value.clone());
        });
        assert_found!(altered, Altered);
    }
    assert_found!(after(|record| record.acked[0].seq = 2), Altered);
    assert_found!(after(|record| record.acked[0].rev = 3), Altered);
    assert_found!(after(|record| record.acked[0].at = "t9".to_owned()), Altered);
}

#[test]
fn finds_a_gap() {
    assert_found!(
        after(|record| rewrite(record, |entries| {
            entries.remove(2);
        })),
        Gap
    );
    let seq = |entries: &mut Vec<Value>| entries[3]["message"]["seq"] = 7.into();
    assert_found!(after(|record| rewrite(record, seq)), Gap);
    assert_found!(
        after(|record| {
            record.views[0].entries.remove(1);
        }),
        Gap
    );
    assert_found!(
        after(|record| {
            record.views[0].entries.pop();
        }),
        Gap
    );
    assert_found!(
        after(|record| {
            record.views[0].entries.remove(0);
        }),
        Gap
    );
}

#[test]
fn finds_another_order() {
    assert_found!(after(|record| record.views[1].entries.swap(1, 2)), Reordered);
    assert_found!(after(|record| rewrite(record, |entries| entries.swap(1, 2))), Reordered);
    assert_found!(
        after(|record| rewrite(record, |entries| entries[3]["at"] = "t1".into())),
        Reordered
    );
    assert_found!(after(|record| record.asked.swap(0, 2)), Reordered);
}

#[test]
fn lets_repeats_come_in_any_order() {
    let repeated = after(|record| {
        record.asked.swap(0, 2);
        record.acked.iter_mut().for_each(|acked| acked.first = false);
    });
    assert_eq!(repeated, []);
}

#[test]
fn finds_what_nobody_sent() {
    assert_found!(
        after(|record| {
            record.asked.remove(0);
        }),
        Invented
    );
    assert_found!(after(|record| record.refused[0].1 = "m2".to_owned()), Invented);
}

#[test]
fn finds_members_who_were_shown_different_things() {
    let text = |entries: &mut [Value]| entries[1]["message"]["text"] = "else".into();
    assert_found!(after(|record| text(&mut record.histories[1].entries)), Disagrees);
    assert_found!(after(|record| text(&mut record.views[1].entries)), Disagrees);
    assert_found!(after(|record| record.histories[1].messages.swap(0, 1)), Disagrees);
    assert_found!(after(|record| record.histories[1].receipts[0].1 = 2), Disagrees);
}

#[test]
fn finds_a_lowered_watermark() {
    assert_found!(after(|record| record.marks.swap(0, 2)), Lowered);
    assert_found!(after(|record| record.marks.push(mark(3, 1))), Lowered);
    assert_found!(
        after(|record| record.histories.iter_mut().for_each(|h| h.receipts[0].2 = 2)),
        Lowered
    );
}

#[test]
fn finds_a_wrong_unread_count() {
    assert_found!(after(|record| record.histories[1].unread = 3), Miscounted);
    assert_found!(after(|record| record.histories[0].unread = 1), Miscounted);
}

/// bob leaves before the second message and comes back before the third.
fn away() -> (Record, Vec<Value>) {
    let entries = vec![
        created(&["ada", "bob"]),
        message(2, 1, "ada"),
        moved(3, "member_removed", "bob"),
        message(4, 2, "ada"),
        moved(5, "member_added", "bob"),
        message(6, 3, "ada"),
    ];
    let seen = [0, 1, 4, 5].map(|index: usize| entries[index].clone());
    let mut record = good();
    record.acked = vec![acked(2, 1), acked(4, 2), acked(6, 3)];
    record.histories = vec![history("ada", &entries, 0), history("bob", &seen, 1)];
    record.views = vec![view("ada", &entries), view("bob", &seen)];
    for history in &mut record.histories {
        history.receipts[1] = ("bob".to_owned(), 2, 2);
    }
    (record, entries)
}

#[test]
fn knows_what_a_former_member_may_see() {
    let (record, entries) = away();
    assert_eq!(check(&record), []);
    for hidden in [2, 3] {
        let (mut record, _) = away();
        record.views[1].entries.insert(2, entries[hidden].clone());
        assert_found!(check(&record), Leaked);
        let (mut record, _) = away();
        record.histories[1].entries.insert(2, entries[hidden].clone());
        assert_found!(check(&record), Leaked);
    }
}
