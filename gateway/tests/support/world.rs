//! A log that is ruled on at once, and projections of it that can be held back.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, Weak,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::watch;
use verbatim_domain::{ConversationState, Position, Proposal, apply, decide, partition};
use verbatim_ports::{
    clock::{Clock, new_command_id},
    log::Record,
};
use verbatim_schemas::{
    CommandId, ConversationId, Event, EventBody, Kind, Metadata, Name, Outcome, Posting, Problem,
    Role, Ruling, Salt, Src, Text, UserId, Visibility,
    event::{ConversationCreated, MemberAdded, MemberRemoved, MessageSent},
};

use super::{
    fold::{self, Fold},
    parts::Parts,
};

pub fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

/// A group's or channel's id, whose partition is its number's remainder.
pub fn group(world: &World, number: u64) -> ConversationId {
    let wanted = u32::try_from(number).unwrap() % world.partitions;
    (0u64..)
        .map(|salt| {
            let mut bytes = [0; 10];
            bytes[..8].copy_from_slice(&(number << 16 | salt).to_be_bytes());
            let id = uuid::Builder::from_unix_timestamp_millis(1_700_000_000_000, &bytes);
            ConversationId::new(id.into_uuid()).unwrap()
        })
        .find(|id| partition::of(*id, world.partitions) == wanted)
        .unwrap()
}

/// What a submitted command comes to instead of its ruling.
#[derive(Debug, Clone)]
pub enum Script {
    Refused(Problem),
    /// Ruled, but nobody waited long enough.
    Pending,
    /// Not appended, and without an answer, until the test lets go.
    Held(Arc<tokio::sync::Notify>),
}

/// Which projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Projection {
    Inbox,
    History,
}

pub struct World {
    pub this: Weak<World>,
    pub partitions: u32,
    pub parts: Arc<Parts>,
    pub state: Mutex<State>,
    pub moved: watch::Sender<u64>,
    /// Scripted outcomes, first come first served.
    pub scripts: Mutex<VecDeque<Script>>,
    /// Commands in the order they were submitted.
    pub submitted: Mutex<Vec<EventBody>>,
    /// The next read of the log fails.
    pub lose_log: AtomicBool,
    /// How often the inbox was asked.
    pub inbox_calls: AtomicUsize,
}

#[derive(Default)]
pub struct State {
    pub timeline: Vec<Vec<Record>>,
    pub rulings: Vec<Vec<Arc<Ruling>>>,
    conversations: BTreeMap<ConversationId, ConversationState>,
    /// How many rulings a held-back projection shows.
    held: BTreeMap<(bool, u32), usize>,
    /// Rulings that are on the log, and that nobody reads yet.
    pub hidden: bool,
}

impl World {
    pub fn new(partitions: u32) -> Arc<Self> {
        let empty = || (0..partitions).map(|_| Vec::new()).collect();
        let state = State {
            timeline: (0..partitions).map(|_| Vec::new()).collect(),
            rulings: empty(),
            ..State::default()
        };
        Arc::new_cyclic(|this| Self {
            this: this.clone(),
            partitions,
            parts: Parts::new(),
            state: Mutex::new(state),
            moved: watch::Sender::new(0),
            scripts: Mutex::default(),
            submitted: Mutex::default(),
            lose_log: AtomicBool::new(false),
            inbox_calls: AtomicUsize::new(0),
        })
    }

    /// Rules on a command and puts the ruling on the timeline.
    pub fn rule(
        &self,
        actor: &UserId,
        id: CommandId,
        conversation_id: ConversationId,
        body: EventBody,
    ) -> Arc<Ruling> {
        let mut state = self.state.lock().unwrap();
        let at = partition::of(conversation_id, self.partitions);
        let index = at as usize;
        let offset = state.rulings[index].len() as u64;
        let src = Src { generation: 0, partition: at, offset };
        let prev_src = offset.checked_sub(1).map(|offset| Src { offset, ..src });
        let event = Event { id, conversation_id, actor: actor.clone(), salt: Salt([7; 16]), body };
        let proposal = Proposal {
            src,
            prev_src,
            time: self.parts.now(),
            conversation_id: Some(conversation_id),
            event: Some(event),
        };
        let conversation = state.conversations.entry(conversation_id).or_default();
        let ruling = decide(conversation, &proposal);
        apply(conversation, &ruling);
        let ruling = Arc::new(ruling);
        let key = Bytes::from(conversation_id.to_string());
        let value = Bytes::from(ruling.encode().unwrap());
        let record = Record::new(offset, self.parts.now(), key, value);
        state.timeline[index].push(record);
        state.rulings[index].push(ruling.clone());
        let hidden = state.hidden;
        drop(state);
        if !hidden {
            self.moved.send_modify(|count| *count += 1);
        }
        ruling
    }

    /// Lets a batch come to the readers as one.
    pub fn together(&self, run: impl FnOnce()) {
        self.state.lock().unwrap().hidden = true;
        run();
        self.state.lock().unwrap().hidden = false;
        self.moved.send_modify(|count| *count += 1);
    }

    fn by(&self, actor: &str, conversation: ConversationId, body: EventBody) -> Arc<Ruling> {
        let id = new_command_id(&*self.parts, self.parts.now());
        let ruling = self.rule(&user(actor), id, conversation, body);
        let Outcome::Accepted(_) = &ruling.outcome else { panic!("{:?}", ruling.outcome) };
        ruling
    }

    pub fn create(&self, kind: Kind, id: ConversationId, creator: &str, members: &[&str]) {
        let mut members: Vec<UserId> = members.iter().map(|name| user(name)).collect();
        members.sort();
        let body = EventBody::ConversationCreated(ConversationCreated {
            kind,
            name: Some(Name::new("a name").unwrap()),
            members,
            history: Visibility::SinceJoin,
            posting: Posting::Members,
        });
        self.by(creator, id, body);
    }

    pub fn say(&self, id: ConversationId, sender: &str, text: &str) -> Arc<Ruling> {
        let metadata = Some(Metadata::new(r#"{"n":1.50}"#).unwrap());
        let text = Text::new(text).unwrap();
        self.by(sender, id, EventBody::MessageSent(MessageSent { text, metadata }))
    }

    pub fn add(&self, id: ConversationId, admin: &str, name: &str) {
        let body = MemberAdded { user_id: user(name), role: Role::Member };
        self.by(admin, id, EventBody::MemberAdded(body));
    }

    pub fn remove(&self, id: ConversationId, admin: &str, name: &str) {
        let body = MemberRemoved { user_id: user(name) };
        self.by(admin, id, EventBody::MemberRemoved(body));
    }

    pub fn read(&self, id: ConversationId, reader: &str, up_to: u64) {
        let up_to = verbatim_schemas::Seq(up_to);
        let body = verbatim_schemas::event::Read { up_to, delivered: None };
        self.by(reader, id, EventBody::Read(body));
    }

    /// Holds a projection of a partition back at what it shows now.
    pub fn hold(&self, projection: Projection, partition: u32) {
        let mut state = self.state.lock().unwrap();
        let now = state.rulings[partition as usize].len();
        state.held.insert((projection == Projection::Inbox, partition), now);
    }

    pub fn release(&self, projection: Projection, partition: u32) {
        let mut state = self.state.lock().unwrap();
        state.held.remove(&(projection == Projection::Inbox, partition));
        drop(state);
        self.moved.send_modify(|count| *count += 1);
    }

    /// What a projection shows, and its position.
    pub fn shown(&self, projection: Projection) -> (Fold, Position) {
        let state = self.state.lock().unwrap();
        let (mut fold, mut position) = (Fold::new(), Position::default());
        for (partition, rulings) in (0..).zip(&state.rulings) {
            let held = state.held.get(&(projection == Projection::Inbox, partition));
            let shown = held.copied().unwrap_or(rulings.len());
            for ruling in &rulings[..shown] {
                fold::add(&mut fold, ruling);
                position.include(ruling.src);
            }
        }
        (fold, position)
    }

    /// Everything that is on the timeline.
    pub fn end(&self) -> Position {
        let state = self.state.lock().unwrap();
        let mut position = Position::default();
        let last = state.rulings.iter().filter_map(|rulings| rulings.last());
        last.for_each(|ruling| position.include(ruling.src));
        position
    }

    pub fn script(&self, script: Script) {
        self.scripts.lock().unwrap().push_back(script);
    }

    pub fn inbox_asked(&self) -> usize {
        self.inbox_calls.load(Ordering::SeqCst)
    }
}
