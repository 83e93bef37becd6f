//! What was proposed: the records of `chat.events`, kept for ever.
//!
//! The envelope is `{"id","type","v","conversation_id","actor","salt","data"}`. A published version
//! of a type never changes; a new one is added beside it and the old is read as before.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{
    content::{Metadata, Name, Text},
    hex::{Digest, Salt},
    ids::{CommandId, ConversationId, UserId},
    number::Seq,
    rest::{Kind, Posting, Role, Visibility},
};

/// One proposed change of one conversation.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The command's id; a repeat carries the same. Of a message it is the message's id.
    pub id: CommandId,
    /// The conversation; also the record's key.
    pub conversation_id: ConversationId,
    /// Who asked for it, as authenticated.
    pub actor: UserId,
    /// Random bytes that hide the body behind its digest.
    pub salt: Salt,
    /// What is proposed.
    pub body: EventBody,
}

/// What an event proposes.
#[derive(Debug, Clone, PartialEq)]
pub enum EventBody {
    /// `conversation_created`
    ConversationCreated(ConversationCreated),
    /// `member_added`
    MemberAdded(MemberAdded),
    /// `member_removed`
    MemberRemoved(MemberRemoved),
    /// `message_sent`
    MessageSent(MessageSent),
    /// `delivered`
    Delivered(Delivered),
    /// `read`
    Read(Read),
}

/// A conversation is opened by its first event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConversationCreated {
    /// Direct, group or channel.
    pub kind: Kind,
    /// Of groups and channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The founding members besides the actor, sorted, each once; of a direct one the peer.
    pub members: Vec<UserId>,
    /// What later members see.
    pub history: Visibility,
    /// Who may send.
    pub posting: Posting,
}

/// A user becomes a member, or a member's role changes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberAdded {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
}

/// A member is removed, or leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MemberRemoved {
    /// Who; the actor when leaving.
    pub user_id: UserId,
}

/// A message is sent; its id is the event's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MessageSent {
    /// What it says.
    pub text: Text,
    /// What the app attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// The actor's devices received everything up to a message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Delivered {
    /// The last message received.
    pub up_to: Seq,
}

/// The actor read everything up to a message, which is then delivered too.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Read {
    /// The last message read.
    pub up_to: Seq,
    /// The last message received, when that is further.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delivered: Option<Seq>,
}

/// Why a record is not an event. Part of the rule: such a record is ruled out and stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a known event: {0}")]
pub struct Undecodable(pub String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    id: CommandId,
    #[serde(rename = "type", borrow)]
    event_type: Cow<'a, str>,
    v: u32,
    conversation_id: ConversationId,
    actor: UserId,
    salt: Salt,
    #[serde(borrow)]
    data: Cow<'a, RawValue>,
}

impl EventBody {
    /// Every type and the version that is written today.
    pub const TYPES: &[(&str, u32)] = &[
        ("conversation_created", 1),
        ("member_added", 1),
        ("member_removed", 1),
        ("message_sent", 1),
        ("delivered", 1),
        ("read", 1),
    ];

    /// The `type` on the wire.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::ConversationCreated(_) => "conversation_created",
            Self::MemberAdded(_) => "member_added",
            Self::MemberRemoved(_) => "member_removed",
            Self::MessageSent(_) => "message_sent",
            Self::Delivered(_) => "delivered",
            Self::Read(_) => "read",
        }
    }

    /// Whether the body is compared by value, so that the command's id is not remembered.
    pub fn is_receipt(&self) -> bool {
        matches!(self, Self::Delivered(_) | Self::Read(_))
    }

    fn data(&self) -> serde_json::Result<Box<RawValue>> {
        use serde_json::value::to_raw_value;
        match self {
            Self::ConversationCreated(data) => to_raw_value(data),
            Self::MemberAdded(data) => to_raw_value(data),
            Self::MemberRemoved(data) => to_raw_value(data),
            Self::MessageSent(data) => to_raw_value(data),
            Self::Delivered(data) => to_raw_value(data),
            Self::Read(data) => to_raw_value(data),
        }
    }

    /// BLAKE3 over the salt, the type and the data as it stands on the log, each length-prefixed.
    pub fn digest(&self, salt: &Salt) -> Digest {
        // Our own types serialise without fail; an empty text would only make bodies differ.
        let data = self.data().map(|data| data.get().to_owned()).unwrap_or_default();
        let mut hasher = blake3::Hasher::new();
        hasher.update(&salt.0);
        for part in [self.type_name(), &data] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Digest(*hasher.finalize().as_bytes())
    }
}

impl Event {
    /// The record's value.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        serde_json::to_vec(&Envelope {
            id: self.id,
            event_type: self.body.type_name().into(),
            v: 1,
            conversation_id: self.conversation_id,
            actor: self.actor.clone(),
            salt: self.salt,
            data: Cow::Owned(self.body.data()?),
        })
    }

    /// Reads a record's value.
    pub fn decode(value: &[u8]) -> Result<Self, Undecodable> {
        let undecodable = |error: serde_json::Error| Undecodable(error.to_string());
        let envelope: Envelope<'_> = serde_json::from_slice(value).map_err(undecodable)?;
        let data = envelope.data.get();
        let body = match (envelope.event_type.as_ref(), envelope.v) {
            ("conversation_created", 1) => {
                serde_json::from_str(data).map(EventBody::ConversationCreated)
            }
            ("member_added", 1) => serde_json::from_str(data).map(EventBody::MemberAdded),
            ("member_removed", 1) => serde_json::from_str(data).map(EventBody::MemberRemoved),
            ("message_sent", 1) => serde_json::from_str(data).map(EventBody::MessageSent),
            ("delivered", 1) => serde_json::from_str(data).map(EventBody::Delivered),
            ("read", 1) => serde_json::from_str(data).map(EventBody::Read),
            (other, v) => return Err(Undecodable(format!("type {other:?} version {v}"))),
        }
        .map_err(undecodable)?;
        Ok(Self {
            id: envelope.id,
            conversation_id: envelope.conversation_id,
            actor: envelope.actor,
            salt: envelope.salt,
            body,
        })
    }
}
