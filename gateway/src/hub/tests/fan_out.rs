use super::*;
use crate::{
    GatewayConfig,
    hub::{Base, Hub, Plan, Standing},
    testing::allocations,
};

/// A hub with so many sockets in one group, all of them read.
fn hub(sockets: usize) -> (Hub, Rules, Vec<Arc<Session>>) {
    let mut rules = Rules::new(1);
    let id = conversation(1);
    rules.create(Kind::Group, id, &user("u0"), &[]);
    let mut hub = Hub::new(GatewayConfig { sockets_per_user: sockets, ..GatewayConfig::default() });
    hub.begin(0, vec![None]);
    hub.deliver(0, &rules.timeline[0], 0);
    let standing = Standing {
        id,
        kind: Kind::Group,
        head_rev: verbatim_schemas::Rev(1),
        head_seq: verbatim_schemas::Seq(0),
    };
    let sessions: Vec<Arc<Session>> = (0..sockets)
        .map(|_| {
            let session = hub.open();
            let bases = [(0, Base::At(Some(0)))].into();
            let plan = Plan {
                session: &session,
                user: &user("u0"),
                bases: &bases,
                conversations: &[standing],
                greeting: &[],
            };
            hub.attach(&plan, 0).unwrap();
            session
        })
        .collect();
    (hub, rules, sessions)
}

/// Allocations of one delivery, once everything has the room it needs.
fn one_delivery(sockets: usize) -> usize {
    let (mut hub, mut rules, sessions) = hub(sockets);
    let mut counts = Vec::new();
    for number in 1..=40 {
        rules.say(&user("u0"), conversation(1));
        let ruling = &rules.timeline[0][number..];
        counts.push(allocations(|| hub.deliver(0, ruling, 0)).1);
        for session in &sessions {
            let frames = frames(session);
            assert_eq!(frames.len(), 1);
            assert_eq!(frames[0]["rev"], number + 1);
        }
    }
    counts.into_iter().min().unwrap()
}

#[test]
fn an_entry_is_encoded_once_and_costs_no_allocation_per_socket() {
    let few = one_delivery(10);
    let many = one_delivery(1_000);
    assert_eq!(many, few, "the same for 10 and for 1,000 sockets");
    assert!(many <= 8, "{many} allocations for one entry");
}

#[test]
fn all_sockets_share_the_same_bytes() {
    let (mut hub, mut rules, sessions) = hub(1_000);
    rules.say(&user("u0"), conversation(1));
    hub.deliver(0, &rules.timeline[0][1..], 0);
    let mut places = std::collections::BTreeSet::new();
    for session in &sessions {
        let mut context = Context::from_waker(Waker::noop());
        let written = session.poll_write(&mut context, |_, slices| {
            places.insert(slices[0].as_ptr().addr());
            Poll::Ready(Ok(slices[0].len()))
        });
        assert_eq!(written.unwrap().left, 0);
    }
    assert_eq!(places.len(), 1, "one encoding");
}

#[test]
fn a_socket_is_woken_once_for_a_batch() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    struct Count(AtomicUsize);
    impl std::task::Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }
    let (mut hub, mut rules, sessions) = hub(3);
    let woken = Arc::new(Count(AtomicUsize::new(0)));
    for session in &sessions {
        session.begin(&Waker::from(woken.clone()));
    }
    for _ in 0..20 {
        rules.say(&user("u0"), conversation(1));
    }
    assert_eq!(hub.deliver(0, &rules.timeline[0][1..], 0).taken, 20);
    assert_eq!(woken.0.load(Ordering::SeqCst), 3);
    assert!(sessions.iter().all(|session| frames(session).len() == 20));
}

#[test]
fn a_batch_is_cut_so_that_backlogs_can_drain() {
    let (mut hub, mut rules, _) = hub(1);
    for _ in 0..1_000 {
        rules.say(&user("u0"), conversation(1));
    }
    let taken = hub.deliver(0, &rules.timeline[0][1..], 0).taken;
    let bytes: usize = rules.timeline[0][1..=taken].iter().map(|one| one.value.len()).sum();
    assert!(taken > 1 && bytes < 64 * 1024, "{taken} rulings of {bytes} bytes");
}
