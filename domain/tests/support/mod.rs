//! A small language for the rule's tests: given what happened, when somebody asks for something, then
//! that is the ruling.

#![allow(dead_code, reason = "every test file uses its own part of the language")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use verbatim_domain::{ConversationState, Proposal, apply, decide, state::Needs};
use verbatim_schemas::{
    Code, CommandId, ConversationId, Event, EventBody, Kind, Metadata, Name, Outcome, Posting, Rev,
    Role, Ruling, Salt, Seq, Src, Text, Timestamp, UserId, Visibility,
    event::{ConversationCreated, Delivered, MemberAdded, MemberRemoved, MessageSent, Read},
};

/// When every story begins: some day in 2026.
pub const START: u64 = 1_780_000_000_000;

pub fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// An id made at `millis`, told apart by `n`.
pub fn id_at(millis: u64, n: u64) -> CommandId {
    let mut random = [0; 10];
    random[2..].copy_from_slice(&n.to_be_bytes());
    CommandId::new(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()).unwrap()
}

pub fn group_id() -> ConversationId {
    let id = uuid::Builder::from_unix_timestamp_millis(START, &[7; 10]).into_uuid();
    ConversationId::new(id).unwrap()
}

/// One conversation and its log. Decides on the part of the state that is needed, as the projector
/// does, and keeps the whole.
pub struct Story {
    pub id: ConversationId,
    pub state: ConversationState,
    pub rulings: Vec<Ruling>,
    pub events: Vec<Event>,
    pub now: u64,
    made: u64,
}

impl Story {
    pub fn new(id: ConversationId) -> Self {
        let state = ConversationState::default();
        Self { id, state, rulings: Vec::new(), events: Vec::new(), now: START, made: 0 }
    }

    /// A group of ada (admin) and others.
    pub fn group(members: &[&str]) -> Self {
        Self::founded(Kind::Group, Visibility::SinceJoin, Posting::Members, members)
    }

    pub fn founded(kind: Kind, history: Visibility, posting: Posting, members: &[&str]) -> Self {
        let mut story = Self::new(group_id());
        story.when("ada", created(kind, history, posting, members)).accepted();
        story
    }

    /// A direct conversation of ada and bob.
    pub fn direct() -> Self {
        let mut story = Self::new(ConversationId::direct(&user("ada"), &user("bob")));
        story.when("ada", direct_with("bob")).accepted();
        story
    }

    pub fn new_id(&mut self) -> CommandId {
        self.made += 1;
        id_at(self.now, self.made)
    }

    /// Somebody asks for something under a new id.
    pub fn when(&mut self, actor: &str, body: EventBody) -> Then {
        let id = self.new_id();
        self.when_with(actor, id, body)
    }

    /// Somebody asks for something under an id.
    pub fn when_with(&mut self, actor: &str, id: CommandId, body: EventBody) -> Then {
        self.made += 1;
        let mut salt = Salt([0; 16]);
        salt.0[..8].copy_from_slice(&self.made.to_be_bytes());
        let event = Event { id, conversation_id: self.id, actor: user(actor), salt, body };
        self.record(&event.encode().unwrap(), Some(event))
    }

    /// A record comes, whatever it is.
    pub fn record(&mut self, value: &[u8], event: Option<Event>) -> Then {
        let src = Src { generation: 0, partition: 0, offset: self.rulings.len() as u64 };
        let prev = self.rulings.last().map(|ruling| ruling.src);
        let time = Timestamp::from_millis(self.now);
        let proposal = Proposal::read(src, prev, time, self.id.to_string().as_bytes(), value);
        assert_eq!(proposal.event, event, "an event reads as it was written");
        let mut needs = Needs::default();
        if let Some(event) = &proposal.event {
            needs.add_event(event);
        }
        let mut part = self.state.part(&needs);
        let ruling = decide(&part, &proposal);
        assert_eq!(ruling, decide(&self.state, &proposal), "the part needed decides as the whole");
        let changes = apply(&mut part, &ruling);
        assert_eq!(changes, apply(&mut self.state, &ruling), "the part needed folds as the whole");
        self.rulings.push(ruling.clone());
        self.events.extend(event);
        Then(ruling)
    }

    pub fn pass(&mut self, millis: u64) {
        self.now += millis;
    }

    /// The state that the timeline alone gives.
    pub fn folded(&self) -> ConversationState {
        let mut state = ConversationState::default();
        for ruling in &self.rulings {
            let read = Ruling::decode(&ruling.encode().unwrap()).unwrap();
            assert_eq!(&read, ruling, "a ruling reads as it was written");
            apply(&mut state, &read);
        }
        state
    }
}

/// What came of it.
pub struct Then(pub Ruling);

impl Then {
    pub fn accepted(self) -> Ruling {
        assert!(matches!(self.0.outcome, Outcome::Accepted(_)), "{:?}", self.0.outcome);
        self.0
    }

    /// Accepted, as the next entry.
    pub fn entry(self, rev: u64) -> Ruling {
        let ruling = self.accepted();
        assert_eq!(ruling.content().unwrap().entry.rev, Rev(rev));
        ruling
    }

    /// Accepted, and nothing changed.
    pub fn nothing(self) -> Ruling {
        let ruling = self.accepted();
        let accepted = ruling.accepted().unwrap();
        assert!(accepted.content.is_none() && accepted.receipt.is_none(), "{accepted:?}");
        ruling
    }

    pub fn rejected(self, code: Code) -> Ruling {
        match &self.0.outcome {
            Outcome::Rejected(reason) => assert_eq!(reason.code, code),
            other => panic!("not rejected: {other:?}"),
        }
        self.0
    }

    pub fn duplicate_of(self, first: &Ruling) -> Ruling {
        match &self.0.outcome {
            Outcome::Duplicate(duplicate) => assert_eq!(duplicate.of, first.src),
            other => panic!("not a duplicate: {other:?}"),
        }
        self.0
    }

    /// Accepted: the actor's watermarks after.
    pub fn watermarks(self, delivered: u64, read: u64) -> Ruling {
        let ruling = self.accepted();
        let receipt = ruling.accepted().unwrap().receipt.clone().unwrap();
        assert_eq!((receipt.delivered, receipt.read), (Seq(delivered), Seq(read)));
        ruling
    }
}

pub fn created(kind: Kind, history: Visibility, posting: Posting, members: &[&str]) -> EventBody {
    let mut members: Vec<UserId> = members.iter().map(|name| user(name)).collect();
    members.sort();
    let name = Some(Name::new("Team").unwrap());
    EventBody::ConversationCreated(ConversationCreated { kind, name, members, history, posting })
}

pub fn direct_with(peer: &str) -> EventBody {
    EventBody::ConversationCreated(ConversationCreated {
        kind: Kind::Direct,
        name: None,
        members: vec![user(peer)],
        history: Visibility::All,
        posting: Posting::Members,
    })
}

pub fn says(text: &str) -> EventBody {
    EventBody::MessageSent(MessageSent { text: Text::new(text).unwrap(), metadata: None })
}

pub fn says_with(text: &str, metadata: &str) -> EventBody {
    EventBody::MessageSent(MessageSent {
        text: Text::new(text).unwrap(),
        metadata: Some(Metadata::new(metadata).unwrap()),
    })
}

pub fn adds(name: &str, role: Role) -> EventBody {
    EventBody::MemberAdded(MemberAdded { user_id: user(name), role })
}

pub fn removes(name: &str) -> EventBody {
    EventBody::MemberRemoved(MemberRemoved { user_id: user(name) })
}

pub fn delivered(up_to: u64) -> EventBody {
    EventBody::Delivered(Delivered { up_to: Seq(up_to) })
}

pub fn read(up_to: u64) -> EventBody {
    EventBody::Read(Read { up_to: Seq(up_to), delivered: None })
}
