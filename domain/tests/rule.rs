//! The rule, given, when, then.

mod support;

use support::*;
use verbatim_schemas::{
    Code, ConversationId, EntryBody, Kind, Outcome, Posting, Role, Seq, Timestamp, Visibility,
    bounds,
    ruling::{First, Standing},
};

#[test]
fn a_direct_conversation_is_the_same_whoever_opens_it() {
    let mut story = Story::direct();
    story.when("bob", direct_with("ada")).nothing();
    let again = story.when("ada", direct_with("bob")).nothing();
    let Some(Standing::Conversation(now)) = again.accepted().unwrap().standing.clone() else {
        panic!("the answer is the conversation")
    };
    assert_eq!((now.id, now.peer), (story.id, Some(user("bob"))));
    story.when("bob", says("hello")).entry(2);
}

#[test]
fn a_direct_conversation_has_its_own_id_and_its_two_members_for_ever() {
    let mut story = Story::direct();
    story.when("ada", adds("eve", Role::Member)).rejected(Code::DirectIsFixed);
    story.when("ada", removes("bob")).rejected(Code::DirectIsFixed);
    story.when("bob", removes("bob")).rejected(Code::DirectIsFixed);
    story.when("eve", removes("bob")).rejected(Code::ConversationNotFound);
    let mut other = Story::new(ConversationId::direct(&user("ada"), &user("bob")));
    other.when("ada", direct_with("eve")).rejected(Code::Invalid);
    let mut group = Story::new(group_id());
    group.when("ada", direct_with("bob")).rejected(Code::Invalid);
}

#[test]
fn creation_counts_once_and_tells_outsiders_only_that_the_id_is_taken() {
    let body = || created(Kind::Group, Visibility::SinceJoin, Posting::Members, &["bob"]);
    let mut story = Story::group(&["bob"]);
    story.when("ada", body()).nothing();
    let bobs = created(Kind::Group, Visibility::SinceJoin, Posting::Members, &["ada"]);
    story.when("bob", bobs).rejected(Code::ConversationExists);
    story.when("eve", body()).rejected(Code::ConversationExists);
    let other = created(Kind::Group, Visibility::All, Posting::Members, &["bob"]);
    story.when("ada", other).rejected(Code::ConversationExists);
    story.when("ada", removes("ada")).entry(2);
    story.when("ada", body()).rejected(Code::ConversationExists);
}

#[test]
fn creation_checks_its_shape() {
    let group =
        |members: &[&str]| created(Kind::Group, Visibility::SinceJoin, Posting::Members, members);
    Story::new(group_id()).when("ada", group(&["ada"])).rejected(Code::Invalid);
    Story::new(group_id()).when("ada", group(&["bob", "bob"])).rejected(Code::Invalid);
    let names: Vec<String> = (0..101).map(|n| format!("user-{n:03}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    Story::new(group_id()).when("ada", group(&names)).rejected(Code::Invalid);
    let founded = Story::new(group_id()).when("ada", group(&names[1..])).entry(1);
    assert_eq!(founded.accepted().unwrap().context.member_count, 101);
    let direct = ConversationId::direct(&user("ada"), &user("bob"));
    Story::new(direct).when("ada", group(&["bob"])).rejected(Code::Invalid);
}

#[test]
fn outsiders_learn_nothing() {
    let mut story = Story::group(&["bob"]);
    let mut nowhere = Story::new(group_id());
    for body in [
        says("hi"),
        adds("eve", Role::Admin),
        removes("bob"),
        removes("eve"),
        delivered(0),
        read(1),
    ] {
        let here = story.when("eve", body.clone()).rejected(Code::ConversationNotFound);
        let there = nowhere.when("eve", body).rejected(Code::ConversationNotFound);
        assert_eq!(here.outcome, there.outcome);
    }
}

#[test]
fn admins_manage_members() {
    let mut story = Story::group(&["bob"]);
    story.when("bob", adds("eve", Role::Member)).rejected(Code::Forbidden);
    story.when("bob", removes("ada")).rejected(Code::Forbidden);
    story.when("bob", removes("eve")).rejected(Code::Forbidden);
    story.when("ada", adds("eve", Role::Member)).entry(2);
    story.when("ada", adds("eve", Role::Member)).nothing();
    story.when("ada", adds("eve", Role::Admin)).entry(3);
    story.when("eve", removes("ada")).entry(4);
    story.when("ada", says("still here?")).rejected(Code::ConversationNotFound);
    story.when("eve", removes("ada")).nothing();
    assert_eq!(story.state.head.as_ref().unwrap().admin_count, 1);
}

#[test]
fn a_conversation_with_members_has_an_admin() {
    let mut story = Story::group(&["bob", "cid"]);
    story.when("ada", adds("ada", Role::Member)).rejected(Code::LastAdmin);
    let left = story.when("ada", removes("ada")).entry(2);
    let EntryBody::MemberRemoved { promoted, .. } = &left.content().unwrap().entry.body else {
        panic!("a removal")
    };
    assert_eq!(*promoted, Some(user("bob")), "founding members stand equally long: by name");
    story.when("bob", adds("ada", Role::Member)).entry(3);
    story.when("bob", removes("bob")).entry(4);
    assert_eq!(story.state.members[&user("cid")].role, Role::Admin, "cid stands longer than ada");
    story.when("cid", removes("ada")).entry(5);
    let last = story.when("cid", removes("cid")).entry(6);
    assert_eq!(last.accepted().unwrap().context.member_count, 0);
}

#[test]
fn groups_and_channels_are_bounded() {
    let mut story = Story::group(&[]);
    story.state.head.as_mut().unwrap().member_count = bounds::GROUP_MEMBERS;
    story.when("ada", adds("bob", Role::Member)).rejected(Code::ConversationFull);
    let mut story = Story::founded(Kind::Channel, Visibility::All, Posting::Admins, &[]);
    story.state.head.as_mut().unwrap().member_count = bounds::CHANNEL_MEMBERS;
    story.when("ada", adds("bob", Role::Member)).rejected(Code::ConversationFull);
}

#[test]
fn only_admins_post_where_posting_is_theirs() {
    let mut story = Story::founded(Kind::Channel, Visibility::All, Posting::Admins, &["bob"]);
    story.when("bob", says("me too")).rejected(Code::Forbidden);
    story.when("ada", says("news")).entry(2);
}

#[test]
fn g3_a_repeat_has_the_first_outcome() {
    let mut story = Story::group(&["bob"]);
    let id = story.new_id();
    let first = story.when_with("bob", id, says("once")).entry(2);
    let again = story.when_with("bob", id, says("once")).duplicate_of(&first);
    let Outcome::Duplicate(duplicate) = &again.outcome else { panic!() };
    let First::Accepted { seq, .. } = duplicate.first else { panic!() };
    assert_eq!(seq, Some(Seq(1)));
    story.when_with("bob", id, says("twice")).rejected(Code::IdReused);
    story.when_with("bob", id, says_with("once", "{}")).rejected(Code::IdReused);
    story.when_with("ada", id, says("another actor's id is another id")).entry(3);
    assert_eq!(story.state.head.as_ref().unwrap().seq, Seq(2));
}

#[test]
fn g7_a_repeat_by_a_former_member_tells_nothing_new() {
    let mut story = Story::group(&["bob"]);
    let id = story.new_id();
    let first = story.when_with("ada", id, adds("eve", Role::Admin)).entry(2);
    story.when("eve", removes("ada")).entry(3);
    story.when("eve", adds("bob", Role::Admin)).entry(4);
    let again = story.when_with("ada", id, adds("eve", Role::Admin)).duplicate_of(&first);
    let Outcome::Duplicate(duplicate) = again.outcome else { panic!() };
    assert_eq!(duplicate.standing, None);
}

#[test]
fn g3_a_rejection_spends_the_id() {
    let mut story = Story::group(&[]);
    let id = story.new_id();
    let first = story.when_with("bob", id, says("let me in")).rejected(Code::ConversationNotFound);
    story.when("ada", adds("bob", Role::Member)).entry(2);
    story.when_with("bob", id, says("let me in")).duplicate_of(&first);
    let mut nowhere = Story::new(group_id());
    let early = nowhere.when_with("ada", id, says("first?")).rejected(Code::ConversationNotFound);
    let body = created(Kind::Group, Visibility::SinceJoin, Posting::Members, &[]);
    nowhere.when("ada", body).entry(1);
    nowhere.when_with("ada", id, says("first?")).duplicate_of(&early);
}

#[test]
fn ids_from_the_future_and_the_past_are_refused() {
    let mut story = Story::group(&[]);
    let now = story.now;
    let ahead = id_at(now + bounds::ID_FUTURE_MS, 1);
    story.when_with("ada", ahead, says("just in time")).entry(2);
    let later = id_at(now + bounds::ID_FUTURE_MS + 1, 2);
    let first = story.when_with("ada", later, says("too soon")).rejected(Code::FutureId);
    story.pass(1_000);
    story.when_with("ada", later, says("too soon")).duplicate_of(&first);
    let week = id_at(story.now - bounds::ID_MEMORY_MS, 3);
    story.when_with("ada", week, says("a week old")).entry(3);
    let older = id_at(story.now - bounds::ID_MEMORY_MS - 1, 4);
    story.when_with("ada", older, says("older")).rejected(Code::StaleId);
    story.pass(1);
    story.when_with("ada", week, says("a week old")).rejected(Code::StaleId);
}

#[test]
fn memory_is_bounded_and_what_is_forgotten_is_stale() {
    let mut story = Story::group(&[]);
    let first = story.new_id();
    story.when_with("ada", first, says("the first")).accepted();
    for _ in 0..bounds::ID_MEMORY_COUNT {
        story.when("ada", says("more")).accepted();
    }
    story.when_with("ada", first, says("the first")).rejected(Code::StaleId);
    let memory = story.state.memories[&user("ada")];
    assert!(memory.count <= bounds::ID_MEMORY_COUNT);
    assert_eq!(story.state.spent.len(), memory.count as usize);
    story.pass(bounds::ID_MEMORY_MS + 10_000);
    for _ in 0..bounds::ID_MEMORY_COUNT {
        story.when("ada", says("much later")).accepted();
    }
    let oldest = story.state.spent_by(&user("ada")).next().unwrap().0.1;
    assert!(oldest.time() >= Timestamp::from_millis(story.now), "two forgotten for each new one");
}

#[test]
fn g3_ids_from_the_future_keep_nobody_out() {
    let mut story = Story::group(&[]);
    let kept = story.new_id();
    let first = story.when_with("ada", kept, says("kept")).accepted();
    for n in 0..u64::from(bounds::ID_MEMORY_COUNT) + 10 {
        let year_2100 = id_at(4_102_444_800_000 + n, n);
        story.when_with("ada", year_2100, says("too soon")).rejected(Code::FutureId);
        assert!(story.state.memories[&user("ada")].count <= bounds::ID_MEMORY_COUNT);
    }
    story.when_with("ada", kept, says("kept")).duplicate_of(&first);
    for _ in 0..bounds::ID_MEMORY_COUNT - 2 {
        let id = story.new_id();
        let first = story.when_with("ada", id, says("in time")).accepted();
        story.when_with("ada", id, says("in time")).duplicate_of(&first);
    }
    story.when_with("ada", kept, says("kept")).duplicate_of(&first);
    assert_eq!(story.state.memories[&user("ada")].floor, None);
    assert_eq!(story.state.spent.len(), bounds::ID_MEMORY_COUNT as usize);
}

#[test]
fn a_clock_that_is_ahead_keeps_others_out_no_longer_than_it_is_ahead() {
    let mut story = Story::group(&[]);
    for n in 0..u64::from(bounds::ID_MEMORY_COUNT) + 10 {
        let id = id_at(story.now + bounds::ID_FUTURE_MS, n);
        story.when_with("ada", id, says("early")).accepted();
    }
    let id = story.new_id();
    story.when_with("ada", id, removes("ada")).rejected(Code::StaleId);
    story.pass(bounds::ID_FUTURE_MS);
    story.when("ada", removes("ada")).accepted();
}

#[test]
fn receipts_rise_only_and_never_pass_the_head() {
    let mut story = Story::group(&["bob"]);
    for _ in 0..5 {
        story.when("ada", says("hi")).accepted();
    }
    story.when("bob", delivered(6)).rejected(Code::BeyondHead);
    story.when("bob", delivered(4)).watermarks(4, 0);
    story.when("bob", read(2)).watermarks(4, 2);
    story.when("bob", read(5)).watermarks(5, 5);
    let id = story.new_id();
    let late = story.when_with("bob", id, delivered(1)).nothing();
    let Some(Standing::Receipt(now)) = &late.accepted().unwrap().standing else { panic!() };
    assert_eq!((now.delivered, now.read), (Seq(5), Seq(5)));
    story.when_with("bob", id, read(0)).nothing();
    assert!(story.state.spent.keys().all(|(_, spent)| *spent != id), "receipts spend no id");
    story.when("bob", says("my own is read")).accepted();
    let row = story.state.members[&user("bob")];
    assert_eq!((row.delivered, row.read), (Seq(6), Seq(6)));
}

#[test]
fn who_joins_has_nothing_unread() {
    let mut story = Story::group(&["bob"]);
    story.when("ada", says("before")).accepted();
    story.when("ada", adds("eve", Role::Member)).accepted();
    assert_eq!(story.state.members[&user("eve")].read, Seq(1));
    story.when("bob", read(1)).accepted();
    story.when("ada", removes("bob")).accepted();
    story.when("ada", says("while bob is away")).accepted();
    story.when("ada", adds("bob", Role::Member)).accepted();
    assert_eq!(story.state.members[&user("bob")].read, Seq(2));
}

#[test]
fn in_large_conversations_delivered_is_not_recorded() {
    let mut story = Story::founded(Kind::Channel, Visibility::All, Posting::Members, &["bob"]);
    story.when("ada", says("hi")).accepted();
    story.state.head.as_mut().unwrap().member_count = bounds::RECEIPTS_PUBLIC_MEMBERS + 1;
    story.when("bob", delivered(1)).nothing();
    story.when("bob", read(1)).watermarks(1, 1);
}

#[test]
fn records_that_are_no_events_change_nothing() {
    let mut story = Story::group(&["bob"]);
    let before = story.state.clone();
    let mut event = story.events[0].clone();
    event.conversation_id = ConversationId::direct(&user("x"), &user("y"));
    let wrong_key = event.encode().unwrap();
    let large = vec![b' '; bounds::EVENT_BYTES + 1];
    let unknown = String::from_utf8(story.events[0].encode().unwrap())
        .unwrap()
        .replace("conversation_created", "conversation_burnt");
    for value in [&b""[..], b"{}", b"\xff\xfe", &wrong_key, &large, unknown.as_bytes()] {
        let ruling = story.record(value, None).rejected(Code::Malformed);
        assert_eq!(ruling.event_id, None);
    }
    assert_eq!(story.state, before);
    story.when("bob", says("goes on")).entry(2);
}

#[test]
fn time_never_runs_backwards_in_a_conversation() {
    let mut story = Story::group(&["bob"]);
    story.pass(10_000);
    let late = story.when("ada", says("late")).accepted();
    story.now -= 5_000;
    let early = story.when("ada", says("early")).accepted();
    assert_eq!(early.at, late.at);
}

#[test]
fn the_chain_covers_every_entry_and_lets_bodies_be_erased() {
    use verbatim_domain::chain;
    use verbatim_schemas::{Chain, Text};
    let mut story = Story::group(&["bob"]);
    story.when("ada", says("secret")).accepted();
    story.when("bob", says_with("reply", r#"{"a":1.10}"#)).accepted();
    let verify = |rulings: &[verbatim_schemas::Ruling]| {
        let mut chain = Chain::EMPTY;
        rulings.iter().all(|ruling| {
            chain = chain::next(chain, ruling);
            ruling.content().unwrap().chain == chain
        })
    };
    assert!(verify(&story.rulings));
    let mut erased = story.rulings.clone();
    let Outcome::Accepted(accepted) = &mut erased[1].outcome else { panic!() };
    if let EntryBody::Message { message } = &mut accepted.content.as_mut().unwrap().entry.body {
        message.text = Text::erased();
    }
    erased[1].spent.as_mut().unwrap().salt.0 = [0; 16];
    assert!(verify(&erased), "an erased body leaves the chain whole");
    let mut swapped = story.rulings.clone();
    swapped.swap(1, 2);
    assert!(!verify(&swapped));
    let mut dropped = story.rulings.clone();
    dropped.remove(1);
    assert!(!verify(&dropped));
    let mut forged = story.rulings.clone();
    forged[1].actor = Some(user("eve"));
    assert!(!verify(&forged));
}
