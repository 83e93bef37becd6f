//! Who may read what. A store gives nothing without a [`Grant`], and only [`authorize`] makes one, so
//! a forgotten check does not compile.

use verbatim_schemas::{Code, ConversationId, Kind, Rev, Role, Seq, UserId, Visibility, bounds};

/// What a projection knows of one user in one conversation, read at one position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// What the conversation is.
    pub kind: Kind,
    /// What later members see.
    pub history: Visibility,
    /// How many members.
    pub member_count: u32,
    /// The last entry.
    pub head_rev: Rev,
    /// The last message.
    pub head_seq: Seq,
    /// The user's role; none for a former member.
    pub role: Option<Role>,
    /// The times of membership, oldest first; only the last may be open.
    pub intervals: Vec<Interval>,
}

/// One time of membership.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// The entry that made the user a member (1 for founding members).
    pub from_rev: Rev,
    /// The first message after it.
    pub from_seq: Seq,
    /// The entry that ended it and the last message before that; none while it lasts.
    pub until: Option<(Rev, Seq)>,
}

/// What somebody wants to do with a conversation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// Read its content, members and receipts.
    Read,
}

/// Numbers from `first` to `last`, both included; empty where `first` is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Range {
    /// The first.
    pub first: u64,
    /// The last.
    pub last: u64,
}

impl Range {
    /// Whether a number lies within.
    pub fn contains(self, number: u64) -> bool {
        self.first <= number && number <= self.last
    }
}

/// The right of one user to read certain ranges of one conversation, as of one head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    conversation: ConversationId,
    actor: UserId,
    role: Role,
    member_count: u32,
    head_rev: Rev,
    head_seq: Seq,
    revs: Vec<Range>,
    seqs: Vec<Range>,
}

/// Whether the receipts of a conversation with so many members are shown to all of them: up to
/// `public_up_to` members, and in no case above
/// [`RECEIPTS_PUBLIC_MEMBERS`](bounds::RECEIPTS_PUBLIC_MEMBERS). Else to their own member only.
pub fn receipts_are_public(member_count: u32, public_up_to: u32) -> bool {
    member_count <= public_up_to.min(bounds::RECEIPTS_PUBLIC_MEMBERS)
}

impl Grant {
    /// Which conversation.
    pub fn conversation(&self) -> ConversationId {
        self.conversation
    }
    /// Whose right it is.
    pub fn actor(&self) -> &UserId {
        &self.actor
    }
    /// The actor's role.
    pub fn role(&self) -> Role {
        self.role
    }
    /// How many members the conversation had.
    pub fn member_count(&self) -> u32 {
        self.member_count
    }
    /// The head that open ranges end at: content after it is guarded by a membership that was not
    /// looked at.
    pub fn head_rev(&self) -> Rev {
        self.head_rev
    }
    /// The last message of that head.
    pub fn head_seq(&self) -> Seq {
        self.head_seq
    }
    /// The visible entries, oldest range first.
    pub fn revs(&self) -> &[Range] {
        &self.revs
    }
    /// The visible messages, oldest range first.
    pub fn seqs(&self) -> &[Range] {
        &self.seqs
    }
    /// Whether an entry is visible.
    pub fn sees_rev(&self, rev: Rev) -> bool {
        self.revs.iter().any(|range| range.contains(rev.0))
    }
    /// Whether a message is visible.
    pub fn sees_seq(&self, seq: Seq) -> bool {
        self.seqs.iter().any(|range| range.contains(seq.0))
    }
}

/// Judges what `actor` may do, given what a projection knows of them (none: no such conversation, or
/// never a member). Outsiders and former members get the same answer as for a conversation that does
/// not exist.
pub fn authorize(
    actor: &UserId,
    conversation: ConversationId,
    membership: Option<&Membership>,
    action: Action,
) -> Result<Grant, Code> {
    let (membership, role) = membership
        .and_then(|membership| Some((membership, membership.role?)))
        .ok_or(Code::ConversationNotFound)?;
    match action {
        Action::Read => {}
    }
    let (revs, seqs) = visible(membership);
    Ok(Grant {
        conversation,
        actor: actor.clone(),
        role,
        member_count: membership.member_count,
        head_rev: membership.head_rev,
        head_seq: membership.head_seq,
        revs,
        seqs,
    })
}

/// The ranges of revs and seqs that a member sees.
fn visible(membership: &Membership) -> (Vec<Range>, Vec<Range>) {
    let (head_rev, head_seq) = (membership.head_rev.0, membership.head_seq.0);
    match membership.history {
        Visibility::All => {
            (vec![Range { first: 1, last: head_rev }], vec![Range { first: 1, last: head_seq }])
        }
        Visibility::SinceJoin => membership
            .intervals
            .iter()
            .map(|interval| {
                // Nobody reads their own removal, not even after coming back.
                let (last_rev, last_seq) = match interval.until {
                    Some((rev, seq)) => (rev.0.saturating_sub(1), seq.0),
                    None => (head_rev, head_seq),
                };
                (
                    Range { first: interval.from_rev.0, last: last_rev },
                    Range { first: interval.from_seq.0, last: last_seq },
                )
            })
            .unzip(),
    }
}
