//! The rule: which proposed events count.

mod conversation;
mod members;
mod messages;
mod receipts;

use verbatim_schemas::{
    Chain, Code, Entry, EntryBody, Event, EventBody, Outcome, Rev, Ruling, Seq, Timestamp, bounds,
    rest::Receipt,
    ruling::{Accepted, Content, Context, Duplicate, First, Rejection, Spent, Standing},
};

use crate::{
    RULE_V, chain,
    proposal::Proposal,
    state::{ConversationState, Head, MemberRow},
};

/// Rules on a proposal, given the part of its conversation's state that
/// [`Needs`](crate::state::Needs) names. Changes nothing; see [`apply`](crate::apply::apply).
pub fn decide(state: &ConversationState, proposal: &Proposal) -> Ruling {
    let Some(event) = &proposal.event else {
        return undecodable(proposal);
    };
    let last_at = state.head.as_ref().map_or(Timestamp::default(), |head| head.last_at);
    let case = Case { state, event, at: proposal.time.max(last_at) };
    let spent = (!event.body.is_receipt())
        .then(|| Spent { salt: event.salt, digest: event.body.digest(&event.salt) });
    let mut ruling = Ruling {
        rule_v: RULE_V,
        src: proposal.src,
        prev_src: proposal.prev_src,
        at: case.at,
        conversation_id: Some(event.conversation_id),
        event_id: Some(event.id),
        actor: Some(event.actor.clone()),
        spent,
        outcome: Outcome::Rejected(Code::Malformed.into()),
    };
    if !event.body.is_receipt()
        && let Some(known) = case.known_id()
    {
        // Only the first ruling of an id spends it. An id from the future is spent too: else it
        // would be accepted when its time comes, though the sender was told to make a new one.
        if !matches!(&known, Outcome::Rejected(reason) if reason.code == Code::FutureId) {
            ruling.spent = None;
        }
        ruling.outcome = known;
        return ruling;
    }
    match case.decide() {
        Ok(effect) => case.accept(&mut ruling, effect),
        Err(reason) => ruling.outcome = Outcome::Rejected(reason),
    }
    ruling
}

fn undecodable(proposal: &Proposal) -> Ruling {
    Ruling {
        rule_v: RULE_V,
        src: proposal.src,
        prev_src: proposal.prev_src,
        at: proposal.time,
        conversation_id: proposal.conversation_id,
        event_id: None,
        actor: None,
        spent: None,
        outcome: Outcome::Rejected(Code::Malformed.into()),
    }
}

/// An event and the state it meets.
struct Case<'a> {
    state: &'a ConversationState,
    event: &'a Event,
    at: Timestamp,
}

/// What an accepted event does.
#[derive(Default)]
struct Effect {
    /// The new entry's body; takes a rev.
    body: Option<Change>,
    receipt: Option<Receipt>,
    standing: Option<Standing>,
}

/// A change of content, before it has its numbers.
enum Change {
    /// A message with the next seq.
    Message,
    /// Any other entry, and by how much it changes the number of members.
    Entry { body: EntryBody, joined: i32 },
}

impl Effect {
    fn nothing(standing: Option<Standing>) -> Self {
        Self { standing, ..Self::default() }
    }

    fn entry(body: EntryBody, joined: i32) -> Self {
        Self { body: Some(Change::Entry { body, joined }), ..Self::default() }
    }
}

impl Case<'_> {
    fn decide(&self) -> Result<Effect, Rejection> {
        match &self.event.body {
            EventBody::ConversationCreated(created) => self.conversation_created(created),
            EventBody::MemberAdded(added) => self.member_added(added),
            EventBody::MemberRemoved(removed) => self.member_removed(removed),
            EventBody::MessageSent(_) => self.message_sent(),
            EventBody::Delivered(delivered) => self.receipt(Some(delivered.up_to), None),
            EventBody::Read(read) => self.receipt(read.delivered, Some(read.up_to)),
        }
    }

    /// What an id says by itself: too old, too new, a repeat, or used for something else.
    fn known_id(&self) -> Option<Outcome> {
        let (event, actor) = (self.event, &self.event.actor);
        let made = event.id.time();
        let floor = self.state.memories.get(actor).and_then(|memory| memory.floor);
        if self.at.millis_since(made) > bounds::ID_MEMORY_MS
            || floor.is_some_and(|floor| event.id <= floor)
        {
            return Some(Outcome::Rejected(Code::StaleId.into()));
        }
        if let Some(row) = self.state.spent.get(&(actor.clone(), event.id)) {
            if event.body.digest(&row.spent.salt) != row.spent.digest {
                return Some(Outcome::Rejected(Code::IdReused.into()));
            }
            let standing = match row.first {
                First::Accepted { .. } => self.standing(),
                First::Rejected(_) => None,
            };
            return Some(Outcome::Duplicate(Duplicate {
                of: row.src,
                first: row.first.clone(),
                standing,
            }));
        }
        event.id.is_future(self.at).then(|| Outcome::Rejected(Code::FutureId.into()))
    }

    /// What a repeat of an accepted command is told: how things are now, unless the actor is no longer
    /// a member and may not know.
    fn standing(&self) -> Option<Standing> {
        self.as_member().ok()?;
        match &self.event.body {
            EventBody::ConversationCreated(_) => {
                self.conversation_now().map(Box::new).map(Standing::Conversation)
            }
            EventBody::MemberAdded(added) => self.member_now(&added.user_id).map(Standing::Member),
            _ => None,
        }
    }

    /// The conversation and the actor's membership; an outsider learns nothing.
    fn as_member(&self) -> Result<(&Head, &MemberRow), Rejection> {
        self.state
            .head
            .as_ref()
            .zip(self.state.members.get(&self.event.actor))
            .ok_or_else(|| Code::ConversationNotFound.into())
    }

    fn accept(&self, ruling: &mut Ruling, effect: Effect) {
        let before = self.context_before();
        let Some(mut context) = before.or_else(|| context_of_creation(&effect)) else {
            // An effect on a conversation that does not exist; the cases above do not make one.
            ruling.outcome = Outcome::Rejected(Code::ConversationNotFound.into());
            return;
        };
        let mut content = None;
        let mut receipt = effect.receipt;
        if let Some(change) = effect.body {
            context.head_rev = context.head_rev.next();
            let body = match change {
                Change::Message => {
                    context.head_seq = context.head_seq.next();
                    receipt = Some(self.sent_receipt(context.head_seq));
                    self.message(context.head_rev, context.head_seq)
                }
                Change::Entry { body, joined } => {
                    context.member_count = context.member_count.saturating_add_signed(joined);
                    body
                }
            };
            let entry = Entry {
                conversation_id: self.event.conversation_id,
                rev: context.head_rev,
                at: self.at,
                actor: self.event.actor.clone(),
                body,
            };
            content = Some(Content { entry, chain: Chain::EMPTY });
        }
        let changes_content = content.is_some();
        ruling.outcome = Outcome::Accepted(Box::new(Accepted {
            context,
            content,
            receipt,
            standing: effect.standing,
        }));
        if changes_content {
            let previous = self.state.head.as_ref().map_or(Chain::EMPTY, |head| head.chain);
            let chain = chain::next(previous, ruling);
            if let Outcome::Accepted(accepted) = &mut ruling.outcome
                && let Some(content) = &mut accepted.content
            {
                content.chain = chain;
            }
        }
    }

    fn context_before(&self) -> Option<Context> {
        self.state.head.as_ref().map(|head| Context {
            kind: head.kind,
            history: head.history,
            member_count: head.member_count,
            head_rev: head.rev,
            head_seq: head.seq,
        })
    }
}

fn context_of_creation(effect: &Effect) -> Option<Context> {
    match &effect.body {
        Some(Change::Entry {
            body: EntryBody::ConversationCreated { conversation, .. }, ..
        }) => Some(Context {
            kind: conversation.kind,
            history: conversation.history,
            member_count: 0,
            head_rev: Rev::ZERO,
            head_seq: Seq::ZERO,
        }),
        _ => None,
    }
}

fn invalid(field: &str) -> Rejection {
    Rejection { code: Code::Invalid, field: Some(field.to_owned()) }
}
