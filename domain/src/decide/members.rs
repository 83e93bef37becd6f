//! Members and roles.

use verbatim_schemas::{
    Code, EntryBody, Kind, Role, UserId, bounds,
    event::{MemberAdded, MemberRemoved},
    rest::{Member, Receipt},
    ruling::{Rejection, Standing},
};

use super::{Case, Effect};
use crate::state::Head;

impl Case<'_> {
    /// An admin adds a member or changes a role.
    pub(super) fn member_added(&self, added: &MemberAdded) -> Result<Effect, Rejection> {
        let head = self.as_admin()?;
        let Some(row) = self.state.members.get(&added.user_id) else {
            return self.join(head, added);
        };
        let standing =
            Member { user_id: added.user_id.clone(), role: added.role, since: row.since };
        if row.role == added.role {
            return Ok(Effect::nothing(Some(Standing::Member(standing))));
        }
        if row.role == Role::Admin && head.admin_count == 1 {
            return Err(Code::LastAdmin.into());
        }
        Ok(Effect::entry(EntryBody::RoleChanged { member: standing }, 0))
    }

    fn join(&self, head: &Head, added: &MemberAdded) -> Result<Effect, Rejection> {
        let most = match head.kind {
            Kind::Channel => bounds::CHANNEL_MEMBERS,
            Kind::Direct | Kind::Group => bounds::GROUP_MEMBERS,
        };
        if head.member_count >= most {
            return Err(Code::ConversationFull.into());
        }
        let member = Member { user_id: added.user_id.clone(), role: added.role, since: self.at };
        let mut effect = Effect::entry(EntryBody::MemberAdded { member }, 1);
        // What came before one joined is not unread.
        effect.receipt = Some(Receipt {
            user_id: added.user_id.clone(),
            delivered: head.seq,
            read: head.seq,
            at: None,
        });
        Ok(effect)
    }

    /// An admin removes a member, or a member leaves. Where the last admin leaves, the member who
    /// stands longest becomes one.
    pub(super) fn member_removed(&self, removed: &MemberRemoved) -> Result<Effect, Rejection> {
        let user = &removed.user_id;
        let (head, me) = self.as_member()?;
        if head.kind == Kind::Direct {
            return Err(Code::DirectIsFixed.into());
        }
        if *user != self.event.actor && me.role != Role::Admin {
            return Err(Code::Forbidden.into());
        }
        let Some(row) = self.state.members.get(user) else {
            return Ok(Effect::nothing(None));
        };
        let last_admin = row.role == Role::Admin && head.admin_count == 1;
        let promoted =
            if last_admin { self.state.longest_standing_without(user).cloned() } else { None };
        let member = Member { user_id: user.clone(), role: row.role, since: row.since };
        Ok(Effect::entry(EntryBody::MemberRemoved { member, promoted }, -1))
    }

    /// A member as they stand now.
    pub(super) fn member_now(&self, user: &UserId) -> Option<Member> {
        let row = self.state.members.get(user)?;
        Some(Member { user_id: user.clone(), role: row.role, since: row.since })
    }

    fn as_admin(&self) -> Result<&Head, Rejection> {
        let (head, me) = self.as_member()?;
        match (head.kind, me.role) {
            (Kind::Direct, _) => Err(Code::DirectIsFixed.into()),
            (_, Role::Member) => Err(Code::Forbidden.into()),
            (_, Role::Admin) => Ok(head),
        }
    }
}
