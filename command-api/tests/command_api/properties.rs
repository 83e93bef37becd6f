//! Whatever several users do at once, however often they repeat it, and whatever the log makes of it:
//! an id has one outcome, and who submits keeps their order.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use proptest::prelude::*;
use verbatim_ports::{commands::Outcome, log::Stream};
use verbatim_schemas::{
    CommandId, EventBody, Outcome as Decision, Problem, Role, Ruling, Seq, Timestamp, UserId,
    event::{MemberAdded, MemberRemoved, Read},
};

use crate::support::{Append, World, generous, message, user};

const USERS: [&str; 4] = ["ann", "bob", "cid", "eve"];

/// What one step does.
#[derive(Debug, Clone)]
enum Step {
    Send,
    Add(usize),
    Remove(usize),
    Read,
    /// Repeats one of the user's earlier commands.
    Again(prop::sample::Index),
    /// Lets what was submitted come to its end.
    Settle,
}

fn steps() -> impl Strategy<Value = Vec<(usize, Step, Append)>> {
    let step = prop_oneof![
        6 => Just(Step::Send),
        1 => (0..USERS.len()).prop_map(Step::Add),
        1 => (1..USERS.len()).prop_map(Step::Remove),
        1 => Just(Step::Read),
        4 => any::<prop::sample::Index>().prop_map(Step::Again),
        1 => Just(Step::Settle),
    ];
    let append = prop_oneof![
        8 => Just(Append::Works),
        1 => Just(Append::Unavailable),
        1 => Just(Append::Lost),
    ];
    prop::collection::vec((0..USERS.len(), step, append), 1..80)
}

/// The outcome of an id, as far as a repeat may not change it.
type Told = Result<(Option<Seq>, Option<verbatim_schemas::Rev>, Timestamp), Problem>;

/// What was asked, in the order it was submitted.
#[derive(Clone)]
struct Asked {
    user: usize,
    id: CommandId,
    body: EventBody,
    first: bool,
}

async fn run(steps: Vec<(usize, Step, Append)>, hold_lookups: bool) {
    let world = World::with(generous()).await;
    let conversation = world.group(&["ann", "bob", "cid"]).await;
    world.inbox.hold(hold_lookups);
    let mut asked: Vec<Asked> = Vec::new();
    let mut open = Vec::new();
    let mut told: Vec<(Asked, Result<Outcome, Problem>)> = Vec::new();
    for (who, step, append) in steps {
        let new = |body| Asked { user: who, id: world.id(), body, first: true };
        let mine: Vec<_> = asked.iter().filter(|asked| asked.user == who).collect();
        let next = match step {
            Step::Send => new(message("x")),
            Step::Add(whom) => {
                let user_id = user(USERS[whom]);
                new(EventBody::MemberAdded(MemberAdded { user_id, role: Role::Member }))
            }
            Step::Remove(whom) => {
                new(EventBody::MemberRemoved(MemberRemoved { user_id: user(USERS[whom]) }))
            }
            Step::Read => new(EventBody::Read(Read { up_to: Seq(0), delivered: None })),
            Step::Again(_) if mine.is_empty() => continue,
            Step::Again(index) => Asked { first: false, ..(*index.get(&mine)).clone() },
            Step::Settle => {
                world.inbox.hold(false);
                told.extend(join_all(open.drain(..)).await);
                world.inbox.hold(hold_lookups);
                continue;
            }
        };
        world.log.next_appends([append]);
        let submitted = world.submit(USERS[who], next.id, conversation, next.body.clone());
        let this = next.clone();
        open.push(async move { (this, submitted.await) });
        asked.push(next);
    }
    world.inbox.hold(false);
    told.extend(join_all(open).await);
    one_outcome_each(&told);
    order_is_kept(&told);
    one_entry_each(&world);
}

/// Answers to one (actor, id) never differ, beside those that say that nobody knows (yet).
fn one_outcome_each(told: &[(Asked, Result<Outcome, Problem>)]) {
    let mut outcomes: BTreeMap<(usize, CommandId), Told> = BTreeMap::new();
    for (asked, outcome) in told {
        if asked.body.is_receipt() {
            continue;
        }
        let this = match outcome {
            Ok(Outcome::Ruled(ruled)) => Ok((ruled.seq, ruled.rev, ruled.at)),
            Ok(Outcome::Pending(_)) => panic!("a ruling that was never seen"),
            Err(problem) if problem.code.status() >= 500 => continue,
            Err(problem) => Err(problem.clone()),
        };
        let known = outcomes.entry((asked.user, asked.id)).or_insert_with(|| this.clone());
        assert_eq!(*known, this, "two outcomes of one id");
    }
}

/// First attempts of one user that were acknowledged are in the order of their submission.
fn order_is_kept(told: &[(Asked, Result<Outcome, Problem>)]) {
    let mut last: BTreeMap<usize, Seq> = BTreeMap::new();
    for (asked, outcome) in told {
        let (true, Ok(Outcome::Ruled(ruled))) = (asked.first, outcome) else { continue };
        // A first attempt that finds its own repeat ahead of it cannot be; one after it is no first.
        if let (Some(seq), false) = (ruled.seq, ruled.duplicate) {
            assert!(last.insert(asked.user, seq) < Some(seq), "out of order");
        }
    }
}

/// On the timeline no (actor, id) counts twice.
fn one_entry_each(world: &World) {
    let mut counted: BTreeMap<(UserId, CommandId), u32> = BTreeMap::new();
    for record in world.log.records(Stream::Timeline) {
        let ruling = Ruling::decode(&record.value).unwrap();
        if let (Decision::Accepted(accepted), Some(actor), Some(id)) =
            (&ruling.outcome, &ruling.actor, ruling.event_id)
            && accepted.content.is_some()
        {
            *counted.entry((actor.clone(), id)).or_default() += 1;
        }
    }
    assert!(counted.values().all(|count| *count == 1));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn an_id_has_one_outcome_and_a_submitter_keeps_their_order(
        steps in steps(),
        hold_lookups in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(run(steps, hold_lookups));
    }
}
