//! Rulings for tests, made by the real rule: an in-memory model of `chat.events` and its projection.

use std::{collections::BTreeMap, sync::Arc};

use uuid::Uuid;
use verbatim_domain::{ConversationState, Proposal, apply, decide, partition};
use verbatim_schemas::{
    CommandId, ConversationId, Digest, Event, EventBody, Kind, Metadata, Name, Posting, Role,
    Ruling, Salt, Seq, Src, Text, Timestamp, UserId, Visibility,
    event::{ConversationCreated, Delivered, MemberAdded, MemberRemoved, MessageSent, Read},
};

use crate::{follow::Checkpoint, log::Layout, rows::ConversationRows};

/// Conversations that take commands and give rulings, as the command API and the timeline projector
/// would together. Time moves by a millisecond a command, and by [`Conversations::advance`]; all ids
/// follow from the order of the calls, so that a test's rulings are the same in every run.
///
/// Its methods panic where a test asks for what cannot be said (an invalid user id, say).
#[derive(Debug, Clone)]
pub struct Conversations {
    layout: Layout,
    now: Timestamp,
    ids: u64,
    states: BTreeMap<ConversationId, ConversationState>,
    last: BTreeMap<u32, Src>,
    rulings: Vec<Arc<Ruling>>,
}

/// A user's id.
pub fn user(id: &str) -> UserId {
    id.parse().expect("a test names valid users")
}

impl Conversations {
    /// Nothing has happened yet.
    pub fn new(layout: Layout) -> Self {
        Self {
            layout,
            // In the year 2025, so that ids have a time to be made at.
            now: Timestamp::from_millis(1_750_000_000_000),
            ids: 0,
            states: BTreeMap::new(),
            last: BTreeMap::new(),
            rulings: Vec::new(),
        }
    }

    /// How the streams are laid out.
    pub fn layout(&self) -> Layout {
        self.layout
    }

    /// The log's time.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Lets time pass.
    pub fn advance(&mut self, millis: u64) {
        self.now = self.now.plus_millis(millis);
    }

    /// All rulings so far, in the order in which they were made.
    pub fn rulings(&self) -> &[Arc<Ruling>] {
        &self.rulings
    }

    /// The rulings of one partition, in order.
    pub fn of_partition(&self, partition: u32) -> Vec<Arc<Ruling>> {
        let here = |ruling: &&Arc<Ruling>| ruling.src.partition == partition;
        self.rulings.iter().filter(here).cloned().collect()
    }

    /// A conversation's state; empty when it does not exist.
    pub fn state(&self, conversation: ConversationId) -> ConversationState {
        self.states.get(&conversation).cloned().unwrap_or_default()
    }

    /// The partition of a conversation.
    pub fn partition(&self, conversation: ConversationId) -> u32 {
        partition::of(conversation, self.layout.partitions)
    }

    /// A new UUIDv7 of the present time.
    fn uuid(&mut self) -> Uuid {
        self.ids += 1;
        let mut random = [0; 10];
        random[2..].copy_from_slice(&self.ids.to_be_bytes());
        uuid::Builder::from_unix_timestamp_millis(self.now.as_millis(), &random).into_uuid()
    }

    /// A new command's id.
    pub fn new_command_id(&mut self) -> CommandId {
        CommandId::new(self.uuid()).expect("it is of version 7")
    }

    /// The id of a group or channel to be.
    pub fn new_conversation_id(&mut self) -> ConversationId {
        ConversationId::new(self.uuid()).expect("it is of version 7")
    }

    /// The id of a group or channel to be in a given partition.
    pub fn new_conversation_id_in(&mut self, partition: u32) -> ConversationId {
        assert!(partition < self.layout.partitions, "there is no partition {partition}");
        loop {
            let id = self.new_conversation_id();
            if self.partition(id) == partition {
                return id;
            }
        }
    }

    /// Appends a record and rules on it.
    pub fn propose(&mut self, key: &[u8], value: &[u8]) -> Arc<Ruling> {
        self.advance(1);
        let partition = partition::of_key(key, self.layout.partitions);
        let prev_src = self.last.get(&partition).copied();
        let src = self.layout.src(partition, prev_src.map_or(0, |src| src.offset + 1));
        let proposal = Proposal::read(src, prev_src, self.now, key, value);
        let ruling = match proposal.conversation_id {
            Some(id) => {
                let state = self.states.entry(id).or_default();
                let ruling = decide(state, &proposal);
                apply(state, &ruling);
                ruling
            }
            None => decide(&ConversationState::default(), &proposal),
        };
        self.last.insert(partition, src);
        let ruling = Arc::new(ruling);
        self.rulings.push(ruling.clone());
        ruling
    }

    /// Appends an event and rules on it.
    pub fn event(&mut self, event: &Event) -> Arc<Ruling> {
        let value = event.encode().expect("events can be encoded");
        self.propose(event.conversation_id.to_string().as_bytes(), &value)
    }

    /// A command under an id of its own.
    pub fn command(
        &mut self,
        actor: &str,
        conversation_id: ConversationId,
        body: EventBody,
    ) -> Arc<Ruling> {
        let id = self.new_command_id();
        let mut salt = Salt([7; 16]);
        salt.0[..8].copy_from_slice(&self.ids.to_be_bytes());
        self.event(&Event { id, conversation_id, actor: user(actor), salt, body })
    }

    /// Opens the direct conversation of two users.
    pub fn direct(&mut self, one: &str, other: &str) -> ConversationId {
        let id = ConversationId::direct(&user(one), &user(other));
        let body = created(Kind::Direct, &[other], Visibility::All);
        self.command(one, id, body);
        id
    }

    /// Creates a group or channel under an id.
    pub fn create_as(
        &mut self,
        id: ConversationId,
        kind: Kind,
        creator: &str,
        members: &[&str],
        history: Visibility,
    ) -> Arc<Ruling> {
        self.command(creator, id, created(kind, members, history))
    }

    /// Creates a group or channel.
    pub fn create(
        &mut self,
        kind: Kind,
        creator: &str,
        members: &[&str],
        history: Visibility,
    ) -> ConversationId {
        let id = self.new_conversation_id();
        self.create_as(id, kind, creator, members, history);
        id
    }

    /// Adds a member, or changes a role.
    pub fn add(&mut self, id: ConversationId, by: &str, member: &str, role: Role) -> Arc<Ruling> {
        self.command(by, id, EventBody::MemberAdded(MemberAdded { user_id: user(member), role }))
    }

    /// Removes a member; leaves, where it is the actor.
    pub fn remove(&mut self, id: ConversationId, by: &str, member: &str) -> Arc<Ruling> {
        self.command(by, id, EventBody::MemberRemoved(MemberRemoved { user_id: user(member) }))
    }

    /// Sends a message.
    pub fn send(&mut self, id: ConversationId, by: &str, text: &str) -> Arc<Ruling> {
        self.command(by, id, message(text, None))
    }

    /// Sends a message with metadata.
    pub fn send_with(
        &mut self,
        id: ConversationId,
        by: &str,
        text: &str,
        metadata: &str,
    ) -> Arc<Ruling> {
        self.command(by, id, message(text, Some(metadata)))
    }

    /// Reads up to a message.
    pub fn read(&mut self, id: ConversationId, by: &str, up_to: u64) -> Arc<Ruling> {
        self.command(by, id, EventBody::Read(Read { up_to: Seq(up_to), delivered: None }))
    }

    /// Receives up to a message.
    pub fn delivered(&mut self, id: ConversationId, by: &str, up_to: u64) -> Arc<Ruling> {
        self.command(by, id, EventBody::Delivered(Delivered { up_to: Seq(up_to) }))
    }
}

fn created(kind: Kind, members: &[&str], history: Visibility) -> EventBody {
    let mut members: Vec<_> = members.iter().map(|id| user(id)).collect();
    members.sort();
    let name = (kind != Kind::Direct).then(|| Name::new("a name").expect("it is short"));
    EventBody::ConversationCreated(ConversationCreated {
        kind,
        name,
        members,
        history,
        posting: Posting::Members,
    })
}

/// The body of a message.
pub fn message(text: &str, metadata: Option<&str>) -> EventBody {
    EventBody::MessageSent(MessageSent {
        text: Text::new(text).expect("a test's texts are within the bounds"),
        metadata: metadata.map(|json| Metadata::new(json).expect("a test's metadata is valid")),
    })
}

/// The checkpoint that includes a ruling.
pub fn checkpoint(ruling: &Ruling) -> Checkpoint {
    let value = ruling.encode().expect("rulings can be encoded");
    Checkpoint {
        src: ruling.src,
        hash: Digest(*blake3::hash(&value).as_bytes()),
        next: ruling.src.offset + 1,
    }
}

/// What read models store of a batch of rulings of one partition, and the checkpoint after it.
pub fn rows(rulings: &[Arc<Ruling>]) -> (ConversationRows, Checkpoint) {
    let mut rows = ConversationRows::default();
    rulings.iter().for_each(|ruling| rows.add(ruling));
    (rows, checkpoint(rulings.last().expect("a batch has at least one ruling")))
}
