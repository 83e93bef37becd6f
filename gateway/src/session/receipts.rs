//! A socket's receipts, merged: the first of a conversation is written at once, then at most one a
//! second, and what waits when the socket closes is written then.

use std::collections::{HashMap, VecDeque};

use bytes::Bytes;
use verbatim_ports::{
    auth::Actor,
    clock::new_command_id,
    commands::{Command, Outcome},
};
use verbatim_schemas::{
    Code, ConversationId, EventBody, Problem, Seq,
    event::{Delivered, Read},
    frames::{Ack, ReceiptUpdate},
    ruling::Standing,
};

use super::{
    busy::{Done, Then},
    core::Core,
};
use crate::{config::millis, encode, shared::Shared};

/// The receipts of one socket, by conversation.
#[derive(Default)]
pub(super) struct Receipts {
    by_conversation: HashMap<ConversationId, Merged>,
    /// Frames that were not acknowledged yet.
    waiting: usize,
}

#[derive(Default)]
struct Merged {
    /// When the last was written.
    written: Option<u64>,
    /// The frames that are being written.
    in_flight: Vec<Option<String>>,
    marks: Marks,
    /// The frames that wait.
    waiting: Vec<Option<String>>,
    /// Frames that name more than this node knows of, so that one of them may be refused: each is written
    /// by itself, and spoils no other.
    beyond: VecDeque<(Marks, Option<String>)>,
    /// Whether the last that was written was one of these.
    alone: bool,
}

/// Up to where messages were received and read.
#[derive(Debug, Clone, Copy, Default)]
struct Marks {
    delivered: Option<Seq>,
    read: Option<Seq>,
}

impl Receipts {
    pub(super) fn is_empty(&self) -> bool {
        self.by_conversation.is_empty()
    }

    /// When the next is to be written, or forgotten.
    pub(super) fn next_due(&self, interval: u64) -> u64 {
        let idle = self.by_conversation.values().filter(|merged| merged.in_flight.is_empty());
        idle.map(|merged| merged.due(interval)).min().unwrap_or(u64::MAX)
    }

    /// Writes what waits, for a socket that closes; nobody hears of the outcome.
    pub(super) fn flush(&self, shared: &Shared, actor: &Actor) {
        // A task that is dropped with its runtime can write nothing.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        for (conversation, merged) in &self.by_conversation {
            // One of those that may be refused: a socket that closes must not fill the log with them. What is
            // not acknowledged is for the client to say again.
            let alone = merged.beyond.front().map(|(marks, _)| *marks);
            for marks in std::iter::once(merged.marks).chain(alone) {
                if let Some(command) = marks.command(shared, actor, *conversation) {
                    // The place in the order is taken by the call; the outcome is for nobody.
                    drop(shared.deps.commands.submit(command, shared.config.command_wait));
                }
            }
        }
    }
}

impl Merged {
    fn due(&self, interval: u64) -> u64 {
        self.written.map_or(0, |written| written + interval)
    }

    /// Takes in a frame: merged with others where the head is known to reach it.
    fn add(&mut self, marks: Marks, reference: Option<String>, head: Option<Seq>) {
        if head.is_none_or(|head| marks.delivered.max(marks.read) > Some(head)) {
            return self.beyond.push_back((marks, reference));
        }
        self.marks.delivered = self.marks.delivered.max(marks.delivered);
        self.marks.read = self.marks.read.max(marks.read);
        self.waiting.push(reference);
    }

    /// What is to be written next, and the frames that it answers.
    fn take(&mut self) -> Option<(Marks, Vec<Option<String>>)> {
        // In turn, so that neither waits for ever.
        self.alone = !self.alone && !self.beyond.is_empty();
        if !self.waiting.is_empty() && !self.alone {
            return Some((std::mem::take(&mut self.marks), std::mem::take(&mut self.waiting)));
        }
        let (marks, reference) = self.beyond.pop_front()?;
        Some((marks, vec![reference]))
    }

    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.beyond.is_empty() && self.in_flight.is_empty()
    }
}

impl Marks {
    fn command(
        &self,
        shared: &Shared,
        actor: &Actor,
        conversation: ConversationId,
    ) -> Option<Command> {
        let body = match (self.delivered, self.read) {
            (delivered, Some(up_to)) => EventBody::Read(Read { up_to, delivered }),
            (Some(up_to), None) => EventBody::Delivered(Delivered { up_to }),
            (None, None) => return None,
        };
        let id = new_command_id(&*shared.deps.entropy, shared.time.wall());
        Some(Command { actor: actor.clone(), id, conversation, body })
    }
}

/// A `receipt` frame.
pub(super) fn receive(core: &mut Core, frame: ReceiptUpdate, now: u64) {
    if frame.delivered.is_none() && frame.read.is_none() {
        let problem = Problem::invalid("read", "send `delivered`, `read`, or both");
        core.push(encode::error(frame.reference, problem), now);
        return core.wrong(now);
    }
    let most = core.shared.config.receipts_waiting;
    let head = core.shared.hub().head_seq(frame.conversation_id);
    let receipts = &mut core.busy().receipts;
    if receipts.waiting >= most {
        let problem = Problem::new(Code::RateLimited).retry_after_ms(1_000);
        core.push(encode::error(frame.reference, problem), now);
        return core.answered(true, now);
    }
    receipts.waiting += 1;
    let marks = Marks { delivered: frame.delivered, read: frame.read };
    let merged = receipts.by_conversation.entry(frame.conversation_id).or_default();
    merged.add(marks, frame.reference, head);
    write(core, frame.conversation_id, now);
    core.schedule(now);
}

/// Writes what is due and forgets what was written long ago.
pub(super) fn write_due(core: &mut Core, now: u64) {
    let interval = millis(core.shared.config.receipt_interval);
    let Some(busy) = &mut core.busy else { return };
    busy.receipts
        .by_conversation
        .retain(|_, merged| !merged.is_idle() || now < merged.due(interval));
    let due: Vec<ConversationId> = busy.receipts.by_conversation.keys().copied().collect();
    due.into_iter().for_each(|conversation| write(core, conversation, now));
}

/// Writes what waits of a conversation, if it is time to.
fn write(core: &mut Core, conversation: ConversationId, now: u64) {
    let interval = millis(core.shared.config.receipt_interval);
    let (Some(busy), Some(actor)) = (&mut core.busy, &core.actor) else { return };
    let Some(merged) = busy.receipts.by_conversation.get_mut(&conversation) else { return };
    if !merged.in_flight.is_empty() || now < merged.due(interval) {
        return;
    }
    if !merged.beyond.is_empty() {
        // The head may have reached them since.
        let head = core.shared.hub().head_seq(conversation);
        for (marks, reference) in std::mem::take(&mut merged.beyond) {
            merged.add(marks, reference, head);
        }
    }
    let Some((marks, references)) = merged.take() else { return };
    let Some(command) = marks.command(&core.shared, actor, conversation) else { return };
    merged.written = Some(now);
    merged.in_flight = references;
    let submitted = core.shared.deps.commands.submit(command, core.shared.config.command_wait);
    busy.add(Box::pin(async move {
        let then = Then::Receipt(conversation, Box::new(submitted.await));
        Done { frames: Vec::new(), limited: false, then }
    }));
}

/// The merged receipt was ruled on: each frame gets its answer. Whether that was `rate_limited`.
pub(super) fn answered(
    core: &mut Core,
    conversation: ConversationId,
    outcome: Result<Outcome, Problem>,
    now: u64,
) -> bool {
    let busy = core.busy();
    let Some(merged) = busy.receipts.by_conversation.get_mut(&conversation) else { return false };
    let references = std::mem::take(&mut merged.in_flight);
    busy.receipts.waiting = busy.receipts.waiting.saturating_sub(references.len());
    let limited = matches!(&outcome, Err(problem) if problem.code == Code::RateLimited);
    for reference in references {
        let frame = answer(reference, conversation, &outcome);
        core.push(frame, now);
    }
    core.schedule(now);
    limited
}

fn answer(
    reference: Option<String>,
    conversation: ConversationId,
    outcome: &Result<Outcome, Problem>,
) -> Bytes {
    match outcome {
        Err(problem) => encode::error(reference, problem.clone()),
        Ok(Outcome::Pending(_)) => encode::error(reference, Code::OutcomeUnknown.into()),
        Ok(Outcome::Ruled(ruled)) => {
            let standing = match &ruled.standing {
                Some(Standing::Receipt(receipt)) => Some(receipt),
                _ => None,
            };
            let receipt = ruled.receipt.as_ref().or(standing);
            encode::ack(Ack {
                reference,
                conversation_id: Some(conversation),
                delivered: receipt.map(|receipt| receipt.delivered),
                read: receipt.map(|receipt| receipt.read),
                position: Some(ruled.position.token()),
                ..Ack::default()
            })
        }
    }
}
