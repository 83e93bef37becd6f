//! Folding rulings into the state.

use verbatim_schemas::{
    CommandId, EntryBody, Outcome, Rev, Role, Ruling, Seq, Timestamp, UserId, bounds,
    rest::{Member, Receipt},
    ruling::{Accepted, Content, Context, First, Spent},
};

use crate::state::{Change, ConversationState, FORGET_AT_ONCE, Head, MemberRow, SpentRow};

/// Folds a ruling into its conversation's state (or the part that
/// [`Needs`](crate::state::Needs) names), and says which rows changed.
pub fn apply(state: &mut ConversationState, ruling: &Ruling) -> Vec<Change> {
    let mut fold = Fold { state, changes: Vec::new() };
    if let Outcome::Accepted(accepted) = &ruling.outcome {
        fold.accepted(ruling, accepted);
    }
    if let (Some(actor), Some(id), Some(spent)) = (&ruling.actor, ruling.event_id, ruling.spent) {
        fold.spend(ruling, actor, id, spent);
    }
    if ruling.event_id.is_some() {
        fold.ratchet(ruling.at);
    }
    fold.changes
}

struct Fold<'a> {
    state: &'a mut ConversationState,
    changes: Vec<Change>,
}

impl Fold<'_> {
    fn accepted(&mut self, ruling: &Ruling, accepted: &Accepted) {
        if let Some(content) = &accepted.content {
            self.entry(ruling, content, accepted.context);
        }
        if let Some(receipt) = &accepted.receipt {
            self.receipt(receipt);
        }
    }

    fn entry(&mut self, ruling: &Ruling, content: &Content, context: Context) {
        let entry = &content.entry;
        let mut admins = 0;
        match &entry.body {
            EntryBody::ConversationCreated { conversation, members } => {
                self.state.head = Some(Head {
                    kind: conversation.kind,
                    name: conversation.name.clone(),
                    history: conversation.history,
                    posting: conversation.posting,
                    creator: entry.actor.clone(),
                    founding: ruling.spent.unwrap_or(Spent {
                        salt: verbatim_schemas::Salt([0; 16]),
                        digest: verbatim_schemas::Digest([0; 32]),
                    }),
                    created_at: entry.at,
                    last_at: entry.at,
                    rev: Rev::ZERO,
                    seq: Seq::ZERO,
                    chain: content.chain,
                    member_count: 0,
                    admin_count: 0,
                });
                for member in members {
                    admins += self.join(member, entry.rev, Seq::ZERO);
                }
            }
            EntryBody::MemberAdded { member } => {
                admins += self.join(member, entry.rev, context.head_seq);
            }
            EntryBody::MemberRemoved { member, promoted } => {
                self.member(&member.user_id, None);
                admins -= i32::from(member.role == Role::Admin);
                if let Some(promoted) = promoted {
                    admins += self.role(promoted, Role::Admin);
                }
            }
            EntryBody::RoleChanged { member } => admins += self.role(&member.user_id, member.role),
            EntryBody::Message { .. } => {}
        }
        if let Some(head) = &mut self.state.head {
            head.rev = context.head_rev;
            head.seq = context.head_seq;
            head.chain = content.chain;
            head.member_count = context.member_count;
            head.admin_count = head.admin_count.saturating_add_signed(admins);
        }
    }

    fn join(&mut self, member: &Member, rev: Rev, seq: Seq) -> i32 {
        let row = MemberRow {
            role: member.role,
            since: member.since,
            since_rev: rev,
            delivered: seq,
            read: seq,
            receipt_at: None,
        };
        self.member(&member.user_id, Some(row));
        i32::from(member.role == Role::Admin)
    }

    /// An entry that changes a role always changes it, so the number of admins moves by one.
    fn role(&mut self, user: &UserId, role: Role) -> i32 {
        if let Some(row) = self.state.members.get(user) {
            self.member(user, Some(MemberRow { role, ..*row }));
        }
        if role == Role::Admin { 1 } else { -1 }
    }

    fn receipt(&mut self, receipt: &Receipt) {
        if let Some(row) = self.state.members.get(&receipt.user_id) {
            let row = MemberRow {
                delivered: receipt.delivered,
                read: receipt.read,
                receipt_at: receipt.at,
                ..*row
            };
            self.member(&receipt.user_id, Some(row));
        }
    }

    fn member(&mut self, user: &UserId, row: Option<MemberRow>) {
        match row {
            Some(row) => self.state.members.insert(user.clone(), row),
            None => self.state.members.remove(user),
        };
        self.changes.push(Change::Member(user.clone(), row));
    }

    /// Remembers a spent id, and forgets others beyond the bounds.
    fn spend(&mut self, ruling: &Ruling, actor: &UserId, id: CommandId, spent: Spent) {
        let first = match &ruling.outcome {
            Outcome::Accepted(accepted) => First::Accepted {
                rev: accepted.content.as_ref().map(|content| content.entry.rev),
                seq: accepted.content.as_ref().and_then(|content| match &content.entry.body {
                    EntryBody::Message { message } => Some(message.seq),
                    _ => None,
                }),
                at: ruling.at,
            },
            Outcome::Rejected(reason) => First::Rejected(reason.clone()),
            // A duplicate spends nothing.
            Outcome::Duplicate(_) => return,
        };
        let row = SpentRow { spent, src: ruling.src, first };
        self.state.spent.insert((actor.clone(), id), row.clone());
        self.changes.push(Change::Spent(actor.clone(), id, Some(row)));
        let mut memory = self.state.memories.get(actor).copied().unwrap_or_default();
        memory.count += 1;
        for _ in 0..FORGET_AT_ONCE {
            let Some(id) = self.forgettable(actor, memory.count, ruling.at) else { break };
            self.state.spent.remove(&(actor.clone(), id));
            self.changes.push(Change::Spent(actor.clone(), id, None));
            memory.count = memory.count.saturating_sub(1);
            if !id.is_future(ruling.at) {
                memory.floor = memory.floor.max(Some(id));
            }
        }
        self.state.memories.insert(actor.clone(), memory);
        self.changes.push(Change::Memory(actor.clone(), memory));
    }

    /// The id to forget next, if any: one past its age; beyond the count one from the future, since it
    /// was refused and is refused again as long as it lies there, else the oldest.
    fn forgettable(&self, actor: &UserId, count: u32, at: Timestamp) -> Option<CommandId> {
        let mut ids = self.state.spent_by(actor).map(|((_, id), _)| *id);
        let oldest = ids.next()?;
        if at.millis_since(oldest.time()) > bounds::ID_MEMORY_MS {
            return Some(oldest);
        }
        if count <= bounds::ID_MEMORY_COUNT {
            return None;
        }
        Some(ids.next_back().filter(|newest| newest.is_future(at)).unwrap_or(oldest))
    }

    fn ratchet(&mut self, at: Timestamp) {
        if let Some(head) = &mut self.state.head {
            head.last_at = head.last_at.max(at);
            self.changes.push(Change::Head(Box::new(head.clone())));
        }
    }
}
