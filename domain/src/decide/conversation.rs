//! Creating conversations, and the races of it.

use verbatim_schemas::{
    Code, ConversationId, EntryBody, Kind, Posting, Role, UserId, Visibility, bounds,
    entry::Founding,
    event::ConversationCreated,
    rest::{Conversation, Member},
    ruling::{Rejection, Standing},
};

use super::{Case, Effect, invalid};

impl Case<'_> {
    /// The first creation of an id counts. A second one changes nothing where it asks for what is
    /// there already (either side of a direct conversation; the creator of another), and else learns
    /// only that the id is taken.
    pub(super) fn conversation_created(
        &self,
        created: &ConversationCreated,
    ) -> Result<Effect, Rejection> {
        self.check_shape(created)?;
        let Some(head) = &self.state.head else {
            return Ok(self.found(created));
        };
        let same = match head.kind {
            Kind::Direct => true,
            Kind::Group | Kind::Channel => {
                head.creator == self.event.actor
                    && self.event.body.digest(&head.founding.salt) == head.founding.digest
            }
        };
        match self.conversation_now() {
            Some(now) if same => Ok(Effect::nothing(Some(Standing::Conversation(Box::new(now))))),
            _ => Err(Code::ConversationExists.into()),
        }
    }

    fn check_shape(&self, created: &ConversationCreated) -> Result<(), Rejection> {
        let (event, members) = (self.event, &created.members);
        if members.len() > bounds::FOUNDING_MEMBERS
            || members.contains(&event.actor)
            || members.windows(2).any(|pair| pair[0] >= pair[1])
        {
            return Err(invalid("members"));
        }
        match (created.kind, members.as_slice()) {
            (Kind::Direct, [peer]) => {
                let plain = created.name.is_none()
                    && created.history == Visibility::All
                    && created.posting == Posting::Members;
                if !plain {
                    return Err(invalid("kind"));
                }
                if ConversationId::direct(&event.actor, peer) != event.conversation_id {
                    return Err(invalid("id"));
                }
            }
            (Kind::Direct, _) => return Err(invalid("members")),
            (Kind::Group | Kind::Channel, _) => {
                if created.name.is_none() {
                    return Err(invalid("name"));
                }
                if event.conversation_id.is_direct() {
                    return Err(invalid("id"));
                }
            }
        }
        Ok(())
    }

    fn found(&self, created: &ConversationCreated) -> Effect {
        let member =
            |user_id: &UserId, role| Member { user_id: user_id.clone(), role, since: self.at };
        // In a direct conversation nobody manages anybody.
        let creator_role = if created.kind == Kind::Direct { Role::Member } else { Role::Admin };
        let members: Vec<Member> = std::iter::once(member(&self.event.actor, creator_role))
            .chain(created.members.iter().map(|user| member(user, Role::Member)))
            .collect();
        // At most 101, as checked above.
        let count = i32::try_from(members.len()).unwrap_or(i32::MAX);
        let conversation = Box::new(Founding {
            id: self.event.conversation_id,
            kind: created.kind,
            name: created.name.clone(),
            history: created.history,
            posting: created.posting,
            member_count: count.cast_unsigned(),
            created_at: self.at,
        });
        Effect::entry(EntryBody::ConversationCreated { conversation, members }, count)
    }

    /// The conversation as the actor sees it; none to an outsider.
    pub(super) fn conversation_now(&self) -> Option<Conversation> {
        let head = self.state.head.as_ref()?;
        let me = self.state.members.get(&self.event.actor)?;
        let peer = match &self.event.body {
            verbatim_schemas::EventBody::ConversationCreated(created)
                if head.kind == Kind::Direct =>
            {
                created.members.first().cloned()
            }
            _ => None,
        };
        Some(Conversation {
            id: self.event.conversation_id,
            kind: head.kind,
            name: head.name.clone(),
            peer,
            history: head.history,
            posting: head.posting,
            role: me.role,
            member_count: head.member_count,
            head_seq: head.seq,
            head_rev: head.rev,
            created_at: head.created_at,
        })
    }
}
