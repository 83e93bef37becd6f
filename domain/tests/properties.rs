//! What holds for every history.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod support;

use std::collections::BTreeMap;

use proptest::prelude::*;
use support::*;
use verbatim_domain::{
    access::{Action, Interval, Membership, authorize},
    partition,
    position::Position,
};
use verbatim_schemas::{
    Chain, Code, ConversationId, EntryBody, Event, EventBody, Kind, Outcome, Posting, Rev, Role,
    Seq, UserId, Visibility,
};

const USERS: [&str; 4] = ["ada", "bob", "cid", "eve"];

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Ask(usize, EventBody),
    /// Repeats one of the earlier commands as it was.
    Repeat(prop::sample::Index),
    /// Uses the id of an earlier command for something else.
    Reuse(prop::sample::Index, EventBody),
    /// Under an id of another time.
    At(usize, i64, EventBody),
    /// A record that is no event.
    Garbage(Vec<u8>),
    Pass(i64),
}

/// What the conversation is.
#[derive(Debug, Clone, Copy)]
enum Beginning {
    Direct,
    Founded(Kind, Visibility, Posting),
}

impl Beginning {
    fn story(self) -> Story {
        match self {
            Self::Direct => Story::direct(),
            Self::Founded(kind, history, posting) => {
                Story::founded(kind, history, posting, &["bob"])
            }
        }
    }
}

fn beginning() -> impl Strategy<Value = Beginning> {
    let kind = prop_oneof![2 => Just(Kind::Group), 1 => Just(Kind::Channel)];
    let history = prop_oneof![2 => Just(Visibility::SinceJoin), 1 => Just(Visibility::All)];
    let posting = prop_oneof![2 => Just(Posting::Members), 1 => Just(Posting::Admins)];
    prop_oneof![
        1 => Just(Beginning::Direct),
        4 => (kind, history, posting)
            .prop_map(|(kind, history, posting)| Beginning::Founded(kind, history, posting)),
    ]
}

fn body() -> impl Strategy<Value = EventBody> {
    let name = (0..USERS.len()).prop_map(|n| USERS[n]);
    let role = prop_oneof![Just(Role::Member), Just(Role::Admin)];
    prop_oneof![
        8 => "[a-z]{1,8}".prop_map(|text| says(&text)),
        3 => (name.clone(), role).prop_map(|(name, role)| adds(name, role)),
        2 => name.prop_map(removes),
        2 => (0..12u64).prop_map(delivered),
        2 => (0..12u64).prop_map(read),
        1 => Just(created(Kind::Group, Visibility::SinceJoin, Posting::Members, &["bob"])),
        1 => Just(direct_with("bob")),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..USERS.len(), body()).prop_map(|(actor, body)| Step::Ask(actor, body)),
        3 => any::<prop::sample::Index>().prop_map(Step::Repeat),
        1 => (any::<prop::sample::Index>(), body()).prop_map(|(of, body)| Step::Reuse(of, body)),
        2 => (0..USERS.len(), -900_000_000..900_000i64, body())
            .prop_map(|(actor, away, body)| Step::At(actor, away, body)),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
        1 => (-10_000..400_000_000i64).prop_map(Step::Pass),
    ]
}

/// Plays a history, checking what must hold after each ruling.
fn play(beginning: Beginning, steps: Vec<Step>) -> Story {
    let mut story = beginning.story();
    let mut bodies: Vec<Event> = story.events.clone();
    for step in steps {
        let before = story.state.clone();
        match step {
            Step::Ask(actor, body) => {
                let id = story.new_id();
                story.when_with(USERS[actor], id, body);
                bodies.push(story.events.last().unwrap().clone());
            }
            Step::At(actor, away, body) => {
                let id = id_at(story.now.saturating_add_signed(away), bodies.len() as u64);
                story.when_with(USERS[actor], id, body);
                bodies.push(story.events.last().unwrap().clone());
            }
            Step::Repeat(of) => {
                let event = bodies[of.index(bodies.len())].clone();
                let receipt = event.body.is_receipt();
                let then = story.when_with(event.actor.as_str(), event.id, event.body);
                if !receipt {
                    repeats_change_nothing(&before, &mut story, then);
                }
            }
            Step::Reuse(of, body) => {
                let event = bodies[of.index(bodies.len())].clone();
                if event.body != body && !body.is_receipt() && !event.body.is_receipt() {
                    let then = story.when_with(event.actor.as_str(), event.id, body);
                    let Outcome::Rejected(reason) = then.0.outcome else {
                        panic!("a spent id was accepted for something else")
                    };
                    assert!(matches!(reason.code, Code::IdReused | Code::StaleId));
                }
            }
            Step::Garbage(value) => {
                if Event::decode(&value).is_err() {
                    story.record(&value, None);
                    assert_eq!(story.state, before);
                }
            }
            Step::Pass(millis) => story.now = story.now.saturating_add_signed(millis),
        }
        watermarks_hold(&before, &story);
    }
    story
}

fn repeats_change_nothing(
    before: &verbatim_domain::ConversationState,
    story: &mut Story,
    then: Then,
) {
    match &then.0.outcome {
        Outcome::Duplicate(_) => {}
        Outcome::Rejected(reason) => assert_eq!(reason.code, Code::StaleId),
        Outcome::Accepted(_) => panic!("a repeat was accepted"),
    }
    let mut after = story.state.clone();
    // Time goes on, and nothing else does.
    after.head.as_mut().unwrap().last_at = before.head.as_ref().unwrap().last_at;
    assert_eq!(&after, before);
}

fn watermarks_hold(before: &verbatim_domain::ConversationState, story: &Story) {
    let head = story.state.head.as_ref().unwrap();
    assert_eq!(head.member_count as usize, story.state.members.len());
    let admins = story.state.members.values().filter(|row| row.role == Role::Admin).count();
    assert_eq!(head.admin_count as usize, admins);
    let direct = head.kind == Kind::Direct;
    assert!(direct || story.state.members.is_empty() || admins > 0, "somebody is admin");
    assert!(!direct || story.state.members.len() == 2, "two for ever");
    for (user, row) in &story.state.members {
        assert!(row.read <= row.delivered && row.delivered <= head.seq);
        if let Some(earlier) = before.members.get(user)
            && earlier.since_rev == row.since_rev
        {
            assert!(row.read >= earlier.read && row.delivered >= earlier.delivered);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn g2_rev_and_seq_have_no_gap_and_the_fold_is_the_state(
        beginning in beginning(), steps in prop::collection::vec(step(), 1..80)
    ) {
        let story = play(beginning, steps);
        prop_assert_eq!(&story.folded(), &story.state);
        let (mut rev, mut seq, mut chain) = (Rev::ZERO, Seq::ZERO, Chain::EMPTY);
        for ruling in &story.rulings {
            let Some(content) = ruling.content() else { continue };
            rev = rev.next();
            chain = verbatim_domain::chain::next(chain, ruling);
            prop_assert_eq!(content.entry.rev, rev);
            prop_assert_eq!(content.chain, chain);
            if let EntryBody::Message { message } = &content.entry.body {
                seq = seq.next();
                prop_assert_eq!(message.seq, seq);
                prop_assert_eq!(message.rev, rev);
            }
        }
        let head = story.state.head.as_ref().unwrap();
        prop_assert_eq!((head.rev, head.seq, head.chain), (rev, seq, chain));
    }

    /// Against a second, naive book-keeping: for each user the set of revs that happened while they
    /// were a member.
    #[test]
    fn g7_nobody_sees_outside_their_intervals(
        beginning in beginning(), steps in prop::collection::vec(step(), 1..80)
    ) {
        let story = play(beginning, steps);
        let mut seen: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
        let mut messages: BTreeMap<UserId, Vec<u64>> = BTreeMap::new();
        let mut present: Vec<UserId> = Vec::new();
        let mut facts: BTreeMap<UserId, Vec<Interval>> = BTreeMap::new();
        for ruling in &story.rulings {
            let Some(accepted) = ruling.accepted() else { continue };
            let Some(content) = &accepted.content else { continue };
            let (rev, head_seq) = (content.entry.rev, accepted.context.head_seq);
            let open = |user: &UserId, facts: &mut BTreeMap<UserId, Vec<Interval>>| {
                let interval = Interval { from_rev: rev, from_seq: head_seq.next(), until: None };
                facts.entry(user.clone()).or_default().push(interval);
            };
            match &content.entry.body {
                EntryBody::ConversationCreated { members, .. } => {
                    for member in members {
                        present.push(member.user_id.clone());
                        open(&member.user_id, &mut facts);
                    }
                }
                EntryBody::MemberAdded { member } => {
                    present.push(member.user_id.clone());
                    open(&member.user_id, &mut facts);
                }
                EntryBody::MemberRemoved { member, .. } => {
                    present.retain(|user| *user != member.user_id);
                    let last = facts.get_mut(&member.user_id).unwrap().last_mut().unwrap();
                    last.until = Some((rev, head_seq));
                }
                _ => {}
            }
            for user in &present {
                seen.entry(user.clone()).or_default().push(rev.0);
                if let EntryBody::Message { message } = &content.entry.body {
                    messages.entry(user.clone()).or_default().push(message.seq.0);
                }
            }
        }
        let head = story.state.head.as_ref().unwrap();
        for name in USERS {
            let user = user(name);
            let role = story.state.members.get(&user).map(|row| row.role);
            let membership = Membership {
                kind: head.kind,
                history: head.history,
                member_count: head.member_count,
                head_rev: head.rev,
                head_seq: head.seq,
                role,
                intervals: facts.get(&user).cloned().unwrap_or_default(),
            };
            let grant = authorize(&user, story.id, Some(&membership), Action::Read);
            let Some(_) = role else {
                prop_assert_eq!(grant, Err(Code::ConversationNotFound));
                continue;
            };
            let grant = grant.unwrap();
            let revs: Vec<u64> =
                (0..=head.rev.0 + 1).filter(|rev| grant.sees_rev(Rev(*rev))).collect();
            if head.history == Visibility::All {
                prop_assert_eq!(revs, (1..=head.rev.0).collect::<Vec<_>>());
                continue;
            }
            prop_assert_eq!(&revs, seen.get(&user).unwrap());
            let seqs: Vec<u64> =
                (0..=head.seq.0 + 1).filter(|seq| grant.sees_seq(Seq(*seq))).collect();
            prop_assert_eq!(seqs, messages.get(&user).cloned().unwrap_or_default());
        }
    }

    #[test]
    fn no_record_panics(value in prop::collection::vec(any::<u8>(), 0..600)) {
        let mut story = Story::group(&["bob"]);
        if Event::decode(&value).is_err() {
            story.record(&value, None);
        }
    }

    #[test]
    fn mutated_events_never_panic_and_never_break_the_fold(
        beginning in beginning(),
        steps in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), body()), 1..20)
    ) {
        let mut story = beginning.story();
        for (place, byte, body) in steps {
            let id = story.new_id();
            story.when_with("ada", id, body);
            let mut value = story.events.last().unwrap().encode().unwrap();
            let place = place.index(value.len());
            value[place] = byte;
            let event = Event::decode(&value).ok().filter(|event| event.conversation_id == story.id);
            story.record(&value, event);
        }
        prop_assert_eq!(&story.folded(), &story.state);
    }

    #[test]
    fn positions_survive_their_tokens(
        generation in any::<u32>(),
        offsets in prop::collection::btree_map(any::<u32>(), any::<u64>(), 0..40),
    ) {
        let position = Position { generation, offsets };
        let token = position.token();
        prop_assert!(token.len() <= verbatim_schemas::bounds::POSITION_BYTES);
        prop_assert_eq!(Position::parse(&token), Ok(position));
    }

    #[test]
    fn forged_tokens_never_panic(token in "[A-Za-z0-9_-]{0,1100}") {
        if let Ok(position) = Position::parse(&token) {
            prop_assert_eq!(Position::parse(&position.token()), Ok(position));
        }
    }

    #[test]
    fn a_key_has_one_partition(key in "[a-z0-9-]{0,64}", partitions in 1..64u32) {
        prop_assert!(partition::of_key(key.as_bytes(), partitions) < partitions);
    }

    #[test]
    fn direct_ids_are_symmetric_and_apart(one in "[!-~&&[^/?#%\"\\\\,<>]]{1,20}", other in "[a-z]{1,20}") {
        let (one, other) = (user(&one), user(&other));
        let id = ConversationId::direct(&one, &other);
        prop_assert_eq!(id, ConversationId::direct(&other, &one));
        prop_assert!(id.is_direct());
        let longer = user(&format!("{}x", other.as_str()));
        prop_assert_ne!(id, ConversationId::direct(&one, &longer));
    }
}
