//! What users do, decided by a seed; and what the plain rule makes of it.

use std::collections::BTreeMap;

use bytes::Bytes;
use verbatim_domain::{ConversationState, Proposal, apply, decide, partition};
use verbatim_ports::log::Stream;
use verbatim_schemas::{
    CommandId, ConversationId, Event, EventBody, Kind, Name, Posting, Role, Ruling, Salt, Seq,
    Text, Timestamp, UserId, Visibility, bounds,
    event::{ConversationCreated, Delivered, MemberAdded, MemberRemoved, MessageSent, Read},
};

use super::{PARTITIONS, chaos::Random, log::LogData};

/// When every story begins: some day in 2026.
pub const START: u64 = 1_780_000_000_000;

const USERS: [&str; 5] = ["ada", "bob", "cid", "dan", "eve"];

pub fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// An id made at `millis`, told apart by `n`.
fn uuid_at(millis: u64, n: u64) -> uuid::Uuid {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

pub fn group(n: u64) -> ConversationId {
    ConversationId::new(uuid_at(START, n)).unwrap()
}

/// A group whose records are on the given partition.
pub fn group_on(on: u32) -> ConversationId {
    (0..).map(group).find(|id| partition::of(*id, PARTITIONS) == on).unwrap()
}

pub fn says(text: &str) -> EventBody {
    EventBody::MessageSent(MessageSent { text: Text::new(text).unwrap(), metadata: None })
}

pub fn creates(members: &[&str]) -> EventBody {
    let mut members: Vec<UserId> = members.iter().map(|name| user(name)).collect();
    members.sort();
    EventBody::ConversationCreated(ConversationCreated {
        kind: Kind::Group,
        name: Some(Name::new("Team").unwrap()),
        members,
        history: Visibility::SinceJoin,
        posting: Posting::Members,
    })
}

/// Writes events onto a log.
pub struct Author {
    pub now: u64,
    made: u64,
    sent: Vec<Event>,
}

impl Default for Author {
    fn default() -> Self {
        Self { now: START, made: 0, sent: Vec::new() }
    }
}

impl Author {
    pub fn event(&mut self, conversation: ConversationId, actor: &str, body: EventBody) -> Event {
        self.made += 1;
        let id = CommandId::new(uuid_at(self.now, self.made)).unwrap();
        let mut salt = Salt([0; 16]);
        salt.0[..8].copy_from_slice(&self.made.to_be_bytes());
        let event = Event { id, conversation_id: conversation, actor: user(actor), salt, body };
        self.sent.push(event.clone());
        event
    }

    pub fn append(&self, log: &LogData, event: &Event) -> u64 {
        let key = event.conversation_id.to_string();
        self.append_raw(log, &key, event.encode().unwrap(), 0)
    }

    pub fn append_raw(&self, log: &LogData, key: &str, value: Vec<u8>, hole: u64) -> u64 {
        let on = partition::of_key(key.as_bytes(), PARTITIONS);
        let time = Timestamp::from_millis(self.now);
        log.push(Stream::Events, on, hole, time, key.to_owned().into(), value.into())
    }

    /// Someone does something.
    pub fn act(
        &mut self,
        log: &LogData,
        conversation: ConversationId,
        actor: &str,
        body: EventBody,
    ) {
        let event = self.event(conversation, actor, body);
        self.append(log, &event);
    }

    /// Groups of ada and bob on every partition, and so many messages in each.
    pub fn chat(&mut self, log: &LogData, messages: usize) {
        for on in 0..PARTITIONS {
            self.act(log, group_on(on), "ada", creates(&["bob"]));
            self.more(log, on, messages);
        }
    }

    pub fn more(&mut self, log: &LogData, on: u32, messages: usize) {
        for n in 0..messages {
            self.now += 10;
            let actor = if n % 3 == 0 { "bob" } else { "ada" };
            self.act(log, group_on(on), actor, says(&format!("message {n}")));
        }
    }

    /// Random records, some of them no events.
    pub fn improvise(&mut self, log: &LogData, random: &mut Random, count: usize) {
        for _ in 0..count {
            self.now =
                self.now.saturating_add_signed(i64::try_from(random.below(5_000)).unwrap() - 500);
            if random.below(200) == 0 {
                self.now += bounds::ID_MEMORY_MS;
            }
            let hole = if random.below(10) == 0 { random.below(4) } else { 0 };
            let (key, value) = self.record(random);
            self.append_raw(log, &key, value, hole);
        }
    }

    fn record(&mut self, random: &mut Random) -> (String, Vec<u8>) {
        let conversation = group(random.below(4));
        let key = conversation.to_string();
        match random.below(24) {
            0 => (key, b"{\"no\": \"event\"}".to_vec()),
            1 => ("no conversation".into(), b"garbage".to_vec()),
            2 => (key, vec![b' '; bounds::EVENT_BYTES + 1]),
            3 => {
                let body = says("under another's key");
                let event = self.event(group(random.below(4) + 4), "ada", body);
                (key, event.encode().unwrap())
            }
            4..7 if !self.sent.is_empty() => {
                let index = usize::try_from(random.below(self.sent.len() as u64)).unwrap();
                let event = &self.sent[index];
                (event.conversation_id.to_string(), event.encode().unwrap())
            }
            _ => {
                let actor = USERS[usize::try_from(random.below(5)).unwrap()];
                let body = body(random);
                let event = self.event(conversation, actor, body);
                (key, event.encode().unwrap())
            }
        }
    }
}

fn body(random: &mut Random) -> EventBody {
    let name = user(USERS[usize::try_from(random.below(5)).unwrap()]);
    match random.below(16) {
        0 | 1 => creates(&["bob", "cid"]),
        2 => EventBody::MemberAdded(MemberAdded { user_id: name, role: Role::Member }),
        3 => EventBody::MemberAdded(MemberAdded { user_id: name, role: Role::Admin }),
        4 | 5 => EventBody::MemberRemoved(MemberRemoved { user_id: name }),
        6 => EventBody::Delivered(Delivered { up_to: Seq(random.below(9)) }),
        7 => EventBody::Read(Read { up_to: Seq(random.below(9)), delivered: None }),
        n => says(&format!("text {n}")),
    }
}

/// What the plain rule makes of a log: one record after the other, on the whole state.
pub struct Plain {
    pub rulings: BTreeMap<u32, Vec<Ruling>>,
    pub states: BTreeMap<u32, BTreeMap<ConversationId, ConversationState>>,
}

pub fn plain(log: &LogData) -> Plain {
    let mut plain = Plain { rulings: BTreeMap::new(), states: BTreeMap::new() };
    for on in 0..PARTITIONS {
        let rulings: &mut Vec<Ruling> = plain.rulings.entry(on).or_default();
        let states = plain.states.entry(on).or_default();
        for record in log.records(Stream::Events, on) {
            let src = log.layout().src(on, record.offset);
            let prev = rulings.last().map(|ruling| ruling.src);
            let mut proposal = Proposal::read(src, prev, record.time, &record.key, &record.value);
            if partition::of_key(&record.key, PARTITIONS) != on {
                proposal.event = None;
            }
            let mut nowhere = ConversationState::default();
            let state = match &proposal.event {
                Some(event) => states.entry(event.conversation_id).or_default(),
                None => &mut nowhere,
            };
            let ruling = decide(state, &proposal);
            apply(state, &ruling);
            rulings.push(ruling);
        }
        states.retain(|_, state| *state != ConversationState::default());
    }
    plain
}

/// A value as the log keeps it.
pub fn bytes(value: &str) -> Bytes {
    value.to_owned().into()
}

impl Author {
    /// The author's time.
    pub fn event_time(&self) -> Timestamp {
        Timestamp::from_millis(self.now)
    }
}
