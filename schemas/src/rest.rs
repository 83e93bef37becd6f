//! Bodies of the REST interface, and the words they share with events and entries.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    content::{Metadata, Name, Text},
    entry::Message,
    ids::{CommandId, ConversationId, DeviceId, UserId},
    number::{Rev, Seq},
    time::Timestamp,
};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
        )]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)*
        }

        impl $name {
            /// The word on the wire and in stores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Reads the word.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

words!(
    /// What a conversation is.
    Kind {
        /// Two users, for ever.
        Direct "direct",
        /// Up to 1,000 members; every member's sockets get every entry.
        Group "group",
        /// Up to 1,000,000 members; sockets that view it get its entries.
        Channel "channel",
    }
);
words!(
    /// What a member may do.
    Role {
        /// Sends and reads.
        Member "member",
        /// Also manages members.
        Admin "admin",
    }
);
words!(
    /// What a member sees of the past.
    Visibility {
        /// The times in which one was a member.
        SinceJoin "since_join",
        /// Everything, while a member.
        All "all",
    }
);
words!(
    /// Who may send.
    Posting {
        /// Every member.
        Members "members",
        /// Admins only.
        Admins "admins",
    }
);

/// Body of `PUT /v1/conversations/{id}`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateConversation {
    /// Group or channel.
    pub kind: Kind,
    /// What it is called.
    pub name: Name,
    /// Founding members besides the caller, at most 100.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub members: Vec<UserId>,
    /// What later members see; `since_join` for groups, `all` for channels when absent.
    #[serde(default)]
    pub history: Option<Visibility>,
    /// Who may send; `members` when absent.
    #[serde(default)]
    pub posting: Option<Posting>,
}

/// Body of `PUT /v1/conversations/{id}/members/{user_id}`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutMember {
    /// The role to have.
    pub role: Role,
}

/// Body of `POST /v1/conversations/{id}/messages`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendMessage {
    /// Made by the client.
    pub id: CommandId,
    /// What it says.
    pub text: Text,
    /// What the app attaches.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata>,
}

/// Body of `PUT /v1/conversations/{id}/receipts`; at least one of the two.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PutReceipts {
    /// Everything up to here was received.
    #[serde(default)]
    pub delivered: Option<Seq>,
    /// Everything up to here was read.
    #[serde(default)]
    pub read: Option<Seq>,
}

/// Body of `POST /v1/dev/tokens`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateDevToken {
    /// Whose token.
    pub user_id: UserId,
    /// For which device.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceId>,
    /// With which roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
}

/// Answer of `POST /v1/dev/tokens`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
pub struct DevToken {
    /// A signed JWT.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Answer of `POST /v1/ws/tickets`.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
pub struct Ticket {
    /// For one `hello` within 30 s.
    pub ticket: String,
}

/// A conversation as one of its members sees it.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Conversation {
    /// Its id.
    pub id: ConversationId,
    /// What it is.
    pub kind: Kind,
    /// Of groups and channels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// The other one, in direct conversations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<UserId>,
    /// What later members see.
    pub history: Visibility,
    /// Who may send.
    pub posting: Posting,
    /// The caller's role.
    pub role: Role,
    /// How many members.
    pub member_count: u32,
    /// The last message's seq.
    pub head_seq: Seq,
    /// The last entry's rev.
    pub head_rev: Rev,
    /// The log's time of its creation.
    pub created_at: Timestamp,
}

/// One member.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Member {
    /// Who.
    pub user_id: UserId,
    /// As what.
    pub role: Role,
    /// Member since.
    pub since: Timestamp,
}

/// How far a member is.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct Receipt {
    /// Who.
    pub user_id: UserId,
    /// Everything up to here was received.
    pub delivered: Seq,
    /// Everything up to here was read.
    pub read: Seq,
    /// When that last changed; null while nothing was received.
    pub at: Option<Timestamp>,
}

/// Answer of `PUT /v1/conversations/{id}/receipts`: the watermarks after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Watermarks {
    /// Everything up to here was received.
    pub delivered: Seq,
    /// Everything up to here was read.
    pub read: Seq,
}

/// One line of the caller's inbox.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
pub struct InboxItem {
    /// The conversation.
    #[serde(flatten)]
    pub conversation: Conversation,
    /// The last message that the caller may see.
    pub last_message: Option<Message>,
    /// Messages after the caller's read watermark.
    pub unread: u64,
    /// The caller's watermark.
    pub read: Seq,
    /// The caller's watermark.
    pub delivered: Seq,
    /// When the last entry came.
    pub active_at: Timestamp,
}

/// Answer of `GET /v1/unread`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Unread {
    /// Conversations with something unread.
    pub conversations: u64,
    /// Messages unread in all.
    pub messages: u64,
}

/// Whether a user has a socket open.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Presence {
    /// Who.
    pub user_id: UserId,
    /// Now, or a moment ago.
    pub online: bool,
    /// When last, while offline; null when never (or hidden).
    pub last_seen: Option<Timestamp>,
}

/// Answer of the health routes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
pub struct Health {
    /// `live` or `ready`.
    pub status: String,
}

/// Where a page goes on: opaque, URL-safe.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Cursor(pub String);

/// Most items of a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Limit(#[schemars(range(min = 1, max = 200))] pub u32);

/// A page by seq, rev or cursor.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
#[schemars(rename = "{T}Page")]
pub struct Page<T, N> {
    /// The items.
    pub items: Vec<T>,
    /// What to pass as `before`, `after` or `cursor` for more; null at the end.
    pub next: Option<N>,
}

/// Answer with status 202: durable, and not ruled on yet.
#[derive(Debug, Clone, Deserialize, Serialize, JsonSchema)]
pub struct Pending {
    /// The command's id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<CommandId>,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Where it stands.
    pub position: String,
}

#[cfg(test)]
mod tests;
