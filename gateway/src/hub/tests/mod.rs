//! The hub without sockets: what each client sees, however rulings, inbox and connects interleave.

mod fan_out;
mod interleaving;

use std::{
    collections::BTreeMap,
    sync::Arc,
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use serde_json::Value;
use verbatim_domain::{ConversationState, Proposal, apply, decide, partition};
use verbatim_ports::follow::{Checkpoint, Followed};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Event, EventBody, Kind, Name, Posting, Role, Ruling, Salt,
    Src, Text, Timestamp, UserId, Visibility,
    event::{ConversationCreated, MemberAdded, MemberRemoved, MessageSent},
};

use crate::session::Session;

fn user(name: impl std::fmt::Display) -> UserId {
    name.to_string().parse().unwrap()
}

fn conversation(number: u8) -> ConversationId {
    let uuid = uuid::Builder::from_unix_timestamp_millis(1_000, &[number; 10]).into_uuid();
    ConversationId::new(uuid).unwrap()
}

/// Rules as the timeline's projector does.
struct Rules {
    partitions: u32,
    states: BTreeMap<ConversationId, ConversationState>,
    /// The rulings of each partition.
    timeline: Vec<Vec<Followed>>,
    next_id: u64,
}

impl Rules {
    fn new(partitions: u32) -> Self {
        let timeline = (0..partitions).map(|_| Vec::new()).collect();
        Self { partitions, states: BTreeMap::new(), timeline, next_id: 0 }
    }

    fn rule(&mut self, actor: &UserId, id: ConversationId, body: EventBody) -> Arc<Ruling> {
        let partition = partition::of(id, self.partitions);
        let rulings = &mut self.timeline[partition as usize];
        let src = Src { generation: 0, partition, offset: rulings.len() as u64 };
        self.next_id += 1;
        let uuid = uuid::Builder::from_unix_timestamp_millis(self.next_id, &[0; 10]).into_uuid();
        let event = Event {
            id: CommandId::new(uuid).unwrap(),
            conversation_id: id,
            actor: actor.clone(),
            salt: Salt([0; 16]),
            body,
        };
        let proposal = Proposal {
            src,
            prev_src: rulings.last().map(|last| last.ruling.src),
            time: Timestamp::from_millis(self.next_id),
            conversation_id: Some(id),
            event: Some(event),
        };
        let state = self.states.entry(id).or_default();
        let ruling = Arc::new(decide(state, &proposal));
        apply(state, &ruling);
        let value = Bytes::from(ruling.encode().unwrap());
        let checkpoint = Checkpoint { src, hash: Digest([0; 32]), next: src.offset + 1 };
        rulings.push(Followed { ruling: ruling.clone(), checkpoint, value });
        ruling
    }

    fn create(&mut self, kind: Kind, id: ConversationId, creator: &UserId, others: &[UserId]) {
        let mut members = others.to_vec();
        members.sort();
        let name = Some(Name::new("name").unwrap());
        let (history, posting) = (Visibility::SinceJoin, Posting::Members);
        let created = ConversationCreated { kind, name, members, history, posting };
        self.rule(creator, id, EventBody::ConversationCreated(created));
    }

    fn say(&mut self, sender: &UserId, id: ConversationId) -> Arc<Ruling> {
        let text = Text::new("some text").unwrap();
        self.rule(sender, id, EventBody::MessageSent(MessageSent { text, metadata: None }))
    }

    fn add(&mut self, admin: &UserId, id: ConversationId, user: &UserId) {
        let body = MemberAdded { user_id: user.clone(), role: Role::Member };
        self.rule(admin, id, EventBody::MemberAdded(body));
    }

    fn remove(&mut self, admin: &UserId, id: ConversationId, user: &UserId) {
        let body = MemberRemoved { user_id: user.clone() };
        self.rule(admin, id, EventBody::MemberRemoved(body));
    }
}

/// Everything that waits for a socket, as JSON.
fn frames(session: &Session) -> Vec<Value> {
    let mut bytes = Vec::new();
    session.begin(Waker::noop());
    let mut context = Context::from_waker(Waker::noop());
    let written = session.poll_write(&mut context, |_, slices| {
        let count = slices.iter().map(|slice| slice.len()).sum();
        slices.iter().for_each(|slice| bytes.extend_from_slice(slice));
        Poll::Ready(Ok(count))
    });
    assert_eq!(written.unwrap().left, 0);
    let (mut frames, mut rest) = (Vec::new(), bytes.as_slice());
    while let [first, length, ..] = rest {
        let (head, length) = match length {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 => {
                (10, usize::try_from(u64::from_be_bytes(rest[2..10].try_into().unwrap())).unwrap())
            }
            short => (2, usize::from(*short)),
        };
        if *first == 0x81 {
            frames.push(serde_json::from_slice(&rest[head..head + length]).unwrap());
        }
        rest = &rest[head + length..];
    }
    frames
}
