//! What counts: the records of `chat.timeline`, one for each record of `chat.events`.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    content::{Name, Text},
    entry::{Entry, EntryBody},
    error::Code,
    hex::{Chain, Digest, Salt},
    ids::{CommandId, ConversationId, UserId},
    number::{Rev, Seq, Src},
    rest::{Conversation, Kind, Member, Receipt, Visibility},
    time::Timestamp,
};

/// The decision on one record of `chat.events`. The first valid ruling of a record wins.
#[derive(Debug, Clone, PartialEq)]
pub struct Ruling {
    /// The version of the rule that decided.
    pub rule_v: u32,
    /// The record ruled on.
    pub src: Src,
    /// The record ruled on before it in the partition; none for a partition's first.
    pub prev_src: Option<Src>,
    /// The record's time on the log, ratcheted per conversation.
    pub at: Timestamp,
    /// The conversation; none when the record's key is no conversation's id.
    pub conversation_id: Option<ConversationId>,
    /// The command's id; none when the record is undecodable.
    pub event_id: Option<CommandId>,
    /// Who asked; none when the record is undecodable.
    pub actor: Option<UserId>,
    /// Present when this ruling spends the command's id: what a repeat is compared with.
    pub spent: Option<Spent>,
    /// The decision.
    pub outcome: Outcome,
}

/// What is remembered of a command's body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Spent {
    /// The event's salt.
    pub salt: Salt,
    /// The body's digest under it.
    pub digest: Digest,
}

/// A decision.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It counts.
    Accepted(Box<Accepted>),
    /// It repeats an earlier command, and changes nothing.
    Duplicate(Duplicate),
    /// It is ruled out, and changes nothing.
    Rejected(Rejection),
}

/// What an accepted event did.
#[derive(Debug, Clone, PartialEq)]
pub struct Accepted {
    /// The conversation after it.
    pub context: Context,
    /// The change of content; none when a receipt moved or nothing changed.
    pub content: Option<Content>,
    /// The watermarks of one member after it, when they moved.
    pub receipt: Option<Receipt>,
    /// What stands already, when nothing changed: the answer to the sender.
    pub standing: Option<Standing>,
}

/// What consumers need to know of the conversation, as it stands after the ruling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Context {
    /// What it is.
    pub kind: Kind,
    /// What later members see.
    pub history: Visibility,
    /// How many members.
    pub member_count: u32,
    /// The last entry.
    pub head_rev: Rev,
    /// The last message.
    pub head_seq: Seq,
}

/// A change of content.
#[derive(Debug, Clone, PartialEq)]
pub struct Content {
    /// The entry, exactly as sockets and history show it.
    pub entry: Entry,
    /// The chain including this entry.
    pub chain: Chain,
}

/// What stands already, in answer to a command that changed nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// The conversation as the actor sees it.
    Conversation(Box<Conversation>),
    /// The member.
    Member(Member),
    /// The watermarks.
    Receipt(Receipt),
}

/// A repeat.
#[derive(Debug, Clone, PartialEq)]
pub struct Duplicate {
    /// The record of the first.
    pub of: Src,
    /// What was decided then.
    pub first: First,
    /// What stands now.
    pub standing: Option<Standing>,
}

/// What is remembered of a first ruling.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// It was accepted.
    Accepted {
        /// Its entry, when it changed content.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rev: Option<Rev>,
        /// Its message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        seq: Option<Seq>,
        /// When.
        at: Timestamp,
    },
    /// It was ruled out.
    Rejected(Rejection),
}

/// Why an event does not count.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rejection {
    /// The code that the sender gets; `malformed` for a record that is no event.
    pub code: Code,
    /// The field that is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl From<Code> for Rejection {
    fn from(code: Code) -> Self {
        Self { code, field: None }
    }
}

impl Ruling {
    /// The version of the record's layout that is written today.
    pub const V: u32 = 1;

    /// What it did, when accepted.
    pub fn accepted(&self) -> Option<&Accepted> {
        match &self.outcome {
            Outcome::Accepted(accepted) => Some(accepted),
            _ => None,
        }
    }

    /// The change of content, if any.
    pub fn content(&self) -> Option<&Content> {
        self.accepted()?.content.as_ref()
    }

    /// The record's value.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Wire::of(self))
    }

    /// What the chain is computed over: the ruling without its place on the log, and with every body
    /// and the salt taken out; the digest stands for them.
    pub fn canonical(&self) -> serde_json::Result<Vec<u8>> {
        let mut wire = Wire::of(self);
        (wire.src, wire.prev_src, wire.chain) = (None, None, None);
        if let Some(spent) = &mut wire.spent {
            spent.salt = Salt([0; 16]);
        }
        match wire.entry.as_mut().map(|entry| &mut entry.body) {
            Some(EntryBody::Message { message }) => {
                message.text = Text::erased();
                message.metadata = None;
            }
            Some(EntryBody::ConversationCreated { conversation, .. }) => {
                conversation.name = conversation.name.as_ref().map(|_| Name::erased());
            }
            _ => {}
        }
        serde_json::to_vec(&wire)
    }

    /// Reads a record's value.
    pub fn decode(value: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(value)
    }
}

#[derive(Clone, Copy, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Verdict {
    Accepted,
    Duplicate,
    Rejected,
}

/// A ruling as JSON has it. Flat, and never buffered on its way in, so that an entry's metadata
/// passes through byte for byte.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Ruling")]
struct Wire {
    v: u32,
    rule_v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    src: Option<Src>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prev_src: Option<Src>,
    at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation_id: Option<ConversationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event_id: Option<CommandId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    actor: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    spent: Option<Spent>,
    outcome: Verdict,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    context: Option<Context>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    entry: Option<Entry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    chain: Option<Chain>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    receipt: Option<Receipt>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    standing: Option<Standing>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<Src>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<First>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<Rejection>,
}

impl Serialize for Ruling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Wire::of(self).serialize(serializer)
    }
}

impl Wire {
    fn of(ruling: &Ruling) -> Self {
        let mut wire = Wire {
            v: Ruling::V,
            rule_v: ruling.rule_v,
            src: Some(ruling.src),
            prev_src: ruling.prev_src,
            at: ruling.at,
            conversation_id: ruling.conversation_id,
            event_id: ruling.event_id,
            actor: ruling.actor.clone(),
            spent: ruling.spent,
            outcome: Verdict::Rejected,
            context: None,
            entry: None,
            chain: None,
            receipt: None,
            standing: None,
            of: None,
            first: None,
            reason: None,
        };
        match &ruling.outcome {
            Outcome::Accepted(accepted) => {
                wire.outcome = Verdict::Accepted;
                wire.context = Some(accepted.context);
                wire.entry = accepted.content.as_ref().map(|content| content.entry.clone());
                wire.chain = accepted.content.as_ref().map(|content| content.chain);
                wire.receipt = accepted.receipt.clone();
                wire.standing = accepted.standing.clone();
            }
            Outcome::Duplicate(duplicate) => {
                wire.outcome = Verdict::Duplicate;
                wire.of = Some(duplicate.of);
                wire.first = Some(duplicate.first.clone());
                wire.standing = duplicate.standing.clone();
            }
            Outcome::Rejected(reason) => wire.reason = Some(reason.clone()),
        }
        wire
    }
}

impl<'de> Deserialize<'de> for Ruling {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn need<T, E: de::Error>(field: Option<T>, name: &'static str) -> Result<T, E> {
            field.ok_or_else(|| E::missing_field(name))
        }
        let wire = Wire::deserialize(deserializer)?;
        if wire.v != Self::V {
            return Err(de::Error::custom(format!("a ruling of version {} is not known", wire.v)));
        }
        let outcome = match wire.outcome {
            Verdict::Accepted => {
                let content = match wire.entry {
                    Some(entry) => Some(Content { entry, chain: need(wire.chain, "chain")? }),
                    None => None,
                };
                Outcome::Accepted(Box::new(Accepted {
                    context: need(wire.context, "context")?,
                    content,
                    receipt: wire.receipt,
                    standing: wire.standing,
                }))
            }
            Verdict::Duplicate => Outcome::Duplicate(Duplicate {
                of: need(wire.of, "of")?,
                first: need(wire.first, "first")?,
                standing: wire.standing,
            }),
            Verdict::Rejected => Outcome::Rejected(need(wire.reason, "reason")?),
        };
        Ok(Self {
            rule_v: wire.rule_v,
            src: need(wire.src, "src")?,
            prev_src: wire.prev_src,
            at: wire.at,
            conversation_id: wire.conversation_id,
            event_id: wire.event_id,
            actor: wire.actor,
            spent: wire.spent,
            outcome,
        })
    }
}

impl JsonSchema for Ruling {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Ruling".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Wire::json_schema(generator)
    }
}
