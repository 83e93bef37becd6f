use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use verbatim_schemas::{
    EntryBody, Rev,
    frames::{HeadItem, ServerFrame},
};

use super::*;
use crate::{
    GatewayConfig, encode,
    hub::{Base, Hub, Plan, Standing},
};

const USERS: u8 = 4;
const CONVERSATIONS: u8 = 5;
const PARTITIONS: u32 = 2;

#[derive(Debug, Clone)]
enum Step {
    Say(u8, u8),
    Add(u8, u8),
    Remove(u8, u8),
    /// The hub delivers so many rulings of a partition.
    Deliver(u32, usize),
    /// The inbox includes so many more.
    Inbox(u32, usize),
    Connect(u8),
    /// Heads that were missing are sent, if the inbox has caught up.
    Later,
    Close(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (user, conversation) = (0..USERS, 0..CONVERSATIONS);
    let step = prop_oneof![
        4 => (user.clone(), conversation.clone()).prop_map(|(user, id)| Step::Say(user, id)),
        2 => (user.clone(), conversation.clone()).prop_map(|(user, id)| Step::Add(user, id)),
        2 => (user.clone(), conversation).prop_map(|(user, id)| Step::Remove(user, id)),
        4 => (0..PARTITIONS, 1usize..6).prop_map(|(at, count)| Step::Deliver(at, count)),
        4 => (0..PARTITIONS, 1usize..6).prop_map(|(at, count)| Step::Inbox(at, count)),
        2 => user.clone().prop_map(Step::Connect),
        1 => Just(Step::Later),
        1 => user.prop_map(Step::Close),
    ];
    proptest::collection::vec(step, 0..150)
}

struct Client {
    user: UserId,
    session: Arc<Session>,
    /// The partitions whose heads were not sent.
    behind: BTreeSet<u32>,
    /// The last rev of each conversation that the client is in.
    last: BTreeMap<ConversationId, u64>,
    closed: bool,
}

struct Case {
    rules: Rules,
    hub: Hub,
    delivered: Vec<usize>,
    inbox: Vec<usize>,
    clients: Vec<Client>,
}

/// A conversation as an inbox has it.
#[derive(Default, Clone)]
struct Shown {
    rev: u64,
    seq: u64,
    members: BTreeSet<UserId>,
}

impl Case {
    fn new(recent_rulings: usize) -> Self {
        let config =
            GatewayConfig { recent_rulings, backlog_bytes: 1 << 30, ..GatewayConfig::default() };
        let mut hub = Hub::new(config);
        hub.begin(0, vec![None; PARTITIONS as usize]);
        let mut rules = Rules::new(PARTITIONS);
        for number in 0..CONVERSATIONS {
            rules.create(Kind::Group, super::conversation(number), &user("u0"), &[user("u1")]);
        }
        let none = || vec![0; PARTITIONS as usize];
        Self { rules, hub, delivered: none(), inbox: none(), clients: Vec::new() }
    }

    /// What the first `count` rulings of a partition come to.
    fn shown(&self, partition: u32, count: usize) -> BTreeMap<ConversationId, Shown> {
        let mut shown: BTreeMap<ConversationId, Shown> = BTreeMap::new();
        for followed in &self.rules.timeline[partition as usize][..count] {
            let Some(content) = followed.ruling.content() else { continue };
            let context = followed.ruling.accepted().unwrap().context;
            let one = shown.entry(content.entry.conversation_id).or_default();
            (one.rev, one.seq) = (context.head_rev.0, context.head_seq.0);
            match &content.entry.body {
                EntryBody::ConversationCreated { members, .. } => {
                    one.members = members.iter().map(|member| member.user_id.clone()).collect();
                }
                EntryBody::MemberAdded { member } => {
                    one.members.insert(member.user_id.clone());
                }
                EntryBody::MemberRemoved { member, .. } => {
                    one.members.remove(&member.user_id);
                }
                _ => {}
            }
        }
        shown
    }

    fn run(&mut self, step: Step) {
        let admin = user("u0");
        match step {
            Step::Say(who, id) => {
                self.rules.say(&user(format!("u{who}")), super::conversation(id));
            }
            Step::Add(who, id) => {
                self.rules.add(&admin, super::conversation(id), &user(format!("u{who}")));
            }
            Step::Remove(who, id) => {
                self.rules.remove(&admin, super::conversation(id), &user(format!("u{who}")));
            }
            Step::Deliver(at, count) => self.deliver(at, count),
            Step::Inbox(at, count) => {
                let all = self.rules.timeline[at as usize].len();
                let inbox = &mut self.inbox[at as usize];
                *inbox = (*inbox + count).min(all);
            }
            Step::Connect(who) => {
                let session = self.hub.open();
                let client = Client {
                    user: user(format!("u{who}")),
                    session,
                    behind: BTreeSet::new(),
                    last: BTreeMap::new(),
                    closed: false,
                };
                self.clients.push(client);
                self.attach(self.clients.len() - 1, (0..PARTITIONS).collect());
            }
            Step::Later => {
                for at in 0..self.clients.len() {
                    let behind = self.clients[at].behind.clone();
                    if !behind.is_empty() && !self.clients[at].closed {
                        self.attach(at, behind);
                    }
                }
            }
            Step::Close(at) => {
                if let Some(client) = self.clients.get_mut(usize::from(at)) {
                    client.closed = true;
                    self.hub.remove(&client.session);
                }
            }
        }
    }

    fn deliver(&mut self, at: u32, count: usize) {
        let from = self.delivered[at as usize];
        let rulings = &self.rules.timeline[at as usize];
        let mut rest = &rulings[from..rulings.len().min(from + count)];
        self.delivered[at as usize] += rest.len();
        while !rest.is_empty() {
            let taken = self.hub.deliver(at, rest, 0).taken;
            rest = &rest[taken..];
        }
    }

    /// As `connect` does it, with partitions that are not covered left behind.
    fn attach(&mut self, at: usize, partitions: BTreeSet<u32>) {
        let client = &self.clients[at];
        let mut behind = BTreeSet::new();
        loop {
            let (mut bases, mut conversations, mut items) = (BTreeMap::new(), vec![], vec![]);
            for partition in &partitions {
                if behind.contains(partition) {
                    bases.insert(*partition, Base::Behind);
                    continue;
                }
                let count = self.inbox[*partition as usize];
                bases.insert(*partition, Base::At((count as u64).checked_sub(1)));
                for (id, shown) in self.shown(*partition, count) {
                    if shown.members.contains(&client.user) {
                        let (rev, seq) = (Rev(shown.rev), verbatim_schemas::Seq(shown.seq));
                        let kind = Kind::Group;
                        conversations.push(Standing { id, kind, head_rev: rev, head_seq: seq });
                        items.push(HeadItem {
                            conversation_id: id,
                            head_rev: rev,
                            head_seq: seq,
                            unread: 0,
                            read: seq,
                        });
                    }
                }
            }
            let heads = ServerFrame::Heads { items, more: false, behind: !behind.is_empty() };
            let plan = Plan {
                session: &client.session,
                user: &client.user,
                bases: &bases,
                conversations: &conversations,
                greeting: &[encode::encode(&heads)],
            };
            match self.hub.attach(&plan, 0) {
                Ok(_) => break,
                Err(uncovered) => {
                    assert!(behind.is_disjoint(&uncovered) && !uncovered.is_empty());
                    behind.extend(uncovered);
                }
            }
        }
        self.clients[at].behind = behind;
    }

    fn finish(&mut self) {
        for partition in 0..PARTITIONS {
            self.deliver(partition, usize::MAX / 2);
        }
        for client in &mut self.clients {
            client.read();
        }
        for client in self.clients.iter().filter(|client| !client.closed) {
            let mut expected = BTreeMap::new();
            for partition in (0..PARTITIONS).filter(|at| !client.behind.contains(at)) {
                let all = self.rules.timeline[partition as usize].len();
                for (id, shown) in self.shown(partition, all) {
                    if shown.members.contains(&client.user) {
                        expected.insert(id, shown.rev);
                    }
                }
            }
            assert_eq!(client.last, expected, "{} has everything", client.user);
            let socket = self.hub.index.sockets.get(client.session.slot).unwrap();
            let skips: BTreeSet<u32> =
                socket.skips.iter().map(|(partition, _)| *partition).collect();
            assert_eq!(skips, client.behind, "skips end");
        }
    }
}

impl Client {
    /// Reads as a client would: entries only right after its last rev, or at its own joining.
    fn read(&mut self) {
        for frame in frames(&self.session) {
            let id = || frame["conversation_id"].as_str().unwrap().parse().unwrap();
            match frame["type"].as_str().unwrap() {
                "heads" => {
                    for item in frame["items"].as_array().unwrap() {
                        let id = item["conversation_id"].as_str().unwrap().parse().unwrap();
                        let before = self.last.insert(id, item["head_rev"].as_u64().unwrap());
                        assert_eq!(before, None, "a head comes before its entries");
                    }
                }
                "entry" => {
                    let rev = frame["rev"].as_u64().unwrap();
                    match self.last.get_mut(&id()) {
                        Some(last) => {
                            *last += 1;
                            assert_eq!(rev, *last, "no hole and no repeat");
                        }
                        None => {
                            let joins = frame["kind"] == "conversation_created"
                                || (frame["kind"] == "member_added"
                                    && frame["member"]["user_id"] == self.user.as_str());
                            assert!(joins, "not for {}: {frame}", self.user);
                            self.last.insert(id(), rev);
                        }
                    }
                }
                "unread" => {
                    let last = self.last.get(&id()).copied();
                    assert_eq!(last, frame["head_rev"].as_u64(), "right after joining: {frame}");
                    assert_eq!(frame["read"], frame["head_seq"]);
                }
                "left" => {
                    assert!(self.last.remove(&id()).is_some(), "left once: {frame}");
                }
                "bye" => self.closed = true,
                other => panic!("{other}"),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn every_client_sees_every_visible_entry_once_and_in_order(
        steps in steps(),
        recent in 0usize..12,
    ) {
        let mut case = Case::new(recent);
        for step in steps {
            case.run(step);
        }
        case.finish();
    }
}
