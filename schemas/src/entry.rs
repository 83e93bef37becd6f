//! One change of a conversation, as history and sockets show it.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    content::{Metadata, Name, Text},
    ids::{CommandId, ConversationId, UserId},
    number::{Rev, Seq},
    rest::{Kind, Member, Posting, Visibility},
    time::Timestamp,
};

/// One change, numbered by `rev`.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// Where.
    pub conversation_id: ConversationId,
    /// Its number, dense per conversation.
    pub rev: Rev,
    /// The log's time, ratcheted per conversation.
    pub at: Timestamp,
    /// Who did it.
    pub actor: UserId,
    /// What changed.
    pub body: EntryBody,
}

/// What an entry changed.
#[derive(Debug, Clone, PartialEq)]
pub enum EntryBody {
    /// The conversation began.
    ConversationCreated {
        /// What it is.
        conversation: Box<Founding>,
        /// The founding members, the creator first.
        members: Vec<Member>,
    },
    /// A user became a member.
    MemberAdded {
        /// As they stand after.
        member: Member,
    },
    /// A member was removed or left.
    MemberRemoved {
        /// As they stood before.
        member: Member,
        /// Who became admin because the last one left.
        promoted: Option<UserId>,
    },
    /// A member's role changed.
    RoleChanged {
        /// As they stand after.
        member: Member,
    },
    /// A message was sent.
    Message {
        /// As it was sent.
        message: Message,
    },
}

/// What a conversation is from its beginning, the same for every viewer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Founding {
    /// Its id.
    pub id: ConversationId,
    /// What it is.
    pub kind: Kind,
    /// Of groups and channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// What later members see.
    pub history: Visibility,
    /// Who may send.
    pub posting: Posting,
    /// How many members it began with.
    pub member_count: u32,
    /// When it began.
    pub created_at: Timestamp,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Message {
    /// Made by the client.
    pub id: CommandId,
    /// Where.
    pub conversation_id: ConversationId,
    /// Its number among the messages.
    pub seq: Seq,
    /// The rev of its last change.
    pub rev: Rev,
    /// Who sent it.
    pub sender: UserId,
    /// What it says.
    pub text: Text,
    /// What the app attached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
    /// The log's time.
    pub created_at: Timestamp,
}

impl EntryBody {
    /// The `kind` on the wire.
    pub fn kind(&self) -> EntryKind {
        match self {
            Self::ConversationCreated { .. } => EntryKind::ConversationCreated,
            Self::MemberAdded { .. } => EntryKind::MemberAdded,
            Self::MemberRemoved { .. } => EntryKind::MemberRemoved,
            Self::RoleChanged { .. } => EntryKind::RoleChanged,
            Self::Message { .. } => EntryKind::Message,
        }
    }
}

/// The `kind` of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// With `conversation` and `members`.
    ConversationCreated,
    /// With `member`.
    MemberAdded,
    /// With `member`, and `promoted` when the last admin left.
    MemberRemoved,
    /// With `member`.
    RoleChanged,
    /// With `message`.
    Message,
}

/// An entry as JSON has it: flat, so that metadata passes through byte for byte.
#[derive(Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Entry")]
pub(crate) struct Wire {
    conversation_id: ConversationId,
    rev: Rev,
    at: Timestamp,
    actor: UserId,
    kind: EntryKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    conversation: Option<Box<Founding>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    members: Option<Vec<Member>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    member: Option<Member>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    promoted: Option<UserId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    message: Option<Message>,
}

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut wire = Wire {
            conversation_id: self.conversation_id,
            rev: self.rev,
            at: self.at,
            actor: self.actor.clone(),
            kind: self.body.kind(),
            conversation: None,
            members: None,
            member: None,
            promoted: None,
            message: None,
        };
        match self.body.clone() {
            EntryBody::ConversationCreated { conversation, members } => {
                wire.conversation = Some(conversation);
                wire.members = Some(members);
            }
            EntryBody::MemberAdded { member } | EntryBody::RoleChanged { member } => {
                wire.member = Some(member);
            }
            EntryBody::MemberRemoved { member, promoted } => {
                wire.member = Some(member);
                wire.promoted = promoted;
            }
            EntryBody::Message { message } => wire.message = Some(message),
        }
        wire.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        fn need<T, E: de::Error>(field: Option<T>, name: &'static str) -> Result<T, E> {
            field.ok_or_else(|| E::missing_field(name))
        }
        let wire = Wire::deserialize(deserializer)?;
        let body = match wire.kind {
            EntryKind::ConversationCreated => EntryBody::ConversationCreated {
                conversation: need(wire.conversation, "conversation")?,
                members: need(wire.members, "members")?,
            },
            EntryKind::MemberAdded => {
                EntryBody::MemberAdded { member: need(wire.member, "member")? }
            }
            EntryKind::MemberRemoved => EntryBody::MemberRemoved {
                member: need(wire.member, "member")?,
                promoted: wire.promoted,
            },
            EntryKind::RoleChanged => {
                EntryBody::RoleChanged { member: need(wire.member, "member")? }
            }
            EntryKind::Message => EntryBody::Message { message: need(wire.message, "message")? },
        };
        Ok(Self {
            conversation_id: wire.conversation_id,
            rev: wire.rev,
            at: wire.at,
            actor: wire.actor,
            body,
        })
    }
}

impl JsonSchema for Entry {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Entry".into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        Wire::json_schema(generator)
    }
}
