//! Messages.

use verbatim_schemas::{
    Code, EntryBody, EventBody, Posting, Rev, Role, Seq, entry::Message, rest::Receipt,
    ruling::Rejection,
};

use super::{Case, Change, Effect};

impl Case<'_> {
    /// A member sends, where members may.
    pub(super) fn message_sent(&self) -> Result<Effect, Rejection> {
        let (head, me) = self.as_member()?;
        if head.posting == Posting::Admins && me.role != Role::Admin {
            return Err(Code::Forbidden.into());
        }
        Ok(Effect { body: Some(Change::Message), ..Effect::default() })
    }

    /// The entry of an accepted message.
    pub(super) fn message(&self, rev: Rev, seq: Seq) -> EntryBody {
        let (text, metadata) = match &self.event.body {
            EventBody::MessageSent(sent) => (sent.text.clone(), sent.metadata.clone()),
            // Only `message_sent` makes messages.
            _ => (verbatim_schemas::Text::erased(), None),
        };
        EntryBody::Message {
            message: Message {
                id: self.event.id,
                conversation_id: self.event.conversation_id,
                seq,
                rev,
                sender: self.event.actor.clone(),
                text,
                metadata,
                created_at: self.at,
            },
        }
    }

    /// Whoever sends has read up to what they sent.
    pub(super) fn sent_receipt(&self, seq: Seq) -> Receipt {
        Receipt { user_id: self.event.actor.clone(), delivered: seq, read: seq, at: Some(self.at) }
    }
}
