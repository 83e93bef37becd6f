//! A story for read models: people who join, talk, read, leave and come back in conversations of
//! every kind, and whose messages carry texts that only some may ever see.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use verbatim_schemas::{
    ConversationId, EventBody, Kind, Role, Ruling, Seq, UserId, Visibility, event::Read,
};

use super::driver::{Conversations, message, user};
use crate::log::Layout;

/// The layout that stories are told in.
pub const LAYOUT: Layout = Layout { generation: 3, partitions: 3 };

/// A text that was sent, and who was there when it was.
#[derive(Debug, Clone)]
pub struct Canary {
    /// Found in the message's text and metadata and nowhere else.
    pub text: String,
    /// Where it was sent.
    pub conversation: ConversationId,
    /// Who was a member then; nobody when the message was ruled out.
    pub present: BTreeSet<UserId>,
}

/// A story and what is known of it.
pub struct Story {
    /// The rulings.
    pub told: Conversations,
    /// Everybody, strangers included.
    pub users: Vec<UserId>,
    /// All conversations.
    pub conversations: Vec<ConversationId>,
    /// What later members see, by conversation.
    pub history: BTreeMap<ConversationId, Visibility>,
    /// All texts.
    pub canaries: Vec<Canary>,
    dice: u64,
}

const NAMES: [&str; 7] = ["ann", "bob", "cid", "dora", "eve", "Zoe", "~9"];

/// Who comes at the end, or never.
const OTHERS: [&str; 4] = ["back", "late", "newcomer", "stranger"];

impl Story {
    /// Tells a story of so many commands; another seed tells another one.
    pub fn new(seed: u64, commands: usize) -> Self {
        let mut story = Self {
            told: Conversations::new(LAYOUT),
            users: NAMES.iter().chain(&OTHERS).map(|name| user(name)).collect(),
            conversations: Vec::new(),
            history: BTreeMap::new(),
            canaries: Vec::new(),
            dice: seed.wrapping_mul(2).wrapping_add(1),
        };
        story.begin();
        story.leave_and_come_back();
        for _ in 0..commands {
            story.step();
        }
        story.end();
        story
    }

    /// The rulings of one partition, in order.
    pub fn of_partition(&self, partition: u32) -> Vec<Arc<Ruling>> {
        self.told.of_partition(partition)
    }

    /// The rulings of each partition.
    pub fn partitions(&self) -> Vec<Vec<Arc<Ruling>>> {
        (0..LAYOUT.partitions).map(|partition| self.of_partition(partition)).collect()
    }

    /// Sends a text of its own.
    pub fn say(&mut self, conversation: ConversationId, by: &str) {
        let text = format!("canary-{}-", self.canaries.len());
        let metadata = match self.roll(3) {
            0 => Some(format!(
                r#"{{"n":1.10,"big":123456789012345678901,"t":"{text}","ä":"\u00e4"}}"#
            )),
            _ => None,
        };
        let filling = "é\"\\ \n".repeat(self.roll(40));
        let body = message(&format!("{text}{filling}"), metadata.as_deref());
        let ruling = self.told.command(by, conversation, body);
        let members = self.told.state(conversation).members;
        let accepted = ruling.content().is_some();
        let present = members.into_keys().filter(|_| accepted).collect();
        self.canaries.push(Canary { text, conversation, present });
    }

    fn begin(&mut self) {
        let founders = [&NAMES[1..3], &NAMES[1..5], &[]];
        let kinds = [
            (Kind::Group, Visibility::SinceJoin),
            (Kind::Group, Visibility::All),
            (Kind::Channel, Visibility::SinceJoin),
            (Kind::Channel, Visibility::All),
        ];
        for (index, (kind, history)) in kinds.into_iter().cycle().take(8).enumerate() {
            let partition = u32::try_from(index).unwrap_or_default() % LAYOUT.partitions;
            let id = self.told.new_conversation_id_in(partition);
            self.told.create_as(id, kind, "ann", founders[index % founders.len()], history);
            self.history.insert(id, history);
            self.conversations.push(id);
        }
        for (one, other) in [("ann", "bob"), ("eve", "Zoe"), ("~9", "ann")] {
            let id = self.told.direct(one, other);
            self.history.insert(id, Visibility::All);
            self.conversations.push(id);
        }
    }

    /// In each group and channel: what the random part might not do.
    fn leave_and_come_back(&mut self) {
        for index in 0..8 {
            let conversation = self.conversations[index];
            self.say(conversation, "ann");
            self.told.add(conversation, "ann", "dora", Role::Member);
            self.say(conversation, "dora");
            self.told.remove(conversation, "ann", "dora");
            self.say(conversation, "ann");
            self.told.add(conversation, "ann", "dora", Role::Member);
            // A time of membership without a message, and nothing after it but the coming back.
            self.told.remove(conversation, "dora", "dora");
            self.told.add(conversation, "ann", "dora", Role::Member);
        }
    }

    /// In some conversations the last message is hidden from somebody who is there.
    fn end(&mut self) {
        for index in [0, 2, 4, 5] {
            let conversation = self.conversations[index];
            let members = self.told.state(conversation).members;
            let admin = members.into_iter().find(|(_, member)| member.role == Role::Admin);
            let Some((admin, _)) = admin else { continue };
            let admin = admin.as_str();
            for name in ["back", "late"] {
                self.told.add(conversation, admin, name, Role::Member);
                self.say(conversation, admin);
                self.told.remove(conversation, admin, name);
            }
            self.say(conversation, admin);
            self.told.add(conversation, admin, "back", Role::Member);
            self.told.add(conversation, admin, "newcomer", Role::Member);
        }
    }

    fn step(&mut self) {
        let at = self.roll(self.conversations.len());
        let conversation = self.conversations[at];
        let members: Vec<_> = self.told.state(conversation).members.into_keys().collect();
        let at = self.roll(self.users.len());
        let anybody = self.users[at].clone();
        let actor = match members.is_empty() || self.roll(12) == 0 {
            true => anybody.clone(),
            false => members[self.roll(members.len())].clone(),
        };
        let head = self.told.state(conversation).head.map_or(0, |head| head.seq.0);
        let up_to = self.roll(usize::try_from(head).unwrap_or(0) + 2) as u64;
        let actor = actor.as_str();
        match self.roll(16) {
            0..8 => self.say(conversation, actor),
            8 => drop(self.told.add(conversation, actor, anybody.as_str(), Role::Member)),
            9 => drop(self.told.add(conversation, actor, anybody.as_str(), Role::Admin)),
            10 => drop(self.told.remove(conversation, actor, anybody.as_str())),
            11 => drop(self.told.remove(conversation, actor, actor)),
            12 => drop(self.told.read(conversation, actor, up_to)),
            13 => drop(self.told.delivered(conversation, actor, up_to)),
            14 => {
                let read = Read { up_to: Seq(up_to.min(1)), delivered: Some(Seq(up_to)) };
                self.told.command(actor, conversation, EventBody::Read(read));
            }
            _ => {
                drop(self.told.propose(conversation.to_string().as_bytes(), b"{\"no\":\"event\"}"))
            }
        }
        if self.roll(3) > 0 {
            // Several conversations get entries of the same millisecond.
            self.told.advance(self.dice % 3);
        }
    }

    /// A number below `sides`.
    fn roll(&mut self, sides: usize) -> usize {
        // Knuth's MMIX; its high bits are random enough to tell stories.
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.dice >> 33).unwrap_or_default() % sides.max(1)
    }
}
